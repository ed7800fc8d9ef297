"""One set of values for two forms of a border: float in one model, the integers it is quantized to in the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from npuscope.edits.toolkit.ranges import limits
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph
from npuscope.model.layer import moves_integers
from npuscope.model.layers import quantization_inputs
from npuscope.model.quant import Quant, read
from npuscope.model.tensors import Array
from npuscope.numbers.inputs import input_quant

BYTES = frozenset({"int8", "uint8"})
"""Integer types a float border is made to."""


def quantized_input(graph: Graph, name: str) -> Quant | None:
    """The quantization of an 8-bit graph input: of the DQ that reads it, or of a QLinear operator.

    Operators that only move integers may stand between.
    """
    if graph.type(name).dtype not in BYTES:
        return None
    pending, seen = [name], {name}
    while pending:
        tensor = pending.pop(0)
        quant = input_quant(graph, tensor)
        if quant is not None:
            return quant if not quant.per_channel else None
        for node in (graph.nodes[i] for i in graph.consumers.get(tensor, ())):
            scales = quantization_inputs(node)
            place = node.inputs.index(tensor) + 1 if tensor in node.inputs else 0
            if place in scales and place + 1 in scales:
                return read(graph, node.input(place), node.input(place + 1), graph.type(name).dtype)
            if moves_integers(node) and node.input(0) == tensor:
                pending += [output for output in node.outputs if output and output not in seen]
                seen.update(pending)
    return None


def adapt_inputs(
    graph: Graph, sample: Mapping[str, Array], full_graph: Graph | None = None
) -> dict[str, Array]:
    """A sample as a graph takes it: what it takes as bytes is quantized. Raises ModelError where it cannot be.

    `full_graph` is the graph that this one is a part of: what tells a scale may lie outside of the part.
    """
    adapted = {}
    for name, value in sample.items():
        adapted[name] = value
        if value.dtype.kind == "f" and graph.type(name).dtype in BYTES:
            quant = quantized_input(full_graph or graph, name)
            if quant is None:
                raise ModelError(
                    f"input {name!r} takes {graph.type(name).dtype}, on a scale that is not known"
                )
            adapted[name] = quantized(value, quant)
    return adapted


def quantized(values: Array, quant: Quant) -> Array:
    """What a QuantizeLinear makes of float32 values."""
    low, high = limits(quant.dtype)
    with np.errstate(over="ignore"):
        steps = np.rint(values.astype(np.float32) / quant.scale[0]) + np.float32(quant.zero)
    return np.asarray(np.clip(steps, low, high), quant.dtype)


def dequantized(values: Array, quant: Quant) -> Array:
    """What a DequantizeLinear makes of integers."""
    return np.asarray((values.astype(np.float32) - np.float32(quant.zero)) * quant.scale[0], np.float32)
