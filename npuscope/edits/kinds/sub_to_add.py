"""Write a difference as the sum with the negated second operand."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.rewiring import behind_dequantize, new_grid
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers, Operand, is_qdq
from npuscope.model.names import with_article
from npuscope.record import dataclass

MIRRORED = {"int8": -1, "uint8": 255}
"""What an integer and its mirror image sum to: q -> -1 - q, or 255 - q, reaches every integer of the type once."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x, int8[1,4] x2) => (int8[1,4] y) <float s = {0.1}, int8 z = {5}>
{ f = DequantizeLinear(x, s, z)
  e = DequantizeLinear(x2, s, z)
  [op] r = Sub(f, e)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class SubToAdd(Declared):
    """Write a - b as a + (-b): the operands of an Add may be swapped if the first is a constant or the smaller one.

    1. The negated operand gets its own grid, the mirror image of b's: -b takes every value without rounding.
    2. A constant stays as it is; a float one can then be quantized by 'quantize'.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "sub-to-add",
        Exactness.BIT_EXACT,
        "a - b and a + (-b) are the same number.",
        operators=("Sub",),
        answers=("N307",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the difference Sub_3 as a sum'."""
        return f"write the difference {self.layer} as a sum"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Mul by -1 and the Add, or why they cannot be made."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        core = layer.core
        if layer.kind != "Sub" or not core.standard or len(core.inputs) != 2 or len(layer.inputs) != 2:
            return Refusal(f"{self.layer} is {with_article(layer.op)}, not a Sub")
        first, second = layer.inputs
        if second.constant is not None:
            return Refusal(f"{self.layer} subtracts a constant, which the NPU runs as a sum already")
        kind = graph.type(second.seen).dtype
        if kind not in ("float32", "float16", "float64"):
            return Refusal(f"{self.layer} computes in {kind}; -b may overflow there")
        if second.quant is not None and (second.quant.per_channel or second.quant.dtype not in MIRRORED):
            return Refusal(
                f"the second operand of {self.layer} is {second.quant.dtype} or quantized per channel"
            )
        draft, name = Draft(graph, core), self.layer
        negated = draft.name(f"{name}_negated")
        sign = self._sign(draft, second, kind)
        draft.node("Mul", f"{name}_mul", (second.seen, sign), ((negated, graph.type(second.seen)),))
        source = self._mirrored(graph, draft, second, negated)
        types = ((core.output(0), graph.type(core.output(0))),)
        draft.node("Add", f"{name}_add", (source, first.seen), types)
        removed = removed_with(graph, (core,), draft.nodes)
        return draft.patch(removed)

    def _sign(self, draft: Draft, second: Operand, kind: str) -> str:
        """-1 as a constant, in the integers of the operand; no Neg, which the NPU is reported to compute wrongly (N710)."""
        wanted = f"{self.layer}_sign"
        if second.quant is None:
            return draft.constant(wanted, np.asarray(-1, kind))
        zero = np.asarray(0 if second.quant.dtype.startswith("int") else 128, second.quant.dtype)
        return behind_dequantize(draft, wanted, (zero - 1).astype(zero.dtype), np.ones(()), zero, None, kind)

    def _mirrored(self, graph: Graph, draft: Draft, second: Operand, negated: str) -> str:
        """The negated operand on the mirror image of the operand's grid; as it is where that has none."""
        quant, maker = second.quant, graph.producer(second.seen)
        if quant is None:
            return negated
        real = (
            grid_of(graph, maker).real
            if maker is not None and is_qdq(maker)
            else graph.type(second.seen).dtype
        )
        zero = MIRRORED[quant.dtype] - quant.zero
        grid = new_grid(draft, negated, float(quant.scale[0]), zero, quant.dtype, real)
        return draft.quantized(negated, graph.type(second.seen), grid)
