"""Lowering of layers the Cortex-M55 runs: float islands with their Q and DQ, integer kernels, products of activations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from npuscope.model.convolution import convolution
from npuscope.model.layers import FLOATS, Layer, Operand
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.lowering.along_rows import ends_in_rows, laid_in_rows
from npuscope.neural_art.lowering.laid_out import (
    float_columns,
    integers_in_columns,
    laid_out,
    read_by,
    turned_by_routine,
)
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.operands import zero_point
from npuscope.neural_art.lowering.pools import stage_count, staged
from npuscope.neural_art.lowering.products import product
from npuscope.neural_art.lowering.steps import SUM, Read, Step, float_name
from npuscope.neural_art.lowering.units import fused_steps, printed
from npuscope.neural_art.mapping.floats import norm_taken_apart
from npuscope.neural_art.mapping.layout import lies_channels_last
from npuscope.neural_art.mapping.operators import CONVOLUTION
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES, SUM_BYTES, size
from npuscope.npu.verdict import Placement

FLOAT = Placement.SW_FLOAT

LAYER_NORM = ("ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Reciprocal", "Mul", "Mul", "Add")
"""What 4.0 makes of a LayerNormalization (`norm_taken_apart`); its log says of each that it is not quantized."""


def integer(lowering: Lowering, item: Placed) -> None:
    """One integer kernel; a convolution gets its features by a copy, a product of two activations is taken apart."""
    layer = item.layer
    if layer.kind == "Mul" and len(layer.inputs) == 2:
        product(lowering, item)
        return
    if layer.kind in CONVOLUTION and layer.weight is None and len(layer.inputs) > 1:
        matrices(lowering, item)
        return
    reads = [Read(lowering.name(o.tensor), False) for o in lowering.activations(layer)]
    if layer.weight is not None and reads and reads[0].tensor not in lowering.software:
        copied = lowering.copy(layer.name, reads[0].tensor, f"{layer.name}#copy", size(layer.input))
        reads[0] = Read(copied, False)
    if layer.kind == "Softmax" and turned_by_routine(lowering, layer):
        copied = lowering.copy(layer.name, reads[0].tensor, f"{layer.name}#rows", size(layer.input))
        reads[0] = Read(copied, False)
    writes = outputs(lowering, layer)
    lowering.add(
        Step(
            printed(layer.kind),
            layer.name,
            item.placement,
            tuple(reads),
            writes,
            lead=True,
            elements=size(layer.output),
        )
    )


def outputs(lowering: Lowering, layer: Layer) -> tuple[str, ...]:
    """What a layer writes."""
    lowering.stored(layer.outputs)
    return tuple(o.tensor for o in layer.outputs)


def matrices(lowering: Lowering, item: Placed) -> None:
    """A product of two activations: each is split by head and copied, one software Conv a head, then joined."""
    layer = item.layer
    result = layer.output_dims
    heads = math.prod(result[:-2]) if result is not None and len(result) > 2 else 1
    heads = min(heads, lowering.target.limits.kernel_groups)
    ready: list[str] = []
    for k, operand in enumerate(lowering.activations(layer)[:2]):
        name = lowering.name(operand.tensor)
        count = size(operand)
        if heads > 1:
            alone = len(lowering.readers(operand.tensor)) < 2
            routine = (name in lowering.software and alone) or lies_channels_last(
                operand.tensor, lowering.layers, lowering.target
            )
            part = f"{layer.name}#split{k}"
            step = Step(
                "Split", layer.name, Placement.HYBRID if routine else Placement.HW, (Read(name, False),), (part,),
                copy=not routine, elements=count,
            )  # fmt: skip
            name = lowering.add(step)
        ready.append(lowering.copy(layer.name, name, f"{layer.name}#operand{k}", count))
    made = []
    for head in range(heads):
        part = f"{layer.name}#head{head}"
        step = Step(
            "Conv", layer.name, item.placement, tuple(Read(name, False) for name in ready), (part,), lead=True,
            elements=size(layer.output) // heads,
        )  # fmt: skip
        made.append(lowering.add(step))
    shaped = f"{layer.name}#shaped"
    written = outputs(lowering, layer)
    if heads > 1:
        lowering.add(
            Step("Reshape", layer.name, Placement.HW, tuple(Read(name, False, 1) for name in made[:4]), (shaped,),
                 copy=True, elements=size(layer.output))
        )  # fmt: skip
        step = Step(
            "Concat", layer.name, Placement.HW, (Read(shaped, False), *(Read(n, False, 0) for n in made[4:])), written,
            elements=size(layer.output),
        )  # fmt: skip
        step.copy = lowering.toolchain.copies_concat
        step.free = not step.copy
        lowering.add(step)
    else:
        lowering.copy(
            layer.name, made[0], written[0] if written else shaped, size(layer.output), op="Reshape"
        )


def floating(lowering: Lowering, item: Placed) -> None:
    """A float layer: a DequantizeLinear for what lies in integers, the operator, a QuantizeLinear for its results.

    Where the layer is quantized all around, the compiler itself falls back on float: it inserts a Q for each step that reads
    the result, and a DQ of this layer's own. Where the model leaves the layer float, Q and DQ are the model's: one Q, and one
    DQ for all float layers that read the tensor.
    """
    layer = item.layer
    fallback = (
        layer.quantized
        and not item.because(Why.FLOAT_BETWEEN_BORDERS)
        and not any(bare_constant(o) for o in layer.inputs)
    )
    operands = [read_by(lowering, layer, o) for o in lowering.activations(layer)]
    reads = tuple(
        Read(laid_out(lowering, layer, as_float(lowering, layer, o, fallback)), False) for o in operands
    )
    columns = float_columns(lowering, layer)
    results = (columns,) if columns else tuple(float_name(o.tensor) for o in layer.outputs)
    ops, own = float_operators(lowering, layer)
    for k, op in enumerate(ops):
        writes = results if k == len(ops) - 1 else (f"{layer.name}#{k}",)
        step = Step(op, layer.name, FLOAT, reads, writes, lead=k < own, elements=size(layer.output), width=FLOAT_BYTES)  # fmt: skip
        lowering.add(step)
        reads = tuple(Read(name, False) for name in writes)
    if columns:
        lowering.floats.add(columns)
        laid_in_rows(lowering, layer, columns, float_name(layer.outputs[0].tensor))
    for operand in layer.outputs:
        float_result(lowering, layer, operand, fallback)


def float_operators(lowering: Lowering, layer: Layer) -> tuple[tuple[str, ...], int]:
    """What a float layer consists of, and how many of these do its own work; activations that it takes along come behind.

    1. A BatchNormalization is a Mul and an Add up to 2.1, and one step from 2.2 on.
    2. From 2.2 on a Gemm with a bias is a Conv and an Add (three of three of raki-rankawat/thesis-v1, 2.2, and one of junnun1/RTOS_embb, 4.0.1).
    3. A large MaxPool has its stages: 3 of 3 of a float YOLOv5n (aldo-smart/STM32N6-FaceRecognition, 2.2).
    """
    toolchain, own = lowering.toolchain, 1
    ops: tuple[str, ...] = (printed(layer.kind),)
    if layer.kind == "BatchNormalization" and toolchain.batch_norm_apart:
        ops, own = ("Mul", "Add"), 2
    elif norm_taken_apart(layer, lowering.target):
        ops = LAYER_NORM
    elif staged(layer):
        ops = ("Pad", *["MaxPool"] * stage_count(layer))
    elif layer.kind == "Gemm" and not layer.quantized and layer.bias is not None:
        ops += ("Add",) if toolchain.float_bias_apart else ()
    return (*ops, *fused_steps(layer)), own


def float_result(lowering: Lowering, layer: Layer, operand: Operand, fallback: bool) -> None:
    """What a float layer made as its readers take it: quantized once, or for each of them."""
    floats = float_name(operand.tensor)
    lowering.floats.add(floats)
    if operand.quant is None:
        lowering.view(operand.seen, floats)
        return
    times = max(1, lowered_reads(lowering, operand.tensor)) if fallback or of_bare_constant(layer) else 1
    for k in range(min(times, MOST_QUANTIZED)):
        written = operand.tensor if k == 0 else f"{operand.tensor}#{k}"
        in_columns = k == 0 and ends_in_rows(lowering, layer, None)
        made = f"{layer.name}#columns" if in_columns else written
        step = Step(
            "QuantizeLinear", layer.name, FLOAT, (Read(floats, False),), (made,), elements=size(operand)
        )
        lowering.add(step)
        if in_columns:
            laid_in_rows(lowering, layer, made, written)
    if layer.float_reads:
        lowering.view(operand.seen, floats)
    elif operand.seen != operand.tensor:
        lowering.view(operand.seen, operand.tensor)


MOST_QUANTIZED = 8
"""QuantizeLinear of one tensor that are written out, at most."""


def change_of_type(lowering: Lowering, item: Placed) -> None:
    """A QuantizeLinear or DequantizeLinear at the graph's ends: one step."""
    layer = item.layer
    source, result = layer.input, layer.output
    if source is None or result is None:
        return
    to_float = result.quant is None
    read = laid_out(lowering, layer, lowering.name(source.tensor))
    step = Step(
        layer.kind, layer.name, FLOAT, (Read(read, False),), (result.tensor,), lead=True,
        elements=size(source), width=FLOAT_BYTES if to_float else 1,
    )  # fmt: skip
    lowering.add(step)
    if to_float:
        lowering.floats.add(result.tensor)


