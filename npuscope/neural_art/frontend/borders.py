"""The graph's ends: whether a float input or output stays float, by the model's style and the build's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.build import FLOAT32, INT8, UINT8, Build
from npuscope.model.layer import QUANTIZE

if TYPE_CHECKING:
    from npuscope.model.graph import Graph
    from npuscope.model.layer import Layer


def input_stays_float(name: str, graph: Graph, build: Build) -> bool:
    """A float input of the model keeps its type, so that its QuantizeLinear is run.

    1. In an intermediate model its quantization has said it.
    2. `--input-data-type` says it. Without it the inputs of an ONNX model become int8, those of a TFLite file stay.
    """
    if graph.imported:
        return name not in graph.stored_ends
    dtype = build.input_data_type(graph.input_places.get(name, 0))
    return dtype == FLOAT32 if dtype else graph.tflite


def output_stays_float(name: str, graph: Graph, build: Build) -> bool:
    """As `input_stays_float`, of an output and its DequantizeLinear."""
    if graph.imported:
        return name not in graph.stored_ends
    dtype = build.output_data_type(graph.output_places.get(name, 0))
    return dtype == FLOAT32 if dtype else graph.tflite


def becomes_unsigned(layer: Layer, graph: Graph, build: Build) -> bool:
    """A Q or DQ at an end of the graph that an option makes uint8, while the values inside are int8: the NPU requantizes them.

    1. Epoch 2 of face_landmark_192 (2.1), behind the copy of its input to channels last, is an Add that is called Quantize_5, as that of a
       TFLite file with a uint8 input is. So are those of an EfficientNetV2-B1 (2.1) and of a DeepLab v3 (2.2), both QDQ and with the
       option (docs/accuracy-placement.md). An intermediate model has it already.
    2. The DeepLab has one more epoch behind its last Resize, with uint8 out.
    """
    if graph.imported:
        return False
    if layer.kind == QUANTIZE:
        name = layer.input.seen if layer.input is not None else ""
        asked, stored = build.input_data_type(graph.input_places.get(name, 0)), layer.output
    else:
        name = layer.output.tensor if layer.output is not None else ""
        asked, stored = build.output_data_type(graph.output_places.get(name, 0)), layer.input
    return asked == UINT8 and stored is not None and stored.quant is not None and stored.quant.dtype == INT8
