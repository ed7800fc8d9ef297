"""Quantize an activation over a narrower range: outliers are clipped, and all other values keep more of themselves."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.recentre import present, regridded
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of
from npuscope.edits.toolkit.ranges import quantization
from npuscope.edits.toolkit.shared_grids import shared_grid
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,4,4] x) => (float[1,4,4,4] y) <float s = {0.1}, int8 z = {5}>
{ a = QuantizeLinear(x, s, z)
  f = DequantizeLinear(a, s, z)
  [op] r = Sigmoid(f)
  q = QuantizeLinear(r, s, z)
  y = DequantizeLinear(q, s, z) }"""


@dataclass(frozen=True, slots=True)
class ClipRange(Declared):
    """Requantize the activation that a layer reads over `low` to `high`; values outside are clipped.

    1. Zero is kept in the range, as everywhere. Values within it move by at most half a new step.
    2. Every Q and DQ of the tensors tied to it changes as well (through Concat, Split, Reshape, MaxPool...), and int32
       biases keep the scale input x weight. Refused where an int8 input or output of the graph is tied to it.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "clip-range",
        Exactness.APPROXIMATE,
        "Values outside the range are clipped, the others rounded to another grid.",
        example=EXAMPLE,
        fields={"low": -2.0, "high": 4.0},
    )

    layer: str
    low: float
    high: float

    def describe(self) -> str:
        """'clip the input of Conv_3 to -2 to 4'."""
        return f"clip the input of {self.layer} to {self.low:.4g} to {self.high:.4g}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The narrower quantization, or why it cannot be had."""
        at_hand = present(graph, layers, self.layer)
        if isinstance(at_hand, Refusal):
            return at_hand
        layer, dequantize, quant = at_hand
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            return Refusal(f"{self.low:g} to {self.high:g} is not a range for the input of {self.layer}")
        scale, zero_point = quantization(low, high, quant.dtype)
        if scale >= float(quant.scale[0]):
            ends = quant.range
            return Refusal(
                f"{low:g} to {high:g} is not narrower than the present range of the input of {self.layer}",
                f"it holds {ends[0]:.4g} to {ends[1]:.4g}",
            )
        group = shared_grid(graph, dequantize)
        if group.obstacle or group.borders:
            why = group.obstacle or "an input or output of the graph is on the same grid"
            return Refusal(f"the range of the input of {self.layer} cannot be changed: {why}")
        draft = Draft(graph, layer.core)
        like = grid_of(graph, dequantize)
        grid = Grid(
            draft.constant(like.scale, np.asarray(scale, graph.constants[like.scale].array().dtype)),
            draft.constant(
                like.zero_point or f"{like.scale}_zero_point", np.asarray(zero_point, quant.dtype)
            ),
            like.stored,
            like.real,
            like.like,
        )
        return regridded(draft, layers, group, quant, grid, scale)
