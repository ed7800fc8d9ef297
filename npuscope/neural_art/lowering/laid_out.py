"""Copies before kernels of the CPU, of what does not lie as they read it."""

from __future__ import annotations

from npuscope.model.layers import Layer, Operand
from npuscope.neural_art.lowering.along_rows import ends_in_rows
from npuscope.neural_art.lowering.lower import INPUT, Lowering, copied_once, laid_last
from npuscope.neural_art.mapping.layout import VIEWS
from npuscope.neural_art.mapping.padding import absorbed
from npuscope.neural_art.mapping.shapes import has_rank, of_map, of_rows, positions
from npuscope.neural_art.mapping.sizes import size


def laid_out(lowering: Lowering, layer: Layer, name: str) -> str:
    """What a float kernel reads, copied to channels last where it lies otherwise.

    1. An input of the network before a Conv, which is epoch 1 of a float YOLOv8n (s1f102300638/stm32n6570-2-, 2.2, -O3), YOLOv5n
       (aldo-smart/STM32N6-FaceRecognition, 2.2, -O0) and MobileNetV2 (junnun1/RTOS_embb, 4.0.1).
       So is one that a QuantizeLinear of the CPU reads: epochs 1 and 2 of both mobilefacenets that take floats (2.1, 2.2) and of two
       builds of profirst30/STM32N6570-FaceRecognition-FaceDetection (2.2); not one that is then transposed (birdnet-team/birdnet-stm32, 2.2).
       Rows are copied to columns before a Conv1d wherever they come from but from another one, and back behind it where others
       read them: 16 epochs for eight Convs of a TCN (3.0, 2025-fin-graduate-project/Falling-Detection-STM32). Where they lie in
       integers the copy is of those, before the DequantizeLinear and behind the QuantizeLinear, and none lies between two Convs
       (packetqc/AI, run-23, 4.0: a TCN whose weights had lost their scales).
       A map of floats that a Gemm takes as a row is copied in the order of the row (epoch 10 of toy_sound_classifier in float,
       sijiaohanshusin/NECCS_N647, 4.0.0).
    2. Up to 2.2 what a routine transposed before a Softmax (the YOLOv8n), as before one in integers.
    """
    dims = layer.input_dims
    if layer.kind == "Conv" and layer.input is not None and of_rows(layer.input_dims):
        if name in lowering.columns or writes_columns(lowering, read_by(lowering, layer, layer.input)):
            return lowering.columns.get(name, name)
        lowering.floats.add(name)
        return laid_last(lowering, INPUT, layer, name, owner="")
    if layer.kind == "Gemm" and name in lowering.floats and of_a_map(lowering, layer.input):
        return copied_once(lowering, f"{name}#row", layer, name, batch=1, op="Reshape", owner="")
    given = name not in lowering.written and name not in lowering.channels_last
    if layer.kind in ("Conv", "QuantizeLinear") and has_rank(dims, 4) and given:
        if (
            dims[1] == 1
            or positions(dims) == 1
            or (layer.kind == "QuantizeLinear" and turned(lowering, layer))
        ):
            return name
        lowering.floats.add(name)
        return laid_last(lowering, INPUT, layer, name, owner="")
    if layer.kind == "Softmax" and name in lowering.floats and turned_by_routine(lowering, layer):
        return lowering.copy(layer.name, name, f"{layer.name}#rows", size(layer.input))
    return name


def of_a_map(lowering: Lowering, row: Operand | None) -> bool:
    """A row that is a view of a map of several channels and positions."""
    while row is not None:
        writer = lowering.writer(row.tensor)
        if writer is None:
            return False
        if writer.kind not in VIEWS:
            return writer.kind != "Transpose" and of_map(row.dims)
        row = writer.input
    return False


def read_by(lowering: Lowering, layer: Layer, operand: Operand) -> Operand:
    """What a kernel reads: behind a Pad that a convolution takes over, what that Pad reads."""
    writer = lowering.writer(operand.tensor)
    if layer.kind != "Conv" or writer is None or writer.input is None:
        return operand
    return operand if absorbed(writer, lowering.layers, lowering.target) is None else writer.input


def writes_columns(lowering: Lowering, operand: Operand) -> bool:
    """Rows that a Conv1d wrote."""
    writer = lowering.writer(operand.tensor)
    return writer is not None and writer.kind == "Conv" and of_rows(operand.dims)


def integers_in_columns(lowering: Lowering, layer: Layer, operand: Operand) -> str:
    """Rows in integers that a float Conv1d reads dequantized, copied to columns before; '' where none are."""
    name = lowering.name(operand.tensor)
    if layer.kind != "Conv" or not of_rows(operand.dims) or operand.quant is None or name in lowering.floats:
        return ""
    if name in lowering.columns or writes_columns(lowering, operand):
        return lowering.columns.get(name, "")
    return laid_last(lowering, INPUT, layer, name, owner="")


def float_columns(lowering: Lowering, layer: Layer) -> str:
    """Name of what a float Conv1d writes where others read rows, '' where it writes what they read."""
    floats = layer.kind == "Conv" and all(o.quant is None for o in layer.outputs)
    return f"{layer.name}#columns" if floats and ends_in_rows(lowering, layer, None) else ""


def turned(lowering: Lowering, layer: Layer) -> bool:
    """What a layer makes is read by Transposes alone."""
    readers = lowering.readers(layer.output.tensor) if layer.output is not None else ()
    return bool(readers) and all(reader.kind == "Transpose" for reader in readers)


def turned_by_routine(lowering: Lowering, layer: Layer) -> bool:
    """What a Softmax reads was transposed by a routine: a copy lays its rows out.

    yolov8_face (2.2) and builds of 2.1; in 4.0 both YOLOs' boards run one epoch between Transpose and Softmax.
    """
    copied = lowering.target.copies_features or lowering.toolchain.copies_softmax_rows
    if layer.input is None or not copied:
        return False
    writer = lowering.writer(layer.input.tensor)
    return (
        writer is not None
        and writer.kind == "Transpose"
        and lowering.name(layer.input.tensor) in lowering.rearranged
    )
