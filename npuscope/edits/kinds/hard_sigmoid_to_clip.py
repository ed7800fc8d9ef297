"""Write a HardSigmoid as a sum, a Clip and a product, which the NPU has whatever the zero point."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.same_operator import CLIP_INPUTS_SINCE
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.elementwise import number_of
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, new_grid, quantized_constant
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = quantized("HardSigmoid <alpha = 0.2, beta = 0.5> (f)", "1,4,4,4", "1,4,4,4")


@dataclass(frozen=True, slots=True)
class HardSigmoidToClip(Declared):
    """Write HardSigmoid(x) with slope a and offset b as a * Clip(x + b / a, 0, 1 / a).

    1. The sum is clipped and rounded on 1 / a times the layer's own output scale, with the same zero point: the integers
       are those of the layer's output, and the product by a keeps them.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "hard-sigmoid-to-clip",
        Exactness.ROUNDING,
        "The sum is divided by another scale.",
        operators=("HardSigmoid",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write HardSigmoid_700 as Add, Clip and Mul'."""
        return f"write {self.layer} as Add, Clip and Mul"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The operators, or why they cannot take its place."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.core.op != "HardSigmoid" or not layer.core.standard or len(layer.inputs) != 1:
            return Refusal(f"{self.layer} is {with_article(layer.op)}, not a HardSigmoid")
        slope = number_of(layer.core, "alpha", 0.2)
        if not (math.isfinite(slope) and slope > 0 and math.isfinite(1 / slope)):
            return Refusal(f"{self.layer} has a slope of {slope:g}; only one above 0 is taken")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        source, result = layer.inputs[0], layer.outputs[0]
        if source.quant is None or result.quant is None or result.quant.per_channel:
            return Refusal(f"{self.layer} computes in float", "quantize it first")
        if graph.type(source.seen).dtype != "float32" or result.quant.dtype not in ("int8", "uint8"):
            return Refusal(
                f"{self.layer} computes in {graph.type(source.seen).dtype} and writes {result.quant.dtype}"
            )
        return _patch(graph, layer, slope, number_of(layer.core, "beta", 0.5))


def _patch(graph: Graph, layer: Layer, slope: float, offset: float) -> Patch:
    name, core, source, quant = layer.name, layer.core, layer.inputs[0], layer.outputs[0].quant
    assert quant is not None
    draft, type_ = Draft(graph, core), graph.type(core.output(0))
    summed, clipped = source.seen, draft.name(f"{name}_clipped")
    if offset:
        shift = np.asarray(offset / slope, np.float32)
        constant = quantized_constant(draft, f"{name}_shift", shift, "int8", "float32")
        summed = draft.name(f"{name}_sum")
        draft.node("Add", f"{name}_Add", (source.seen, constant), ((summed, type_),))
    if graph.opset < CLIP_INPUTS_SINCE:
        draft.node("Clip", f"{name}_Clip", (summed,), ((clipped, type_),), min=0.0, max=1 / slope)
    else:
        low = draft.constant(f"{name}_low", np.asarray(0, np.float32))
        high = draft.constant(f"{name}_high", np.asarray(1 / slope, np.float32))
        draft.node("Clip", f"{name}_Clip", (summed, low, high), ((clipped, type_),))
    grid = new_grid(draft, clipped, float(quant.scale[0]) / slope, quant.zero, quant.dtype)
    read = draft.quantized(clipped, type_, grid)
    factor = quantized_constant(draft, f"{name}_slope", np.asarray(slope, np.float32), "int8", "float32")
    draft.node("Mul", f"{name}_Mul", (read, factor), ((core.output(0), type_),))
    removed = removed_with(graph, (core,), draft.nodes)
    return draft.patch(removed)
