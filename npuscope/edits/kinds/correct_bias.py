"""Correct the bias of a quantized layer by what its rounded weights shift its outputs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import substituted
from npuscope.model.graph import Graph
from npuscope.model.inference.moved import dequantize_of
from npuscope.model.layers import Layers
from npuscope.model.quant import INT32_MAX
from npuscope.record import dataclass

EXAMPLE = quantized(
    "Conv(f, w, b)",
    "1,4,4,4",
    "1,2,4,4",
    "2,4,1,1",
    "int32[2] bq = {3, -5}, float bs = {0.001}, int32 bz = {0}",
).replace("  [op]", "  b = DequantizeLinear(bq, bs, bz)\n  [op]")


@dataclass(frozen=True, slots=True)
class CorrectBias(Declared):
    """Shift the int32 bias of a Conv or Gemm by a number of steps for each channel.

    1. Rounded weights move the mean of a channel; `shifts` take that back. They are found by running the float model
       beside the quantized one (`quantize --repair`), in steps of the scale of the bias.
    2. Each output moves by its shift times that scale, before it is rounded.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "correct-bias",
        Exactness.APPROXIMATE,
        "Every channel moves by a constant.",
        operators=("Conv", "Gemm"),
        example=EXAMPLE,
        fields={"shifts": (4, -2)},
    )

    layer: str
    shifts: tuple[int, ...]

    def describe(self) -> str:
        """'correct the bias of Conv_3'."""
        return f"correct the bias of {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer with another bias, or why it cannot have one."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        bias = layer.bias
        dequantize = dequantize_of(graph, bias.seen) if bias is not None else None
        if bias is None or bias.constant is None or dequantize is None or bias.constant.dtype != "int32":
            return Refusal(f"{self.layer} has no constant int32 bias", "quantize the model in QDQ form")
        if graph.constant(dequantize.input(0)) is None:
            return Refusal(f"the bias of {self.layer} is computed by the model")
        values = bias.constant.array()
        if len(self.shifts) != values.size:
            return Refusal(f"{self.layer} has {values.size} biases, {len(self.shifts)} shifts are given")
        moved = values.astype(np.int64) + np.array(self.shifts, np.int64).reshape(values.shape)
        if np.abs(moved).max(initial=0) > INT32_MAX:
            return Refusal(f"the corrected bias of {self.layer} does not fit in 32 bits")
        draft = Draft(graph, layer.core)
        inputs = (draft.constant(dequantize.input(0), moved.astype(np.int32)), *dequantize.inputs[1:])
        seen = draft.name(bias.seen)
        fresh = draft.copy(dequantize, dequantize.name, inputs, ((seen, graph.type(bias.seen)),))
        core = substituted(layer.core, {bias.seen: seen})
        alone = len(graph.consumers.get(bias.seen, ())) == 1 and bias.seen not in graph.output_set
        removed = frozenset({dequantize.name}) if alone else frozenset()
        return Patch(removed, (), tuple(draft.constants), draft.types, {layer.core.name: (fresh, core)})