def cast(lowering: Lowering, item: Placed) -> None:
    """A Cast between integers and floats: a routine; what is stored with a scale is dequantized before, or quantized behind.

    rps_int8 of NetanelUnger/N6_tof (4.0.1): a uint8 input is a hybrid Cast, then a QuantizeLinear in software.
    """
    layer = item.layer
    source, result = layer.input, layer.output
    if source is None or result is None:
        return
    name = (
        lowering.name(source.tensor) if source.quant is None else as_float(lowering, layer, source, own=False)
    )
    written = result.tensor if result.quant is None else float_name(result.tensor)
    wide = FLOAT_BYTES if result.quant is not None or result.type.dtype in FLOATS else 1
    step = Step(
        layer.kind, layer.name, item.placement, (Read(name, False),), (written,), lead=True, elements=size(source),
        width=wide,
    )  # fmt: skip
    lowering.add(step)
    if result.quant is None:
        if wide == FLOAT_BYTES:
            lowering.floats.add(written)
        return
    lowering.floats.add(written)
    lowering.add(
        Step(
            "QuantizeLinear",
            layer.name,
            FLOAT,
            (Read(written, False),),
            (result.tensor,),
            elements=size(result),
        )
    )
    if result.seen != result.tensor:
        lowering.view(result.seen, written if layer.float_reads else result.tensor)


