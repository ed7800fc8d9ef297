"""Write Swish, QuickGelu and Gelu as products of operators the NPU has."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, layer_named, removed_with
from npuscope.edits.toolkit.elementwise import number_of
from npuscope.edits.toolkit.ranges import quantization
from npuscope.edits.toolkit.rewiring import ACTIVATION_TYPE, QDQ_SINCE, new_grid, quantized_constant
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

KINDS = ("Gelu", "QuickGelu", "Swish")
"""Operators without a unit that are x times a function between 0 and 1."""

QUICK_GELU_ALPHA = 1.702
"""What a QuickGelu multiplies x by where it says nothing else (onnxruntime's contrib operators)."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 24]>
g (int8[1,4,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Swish(f)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class SwishToMul(Declared):
    """Write x * Sigmoid(a * x), or x * (1 + Erf(x / sqrt 2)) / 2, with a Q/DQ pair for each operator.

    1. a * x has the integers of x at a times its scale, so none changes.
    2. Sigmoid and the sum with Erf lie between 0 and 1, on 255 steps; Erf on 127 steps each side of 0.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "swish-to-mul",
        Exactness.APPROXIMATE,
        "What x is multiplied by is rounded to 1/255.",
        operators=KINDS,
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write Gelu_4 as products of operators the NPU has'."""
        return f"write {self.layer} as products of operators the NPU has"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The operators, or why they cannot take its place."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.kind not in KINDS or len(layer.inputs) != 1:
            return Refusal(f"{self.layer} is {with_article(layer.op)}; {', '.join(KINDS)} are written so")
        if layer.core.text("approximate", "none") != "none":
            return Refusal(f"{self.layer} is approximated by Tanh", "export it with approximate='none'")
        factor = number_of(layer.core, "alpha", 1.0)
        if not (math.isfinite(factor) and factor > 0):
            return Refusal(f"{self.layer} has an alpha of {factor:g}; only one above 0 is taken")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        quant = layer.inputs[0].quant
        if not layer.quantized or quant is None or quant.per_channel or layer.qoperator:
            return Refusal(f"{self.layer} has no Q/DQ on both sides", "quantize the layers around it first")
        if graph.type(layer.inputs[0].seen).dtype != "float32":
            return Refusal(
                f"{self.layer} computes in {graph.type(layer.inputs[0].seen).dtype}, not in float32"
            )
        steps = _Steps(graph, layer)
        gate = steps.gelu() if layer.kind == "Gelu" else steps.sigmoid()
        core = layer.core
        types = ((core.output(0), graph.type(core.output(0))),)
        steps.draft.node("Mul", f"{self.layer}_Mul", (layer.inputs[0].seen, gate), types)
        removed = removed_with(graph, (core,), steps.draft.nodes)
        return steps.draft.patch(removed)


class _Steps:
    def __init__(self, graph: Graph, layer: Layer) -> None:
        self.graph, self.layer, self.name = graph, layer, layer.name
        self.draft = Draft(graph, layer.core)
        self.seen = layer.inputs[0].seen
        quant = layer.inputs[0].quant
        assert quant is not None
        self.scale, self.zero, self.stored = float(quant.scale[0]), quant.zero, quant.dtype

    def step(self, op: str, wanted: str, inputs: tuple[str, ...], grid: Grid) -> str:
        """An operator and the pair of its grid."""
        output, type_ = self.draft.name(f"{self.name}_{wanted}"), self.graph.type(self.seen)
        self.draft.node(op, f"{self.name}_{wanted}_{op}", inputs, ((output, type_),))
        return self.draft.quantized(output, type_, grid)

    def grid(self, wanted: str, scale: float, zero: int, stored: str = ACTIVATION_TYPE) -> Grid:
        return new_grid(self.draft, f"{self.name}_{wanted}_grid", scale, zero, stored)

    def number(self, wanted: str, value: float) -> str:
        array = np.asarray(value, np.float32)
        return quantized_constant(self.draft, f"{self.name}_{wanted}", array, ACTIVATION_TYPE, "float32")

    def scaled(self, factor: float) -> str:
        """x times a number: the same integers on another scale."""
        if factor == 1:
            return self.seen
        grid = self.grid("scaled", self.scale * factor, self.zero, self.stored)
        return self.step("Mul", "scaled", (self.seen, self.number("factor", factor)), grid)

    def sigmoid(self) -> str:
        default = QUICK_GELU_ALPHA if self.layer.kind == "QuickGelu" else 1.0
        source = self.scaled(number_of(self.layer.core, "alpha", default))
        return self.step(
            "Sigmoid", "gate", (source,), self.grid("gate", *quantization(0, 1, ACTIVATION_TYPE))
        )

    def gelu(self) -> str:
        source = self.scaled(math.sqrt(0.5))
        erf = self.step("Erf", "erf", (source,), self.grid("erf", 1 / 127, 0))
        half = self.step("Mul", "half", (erf, self.number("one_half", 0.5)), self.grid("half", 0.5 / 127, 0))
        shift = self.number("shift", 0.5)
        return self.step(
            "Add", "gate", (half, shift), self.grid("gate", *quantization(0, 1, ACTIVATION_TYPE))
        )
