"""Write the bounds of a Slice, the value of a Pad and the bounds of a Clip as the compiler's front end takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.ranges import dequantized
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, Layers, Operand, is_qdq
from npuscope.model.quant import of_node
from npuscope.record import dataclass

TO_THE_END = 2**31 - 1
"""Bounds from here on stand for the end of an axis."""

SMALL = 64
"""Elements up to which a constant counts as bounds."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 18]>
g (float[1,8,4,4] x) => (float[1,8,6,6] y) <int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float c = {0.5}, int64[4] a = {0, 1, 2, 3}>
{ [op] y = Pad(x, p, c, a) }"""


@dataclass(frozen=True, slots=True)
class CompilerForm(Declared):
    """Write an operator in a form that no tool version was reported to fail on.

    Source: FACTS 5, LESSONS E5 (see docs/sources.md).

    1. Slice: bounds of 2^31 - 1 and more become the size of the axis, where the step is forward.
    2. Pad: an absent value is left out or written out; a scalar value becomes a tensor of one element.
    3. Clip: bounds behind a DequantizeLinear become plain constants. A Clip fused into the layer counts.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "compiler-form",
        Exactness.BIT_EXACT,
        "The same values are picked, added and kept.",
        operators=("Slice", "Pad", "Clip"),
        answers=("N702", "N703", "N706"),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write Slice_3 in the form the compiler takes'."""
        return f"write {self.layer} in the form the compiler takes"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer's operators in the other form, or why they need none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        nodes = [graph.nodes[graph.node_index[name]] for name in layer.nodes]
        draft = Draft(graph, layer.core)
        changed: dict[str, Node | tuple[Node, ...]] = {}
        for node in nodes:
            write = _FORMS.get(node.op) if node.standard else None
            inputs = write(draft, node) if write is not None else node.inputs
            if inputs != node.inputs:
                changed[node.name] = rewired(node, inputs)
        if not changed:
            return Refusal(
                f"{self.layer} has no Slice, Pad or Clip in a form the compiler was reported to fail on"
            )
        old = tuple(node for node in nodes if node.name in changed)
        new = [node for node in changed.values() if isinstance(node, Node)]
        removed = removed_with(graph, old, new) - changed.keys()
        return Patch(removed, (), tuple(draft.constants), draft.types, changed)


def _slice(draft: Draft, node: Node) -> tuple[str, ...]:
    graph, inputs = draft.graph, list(node.inputs)
    dims = graph.type(node.input(0)).dims
    starts = graph.value(node.input(1), SMALL) if node.input(1) else None
    if dims is None or starts is None:
        return node.inputs
    axes = graph.value(node.input(3), SMALL) if node.input(3) else np.arange(starts.size)
    steps = graph.value(node.input(4), SMALL) if node.input(4) else np.ones(starts.size)
    if axes is None or steps is None:
        return node.inputs
    for position in (1, 2):
        bounds = graph.value(inputs[position], SMALL)
        if bounds is None or not np.any(np.abs(bounds.astype(np.float64)) >= TO_THE_END):
            continue
        sizes = np.array(bounds)
        for i, bound in enumerate(bounds.tolist()):
            if abs(bound) >= TO_THE_END and steps[i] > 0:  # runtimes differ in what an open end is backwards
                sizes[i] = dims[int(axes[i])] if bound > 0 else -dims[int(axes[i])]
        if not np.array_equal(sizes, bounds):
            inputs[position] = draft.constant(inputs[position], sizes)
    return tuple(inputs)


def _pad(draft: Draft, node: Node) -> tuple[str, ...]:
    inputs = list(node.inputs)
    while len(inputs) > 2 and not inputs[-1]:
        inputs.pop()
    if len(inputs) < 3:
        return tuple(inputs)
    kind = draft.graph.type(inputs[0]).dtype
    if not inputs[2] and kind != "unknown":
        inputs[2] = draft.constant(f"{node.name}_value", np.zeros(1, kind))
    value = draft.graph.value(inputs[2], 1) if inputs[2] else None
    if value is not None and value.shape == ():
        inputs[2] = draft.constant(inputs[2], value.reshape(1))
    return tuple(inputs)


def _clip(draft: Draft, node: Node) -> tuple[str, ...]:
    graph, inputs = draft.graph, list(node.inputs)
    for position in range(1, len(inputs)):
        tensor = inputs[position]
        maker = graph.producer(tensor) if tensor else None
        if maker is None or not is_qdq(maker) or maker.op != DEQUANTIZE:
            continue
        constant, quant = graph.constant(maker.input(0)), of_node(graph, maker)
        if constant is None or quant is None or constant.size != 1:
            continue
        operand = Operand(maker.input(0), tensor, graph.type(tensor), quant, constant)
        inputs[position] = draft.constant(tensor, dequantized(operand, constant.array()).reshape(()))
    return tuple(inputs)


_FORMS: Mapping[str, Callable[[Draft, Node], tuple[str, ...]]] = {"Slice": _slice, "Pad": _pad, "Clip": _clip}
