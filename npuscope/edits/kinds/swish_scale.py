"""Store a Sigmoid in steps of 1/256: the compiler then makes one Swish of x * Sigmoid(x)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.recentre import regridded
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named
from npuscope.edits.toolkit.ranges import limits
from npuscope.edits.toolkit.shared_grids import dequantize_before, shared_grid
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.model.quant import of_node
from npuscope.neural_art.mapping.swish import SCALE, fills_its_range, gated_by
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float t = {0.003}, int8 low = {-128}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Sigmoid(f)
  q = QuantizeLinear(r, t, low)
  d = DequantizeLinear(q, t, low)
  [m] m = Mul(f, d)
  y = QuantizeLinear(m, s, z) }"""


@dataclass(frozen=True, slots=True)
class SwishScale(Declared):
    """Store the Sigmoid of x * Sigmoid(x) with scale 1/256 and zero point -128 (0 of uint8), as TFLite does.

    1. Values up to 255/256 move by at most 1/512; larger ones become 255/256.
    2. Refused where the Sigmoid has another reader, or an int8 input or output of the graph is on its grid.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "swish-scale",
        Exactness.APPROXIMATE,
        "The Sigmoid is rounded to other steps, of 1/256.",
        operators=("Sigmoid",),
        answers=("N905",),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'store Sigmoid_4 in steps of 1/256'."""
        return f"store {self.layer} in steps of 1/256"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Q and DQ of the Sigmoid with the new scale, or why they cannot have it."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.kind != "Sigmoid" or layer.qoperator:
            return Refusal(
                f"{self.layer} is {with_article(layer.op)}; a Sigmoid between a DQ and a Q is stored so"
            )
        product, result = gated_by(layer, layers), layer.output
        if product is None or result is None:
            return Refusal(f"{self.layer} is not read by a Mul alone that multiplies it by its own input")
        if fills_its_range(result):
            return Refusal(f"{self.layer} is stored in steps of 1/256 already")
        factor = next(operand for operand in product.inputs if operand.tensor == result.tensor)
        dequantize = dequantize_before(graph, factor.seen)
        quant = of_node(graph, dequantize) if dequantize is not None else None
        if dequantize is None or quant is None or quant.per_channel or quant.dtype not in ("int8", "uint8"):
            return Refusal(f"{self.layer} is not quantized to 8 bits with one constant scale")
        group = shared_grid(graph, dequantize)
        if group.obstacle or group.borders:
            why = group.obstacle or "an input or output of the graph is on the same grid"
            return Refusal(f"the scale of {self.layer} cannot be changed: {why}")
        draft, like = Draft(graph, layer.core), grid_of(graph, dequantize)
        grid = Grid(
            draft.constant(like.scale, np.asarray(SCALE, graph.constants[like.scale].array().dtype)),
            draft.constant(
                like.zero_point or f"{like.scale}_zero_point", np.asarray(limits(quant.dtype)[0], quant.dtype)
            ),
            like.stored,
            like.real,
            like.like,
        )
        return regridded(draft, layers, group, quant, grid, SCALE)
