"""Add an activation behind a Gemm or Conv instead of as its bias."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.split_input import GEMM_WITHOUT_C
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.elementwise import number_of
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.ranges import INTEGERS, quantization
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, new_grid
from npuscope.model.graph import Graph
from npuscope.model.layers import DEQUANTIZE, Layer, Layers, Operand, is_qdq
from npuscope.model.names import with_article
from npuscope.model.quant import of_node
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

BIAS = 2
"""Where these operators have their bias."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x, int8[1,3] b) => (int8[1,3] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, WEIGHTS>
{ f = DequantizeLinear(x, s, z)
  e = DequantizeLinear(b, s, z)
  w = DequantizeLinear(wq, ws, wz)
  [op] r = Gemm(f, w, e)
  y = QuantizeLinear(r, s, z) }""".replace("WEIGHTS", numbers("int8", "4,3", "wq"))


@dataclass(frozen=True, slots=True)
class BiasToAdd(Declared):
    """Take a bias that the model computes out of a Gemm, Conv or ConvTranspose, and add it after the layer.

    The product gets a grid of its own, over the range of the output less that of the bias: what lies outside is at the
    end of the output's range with the bias added. So the product is rounded, by half a step of both ranges together
    over 255, and nothing else changes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "bias-to-add",
        Exactness.APPROXIMATE,
        "The product is rounded before the bias is added.",
        operators=("Conv", "ConvTranspose", "Gemm"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'add the bias of Gemm_4 behind it'."""
        return f"add the bias of {self.layer} behind it"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer and its Add, or why they cannot be taken apart."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        core = layer.core
        if core.op not in ("Gemm", "Conv", "ConvTranspose") or not core.standard:
            return Refusal(
                f"{self.layer} is {with_article(layer.op)}; only Gemm, Conv and ConvTranspose have a bias"
            )
        bias = next(
            (o for o in (*layer.inputs, layer.bias) if o is not None and o.seen == core.input(BIAS)), None
        )
        if not core.input(BIAS) or bias is None or bias.constant is not None:
            return Refusal(f"{self.layer} has no bias that the model computes")
        if core.op == "Gemm" and (graph.opset < GEMM_WITHOUT_C or number_of(core, "beta", 1.0) != 1):
            return Refusal(f"{self.layer} has a beta, or its opset {graph.opset} needs a bias")
        if graph.opset < QDQ_SINCE or graph.type(core.output(0)).dims is None:
            return Refusal(
                f"the sizes of {self.layer} are not known, or opset {graph.opset} has no QuantizeLinear"
            )
        return _patch(graph, layer, bias)


def _patch(graph: Graph, layer: Layer, bias: Operand) -> Patch:
    core, name, draft = layer.core, layer.name, Draft(graph, layer.core)
    type_ = graph.type(core.output(0))
    product = draft.name(f"{name}_product")
    draft.copy(core, f"{name}_{core.op}", core.inputs[:BIAS], ((product, type_),))
    source = product
    grid = _product_grid(draft, layer, bias, name)
    if grid is not None:
        source = draft.quantized(product, type_, grid)
    added = bias.seen
    if core.op != "Gemm":
        dims = type_.dims or ()
        shape = (1, dims[1], *(1,) * (len(dims) - 2))
        target = draft.constant(f"{name}_bias_shape", np.array(shape, np.int64))
        wide = TensorType(type_.dtype, shape)
        added = draft.name(f"{name}_bias_map")
        draft.node("Reshape", f"{name}_bias_reshape", (bias.seen, target), ((added, wide),))
        own = _own_grid(graph, bias)
        if own is not None:
            added = draft.quantized(added, wide, own)
    draft.node("Add", f"{name}_add", (source, added), ((core.output(0), type_),))
    removed = removed_with(graph, (core,), draft.nodes)
    return draft.patch(removed)


def _product_grid(draft: Draft, layer: Layer, bias: Operand, name: str) -> Grid | None:
    """A grid that holds what the output can tell apart; None where a range is not known."""
    result, added = layer.outputs[0].quant, bias.quant
    if (
        result is None
        or added is None
        or result.per_channel
        or added.per_channel
        or result.dtype not in INTEGERS
    ):
        return None
    (low, high), (least, most) = result.range, added.range
    return new_grid(
        draft, f"{name}_product", *quantization(low - most, high - least, result.dtype), result.dtype
    )


def _own_grid(graph: Graph, bias: Operand) -> Grid | None:
    node = graph.producer(bias.seen)
    if node is None or not is_qdq(node) or node.op != DEQUANTIZE:
        return None
    quant = of_node(graph, node)
    return grid_of(graph, node) if quant is not None and not quant.per_channel else None