def bare_constant(operand: Operand) -> bool:
    """A float constant without a Q/DQ."""
    return operand.constant is not None and operand.bare


def of_bare_constant(layer: Layer) -> bool:
    """`constant - x` or `x - constant` with a float constant: the front end quantizes the constant, the compiler falls back.

    The angle of a YOLO11n OBB (Wafleem/STM32N6-EdgeAI-CV, 4.0): `x - 0.25` has a Q for each of the two steps of the Mul behind it.
    """
    return layer.kind == "Sub" and any(bare_constant(o) for o in layer.inputs)


def as_float(lowering: Lowering, layer: Layer, operand: Operand, own: bool) -> str:
    """An operand as floats, dequantized first where it lies in integers."""
    columns = integers_in_columns(lowering, layer, operand)
    name = columns or lowering.name(operand.tensor)
    if name in lowering.floats:
        return name
    if name not in lowering.written and operand.quant is None and not in_integers(lowering, name):
        return name  # a float input of the network
    if not own and name in lowering.dequantized:
        return lowering.dequantized[name]
    result = f"{float_name(name)}{len(lowering.steps)}"
    step = Step(
        "DequantizeLinear", layer.name, FLOAT, (Read(name, False),), (result,), elements=size(operand),
        width=FLOAT_BYTES,
    )  # fmt: skip
    lowering.add(step)
    lowering.floats.add(result)
    if columns:
        lowering.columns[result] = result
    if not own:
        lowering.dequantized[name] = result
    return result


