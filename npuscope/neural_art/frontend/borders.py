"""The graph's ends: whether a float input or output stays float, by the model's style and the build's options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.machine.build import FLOAT32, Build

if TYPE_CHECKING:
    from npuscope.model.graph import Graph


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
