"""Write a division by a number as a multiplication."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.same_operator import one_value
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, quantized_constant
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = quantized("Div(f, c)", "1,4,4,4", "1,4,4,4", constants="float c = {3}")


@dataclass(frozen=True, slots=True)
class DivToMul(Declared):
    """Write Div(x, c) by one number c as Mul(x, 1 / c). The number is int8: 127 steps of a scale that makes it exact."""

    declaration: ClassVar[Declaration] = Declaration(
        "div-to-mul",
        Exactness.ROUNDING,
        "1 / c is rounded to float32.",
        operators=("Div",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the division Div_3 as a multiplication'."""
        return f"write the division {self.layer} as a multiplication"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Mul, or why it cannot be made."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.kind != "Div" or not layer.core.standard or len(layer.inputs) != 2:
            return Refusal(f"{self.layer} is {with_article(layer.op)}, not a Div")
        source, divisor = layer.inputs
        if divisor.constant is None or source.constant is not None:
            return Refusal(
                f"{self.layer} divides by an activation; only a division by a constant is a multiplication"
            )
        value = one_value(divisor)
        if value is None:
            return Refusal(
                f"{self.layer} divides by {divisor.constant.size} different values; only one is taken"
            )
        if value == 0 or not math.isfinite(1 / value) or graph.type(source.seen).dtype != "float32":
            return Refusal(f"{self.layer} divides {graph.type(source.seen).dtype} by {value:g}")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        core, draft = layer.core, Draft(graph, layer.core)
        factor = np.asarray(1 / value, np.float32).reshape((1,) * len(divisor.constant.shape))
        if source.quant is None:
            multiplier = draft.constant(f"{self.layer}_factor", factor)
        else:
            multiplier = quantized_constant(draft, f"{self.layer}_factor", factor, "int8", "float32")
        types = ((core.output(0), graph.type(core.output(0))),)
        draft.node("Mul", f"{self.layer}_Mul", (source.seen, multiplier), types)
        removed = removed_with(graph, (core,), draft.nodes)
        return draft.patch(removed)