def in_integers(lowering: Lowering, name: str) -> bool:
    """An input of the network whose readers dequantize it; one that reads a view before its Q does not say so itself."""
    if name not in lowering.read_in_integers:  # asked by each of its readers
        readers = lowering.readers(name)
        lowering.read_in_integers[name] = any(
            o.quant is not None for reader in readers for o in reader.inputs if o.tensor == name
        )
    return lowering.read_in_integers[name]


def lowered_reads(lowering: Lowering, tensor: str) -> int:
    """How many steps read a tensor: a Mul reads an operand again where the other one has a zero point."""
    total = 0
    for reader in lowering.readers(tensor):
        times = sum(o.tensor == tensor for o in reader.inputs)
        if reader.kind == "Mul" and len(reader.inputs) == 2:
            first, second = reader.inputs
            for own, other in ((first, second), (second, first)):
                times += own.tensor == tensor and zero_point(other) != 0
        total += max(times, 1)
    return total


def narrow_parts(lowering: Lowering, item: Placed) -> None:
    """A depthwise kernel with sub-masks one column wide: those run in float, the others on the NPU."""
    layer, shape = item.layer, convolution(item.layer)
    if layer.input is None or shape is None:
        return
    source = lowering.name(layer.input.tensor)
    rows = -(-shape.kernel[0] // lowering.target.limits.kernel_height)
    count = size(layer.output)
    wide, beside = f"{layer.name}#wide", min(rows, 4)
    lowering.add(
        Step("Conv", layer.name, Placement.HW, (lowering.read(source, False, beside),), (wide,), conv=beside, arith=1,
             extra_streams=beside, elements=max(size(layer.input), count), stored_bytes=SUM_BYTES * count),
        1,
    )  # fmt: skip
    if zero_point(layer.input):  # a float kernel knows none
        step = Step("Sub", layer.name, Placement.HW, (lowering.read(source),), (f"{layer.name}#off",), arith=1,
                    elements=size(layer.input))  # fmt: skip
        source = lowering.add(step)
    names = [f"{layer.name}#narrow{row}" for row in range(rows)]
    narrow = [float_sums(lowering, layer, source, (f"{name}f", f"{name}c", name)) for name in names]
    # A tree: the sums of two parts each go through memory, those of these sums do not (mobilefacenet_qop, 2.1).
    parts = [*[wide] * (rows - 2), *narrow]
    pairs = [
        added(lowering, layer, [Read(name, False) for name in parts[k : k + 2]], f"{layer.name}#pair{k}")
        for k in range(0, len(parts), 2)
    ]
    total = wide
    for k, pair in enumerate(pairs):
        reads = [lowering.read(total), Read(pair, False)]
        total = added(lowering, layer, reads, f"{layer.name}{SUM}{k}")
    if lowering.toolchain.separate_scale:
        total = added(lowering, layer, [lowering.read(total)], f"{layer.name}#scaled", "Mul")
    added(lowering, layer, [lowering.read(total)], lowering.result(layer))


def float_sums(lowering: Lowering, layer: Layer, source: str, names: tuple[str, str, str]) -> str:
    """Integers multiplied by a float kernel, and the sums as integers again; `names` are what is written on the way."""
    cast = Placement.HYBRID if lowering.toolchain.casts_by_routine else FLOAT
    kernels = (
        ("DequantizeLinear", FLOAT, layer.input, FLOAT_BYTES),
        ("Conv", FLOAT, layer.output, FLOAT_BYTES),
        ("Cast", cast, layer.output, SUM_BYTES),
    )
    for written, (op, placement, operand, width) in zip(names, kernels, strict=True):
        count = size(operand)
        step = Step(
            op, layer.name, placement, (Read(source, False),), (written,), lead=op == "Conv", elements=count,
            stored_bytes=count * width,
        )  # fmt: skip
        source = lowering.add(step)
    return source


def added(lowering: Lowering, layer: Layer, reads: Sequence[Read], written: str, op: str = "Add") -> str:
    """One ARITH step between a convolution's sums, which come plane by plane."""
    step = Step(
        op, layer.name, Placement.HW, tuple(reads), (written,), arith=1, elements=size(layer.output), width=SUM_BYTES
    )  # fmt: skip
    return lowering.add(step, 1)
