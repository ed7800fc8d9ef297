"""Write an operator that has no NPU unit as another one that computes the same and has one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.ranges import dequantized
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers, Operand
from npuscope.model.names import with_article
from npuscope.model.tensors import Array
from npuscope.record import dataclass

CLIP_INPUTS_SINCE = 11
"""Opset from which Clip takes its bounds as inputs."""

Written = tuple[str, tuple[str, ...], dict[str, Any]]
"""Operator, inputs, attributes."""


EXAMPLE = quantized("Max(f, c)", "1,4,4,4", "1,4,4,4", constants="float c = {0}")


@dataclass(frozen=True, slots=True)
class SameOperator(Declared):
    """Write Max and Min with a number, Pow and PRelu with a single constant, as operators that the NPU has.

    1. Max(x, 0) is Relu; Max(x, c) and Min(x, c) are Clip; Pow(x, 2) is Mul(x, x), Pow(x, 1) Identity.
    2. PRelu with one slope for all channels is LeakyRelu.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "same-operator",
        Exactness.BIT_EXACT,
        "The same function.",
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write Max_4 as an operator of the NPU'."""
        return f"write {self.layer} as an operator of the NPU"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer with the other operator, or why there is none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        write = _WRITERS.get(layer.kind)
        if write is None or not layer.core.standard:
            return Refusal(
                f"{self.layer} is {with_article(layer.op)}; {', '.join(_WRITERS)} can be written otherwise"
            )
        if len(layer.inputs) != 2 or len(layer.outputs) != 1:
            return Refusal(f"{self.layer} has {len(layer.inputs)} operands; only two are taken")
        constants = [operand for operand in layer.inputs if operand.constant is not None]
        others = [operand for operand in layer.inputs if operand.constant is None]
        if len(constants) != 1 or (layer.kind in ("Pow", "PRelu") and constants[0] is not layer.inputs[1]):
            return Refusal(f"{self.layer} computes with two activations, not with a constant")
        value = one_value(constants[0])
        if value is None:
            return Refusal(
                f"the constant of {self.layer} holds different values; only one value for all is taken"
            )
        if graph.type(others[0].seen).shape != graph.type(layer.core.output(0)).shape:
            return Refusal(f"the constant of {self.layer} changes the shape of what it reads")
        if graph.type(others[0].seen).dtype != "float32":
            return Refusal(f"{self.layer} computes in {graph.type(others[0].seen).dtype}, not in float32")
        draft = Draft(graph, layer.core)
        nodes = write(layer, others[0], value, draft)
        if isinstance(nodes, Refusal):
            return nodes
        op, inputs, attributes = nodes
        core = layer.core
        types = ((core.output(0), graph.type(core.output(0))),)
        draft.node(op, f"{self.layer}_{op}", inputs, types, **attributes)
        removed = removed_with(graph, (core,), draft.nodes)
        return draft.patch(removed)


def one_value(operand: Operand) -> float | None:
    """The one value a constant holds everywhere, as the operator sees it; None where it holds several."""
    assert operand.constant is not None
    if operand.constant.size > 1 << 20 or operand.constant.size == 0:
        return None
    values: Array = dequantized(operand, operand.constant.array()).reshape(-1)
    return float(values[0]) if bool(np.all(values == values[0])) and math.isfinite(float(values[0])) else None


def _bounded(layer: Layer, source: Operand, value: float, draft: Draft) -> Written | Refusal:
    if layer.kind == "Max" and value == 0:
        return "Relu", (source.seen,), {}
    if draft.graph.opset < CLIP_INPUTS_SINCE:
        bound = {"min" if layer.kind == "Max" else "max": value}
        return "Clip", (source.seen,), dict(bound)
    limit = draft.constant(f"{layer.name}_bound", np.asarray(value, np.float32))
    return "Clip", (source.seen, limit) if layer.kind == "Max" else (source.seen, "", limit), {}


def _power(layer: Layer, source: Operand, value: float, draft: Draft) -> Written | Refusal:
    if value == 2:
        return "Mul", (source.seen, source.seen), {}
    if value == 1:
        return "Identity", (source.seen,), {}
    return Refusal(f"{layer.name} raises to the power of {value:g}; only 1 and 2 have an operator on the NPU")


def _leaky(layer: Layer, source: Operand, value: float, draft: Draft) -> Written | Refusal:
    return "LeakyRelu", (source.seen,), {"alpha": value}


_WRITERS: Mapping[str, Callable[[Layer, Operand, float, Draft], Written | Refusal]] = {
    "Max": _bounded,
    "Min": _bounded,
    "Pow": _power,
    "PRelu": _leaky,
}
