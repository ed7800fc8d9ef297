"""Write x * Clip(x + 3, 0, 6) / 6, in whatever operators a model has it, as HardSwish."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.elementwise import Written, written_as
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, new_grid
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.model.tensors import Array
from npuscope.record import dataclass

HARD_SWISH_SINCE = 14
"""Opset from which ONNX has HardSwish."""

TOLERANCE = 0.02
"""How far the operators may be from HardSwish between -8 and 8 (outside, in proportion): their constants may be integers of a coarse scale."""

GATE = (1 / 255, -128)
"""(scale, zero point) of a tensor between 0 and 1."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 14]>
g (int8[1,4,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, float three = {3}, float zero = {0}, float six = {6}>
{ f = DequantizeLinear(x, s, z)
  a = Add(f, three)
  c = Clip(a, zero, six)
  m = Mul(f, c)
  [op] r = Div(m, six)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class ToHardSwish(Declared):
    """Turn operators that together compute HardSwish into one; `layer` is the last of them.

    1. They are recognised by what they compute, however it is written: Add, Clip, Mul and Div by 6; HardSigmoid
       and Mul; Relu, Min and a Mul by 1/6...
    2. Before opset 14: HardSigmoid and Mul, with a Q/DQ pair between where the layer is quantized.
    3. Intermediate values are no longer rounded (before opset 14: once), so the result is closer to the float model's.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "to-hard-swish",
        Exactness.APPROXIMATE,
        "The roundings between the operators are omitted.",
        operators=("Mul", "Div"),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write what ends in Mul_9 as HardSwish'."""
        return f"write what ends in {self.layer} as HardSwish"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The one operator, or why it cannot take their place."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        cone = hard_swish(graph, layer)
        if cone is None:
            return Refusal(f"{self.layer} does not end operators that compute x * Clip(x + 3, 0, 6) / 6")
        if graph.opset < HARD_SWISH_SINCE and (cone.operators <= 2 or graph.opset < QDQ_SINCE):
            return Refusal(f"opset {graph.opset} has no HardSwish; {HARD_SWISH_SINCE} or later has")
        return _patch(graph, layer, cone)


def hard_swish(graph: Graph, layer: Layer) -> Written | None:
    """The operators that compute HardSwish and end in a layer."""
    if layer.core.op not in ("Mul", "Div") or not layer.core.standard:
        return None
    cone = written_as(graph, layer.core, _function, TOLERANCE)
    if cone is None or graph.type(cone.source).shape != graph.type(layer.core.output(0)).shape:
        return None
    return cone


def _function(x: Array) -> Array:
    return np.asarray(x * np.clip(x / 6 + 0.5, 0, 1))


def _patch(graph: Graph, layer: Layer, cone: Written) -> Patch:
    draft, core = Draft(graph, layer.core), layer.core
    result = (core.output(0), graph.type(core.output(0)))
    if graph.opset >= HARD_SWISH_SINCE:
        draft.node("HardSwish", f"{layer.name}_HardSwish", (cone.source,), (result,))
    else:
        gate = draft.name(f"{layer.name}_gate")
        type_ = graph.type(cone.source)
        draft.node(
            "HardSigmoid",
            f"{layer.name}_HardSigmoid",
            (cone.source,),
            ((gate, type_),),
            alpha=1 / 6,
            beta=0.5,
        )
        if layer.outputs[0].quant is not None:
            grid = new_grid(draft, gate, *GATE)
            gate = draft.quantized(gate, type_, grid)
        draft.node("Mul", f"{layer.name}_Mul", (cone.source, gate), (result,))
    removed = removed_with(graph, unread(graph, cone.nodes), draft.nodes)
    return draft.patch(removed)


def unread(graph: Graph, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Of nodes up to a last one, which comes first: it, and those that nothing reads without it."""
    removed = {nodes[0].name: nodes[0]}
    left = list(nodes[1:])
    while True:
        dead = [
            node
            for node in left
            if graph.output_set.isdisjoint(node.outputs)
            and all(
                graph.nodes[i].name in removed for name in node.outputs for i in graph.consumers.get(name, ())
            )
        ]
        if not dead:
            return tuple(removed.values())
        removed |= {node.name: node for node in dead}
        left = [node for node in left if node.name not in removed]
