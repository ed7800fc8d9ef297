"""Write a Slice that takes every second row or column as a depthwise Conv that picks them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.regrid import grid_read, on_grid, result_name
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, behind_dequantize
from npuscope.edits.toolkit.sizes import bounded
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

MOST_BOUNDS = 8
"""Bounds of a Slice that are read: one an axis."""

EXAMPLE = quantized(
    "Slice(f, b, e, a, k)",
    "1,3,6,8",
    "1,3,3,4",
    constants="int64[2] b = {1, 0}, int64[2] e = {6, 8}, int64[2] a = {2, 3}, int64[2] k = {2, 2}",
)


@dataclass(frozen=True, slots=True)
class Picked:
    """Along one spatial axis: the first position that is taken, the distance to the next, and the window over both."""

    start: int
    step: int
    window: int


@dataclass(frozen=True, slots=True)
class SliceToConv(Declared):
    """Write a Slice with steps along height or width as a depthwise Conv with the steps as strides.

    1. One weight of each channel is the integer 1 with scale 1, at the position where the Slice begins; the others are 0.
    2. Where the Slice ends before the last step, the kernel is as wide as what it leaves out.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "slice-to-conv",
        Exactness.BIT_EXACT,
        "Every value is multiplied by 1.",
        operators=("Slice",),
        answers=("N508",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write Slice_3 as a strided depthwise Conv'."""
        return f"write {self.layer} as a strided depthwise Conv"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why the Slice is none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.core.op != "Slice" or not layer.core.standard:
            return Refusal(f"{self.layer} is {with_article(layer.op)}, not a Slice")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        picked = _picked(graph, layer)
        return picked if isinstance(picked, Refusal) else _patch(graph, layer.core, picked)


def _picked(graph: Graph, layer: Layer) -> tuple[Picked, ...] | Refusal:
    node, name = layer.core, layer.name
    dims, result = graph.type(node.input(0)).dims, graph.type(node.output(0)).dims
    if dims is None or result is None or len(dims) not in (3, 4):
        return Refusal(f"{name} does not slice a map of known size")
    bounds = [graph.value(node.input(i), MOST_BOUNDS) if node.input(i) else None for i in range(1, 5)]
    starts, steps = bounds[0], bounds[3]
    if starts is None or bounds[1] is None or (node.input(4) and steps is None):
        return Refusal(f"the bounds of {name} are computed by the model")
    axes = bounds[2] if bounds[2] is not None else np.arange(starts.size)
    if steps is None or bool((steps < 1).any()) or not bool((steps > 1).any()):
        return Refusal(f"{name} has no steps above 1")
    first = {int(axis) % len(dims): int(start) for axis, start in zip(axes, starts, strict=True)}
    step = {int(axis) % len(dims): int(one) for axis, one in zip(axes, steps, strict=True)}
    if any(step.get(axis, 1) > 1 or result[axis] != dims[axis] for axis in (0, 1)):
        return Refusal(f"{name} slices batches or channels too; a Conv keeps them")
    picked = []
    for axis in range(2, len(dims)):
        size, taken, by = dims[axis], result[axis], step.get(axis, 1)
        start = min(max(first.get(axis, 0) + (size if first.get(axis, 0) < 0 else 0), 0), size)
        fitting = by if start < by and (size - by) // by + 1 == taken else 1
        window = max(start + 1, size - taken * by + 1, fitting)  # a wider one ends with the Slice
        if (size - window) // by + 1 != taken:
            return Refusal(f"{name} takes {taken} of {size} along axis {axis}, which its bounds contradict")
        picked.append(Picked(start, by, window))
    return tuple(picked)


def _patch(graph: Graph, node: Node, picked: tuple[Picked, ...]) -> Patch | Refusal:
    draft, source, result = Draft(graph, node), node.input(0), node.output(0)
    dims = graph.type(source).dims
    assert dims is not None, "the sizes are known"
    kernel = tuple(one.window for one in picked)
    bounded(dims[1], *kernel)
    weights = np.zeros((dims[1], 1, *kernel), np.int8)
    at: tuple[Any, ...] = (slice(None), 0, *(one.start for one in picked))
    weights[at] = 1
    grid = grid_read(graph, source)
    real = graph.type(source).dtype
    if grid is None and real != "float32":
        return Refusal(f"what {node.name} slices is {real}; a Conv of integers needs a scale")
    if grid is not None:
        weight = behind_dequantize(
            draft, f"{node.name}_weight", weights, np.ones(()), np.zeros(()), None, real
        )
    else:
        weight = draft.constant(f"{node.name}_weight", weights.astype(np.float32))
    written = result_name(draft, result, grid)
    draft.node(
        "Conv", f"{node.name}_conv", (source, weight), ((written, graph.type(result)),),
        group=dims[1], kernel_shape=list(kernel), strides=[one.step for one in picked], pads=[0] * (2 * len(picked)),
    )  # fmt: skip
    on_grid(draft, written, result, grid)
    return draft.patch(removed_with(graph, (node,), draft.nodes))
