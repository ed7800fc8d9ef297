"""Weights of other integers stored as int8, where they are no larger."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named
from npuscope.edits.toolkit.rewiring import on_axis, rewired
from npuscope.edits.toolkit.sizes import bounded
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, Layer, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.model.quant import of_node
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 10, opset_import: ["" : 21]>
g (int8[1,4] x) => (int8[1,3] y)
<float s = {0.1}, int8 z = {5}, float ws = {0.01}, int16 wz = {100}, int16[4,3] wq = {-27, 90, 227, 101, 100, 99, 0, 3, 200, 150, 149, 50}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, wz)
  [op] r = MatMul(f, w)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class NarrowWeights(Declared):
    """Store weights of other widths, or 8-bit ones with a zero point, as int8 with zero point 0 where they fit.

    1. Each integer is kept, less its zero point; scales stay.
    2. Whatever reads the weights reads the new ones.
    3. 4-bit weights, which some versions do not take, grow to twice their bytes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "narrow-weights",
        Exactness.BIT_EXACT,
        "The same integers, each less its zero point.",
        operators=("Conv", "ConvTranspose", "Gemm", "MatMul"),
        answers=("N103", "N104", "N105"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'store the weights of Conv_3 as int8'."""
        return f"store the weights of {self.layer} as int8"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The DequantizeLinear on int8 weights, or why they do not fit."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        reader = _reader(graph, layer)
        return reader if isinstance(reader, Refusal) else _patch(graph, layer, reader)


def _reader(graph: Graph, layer: Layer) -> Node | Refusal:
    """The DequantizeLinear that alone reads a layer's stored weights."""
    weight = layer.weight
    if weight is None or weight.constant is None:
        return Refusal(f"{layer.name} is {with_article(layer.op)} without constant weights")
    readers = [graph.nodes[i] for i in graph.consumers.get(weight.tensor, ())]
    if len(readers) != 1 or readers[0].op != DEQUANTIZE or not is_qdq(readers[0]):
        return Refusal(f"the weights of {layer.name} are not read by one DequantizeLinear alone")
    return readers[0]


def _patch(graph: Graph, layer: Layer, dequantize: Node) -> Patch | Refusal:
    stored, quant = dequantize.input(0), of_node(graph, dequantize)
    constant = graph.constant(stored)
    if constant is None or quant is None or quant.block_size or constant.dtype.startswith("float"):
        return Refusal(f"the weights of {layer.name} are no integers with constant scales")
    if constant.dtype == "int8" and quant.symmetric:
        return Refusal(f"the weights of {layer.name} are int8 with zero point 0 already")
    bounded(*constant.shape)
    values = constant.array().astype(np.int64)
    zeros = np.asarray(quant.zero_point, np.int64)
    values = values - on_axis(zeros, quant.axis, values.ndim)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    limits = np.iinfo(np.int8)
    if low < limits.min or high > limits.max:
        return Refusal(
            f"the weights of {layer.name} reach from {low} to {high} steps, int8 from -128 to 127",
            "quantize the float model with int8 weights",
        )
    draft = Draft(graph, layer.core)
    scale = graph.type(dequantize.input(1)).dims
    narrow = draft.constant(f"{stored}_int8", values.astype(np.int8))
    zero = draft.constant(f"{stored}_int8_zero_point", np.zeros(scale or (), np.int8))
    replaced = rewired(dequantize, (narrow, dequantize.input(1), zero))
    result = dequantize.output(0)
    draft.types[result] = TensorType(graph.type(result).dtype, graph.type(result).shape)
    return Patch(frozenset(), (), tuple(draft.constants), draft.types, {dequantize.name: replaced})
