"""Write a sum or mean over channels as a 1x1 Conv of ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.regrid import grid_read
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, behind_dequantize
from npuscope.edits.toolkit.sizes import bounded
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

MOST_AXES = 8
"""Axes of a reduction that are read."""

EXAMPLE = quantized("ReduceSum(f, a)", "1,6,3,4", "1,1,3,4", constants="int64[1] a = {1}")


@dataclass(frozen=True, slots=True)
class SumToConv(Declared):
    """Write a ReduceSum or ReduceMean over the channels of a map as a Conv with one kernel of ones.

    1. Each weight is the integer 1; its scale is 1 for a sum, 1 / channels for a mean.
    2. Where the reduction drops the dimension of its channels, a Reshape does behind the Conv.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "sum-to-conv",
        Exactness.ROUNDING,
        "The same sum; a mean is multiplied instead of divided.",
        operators=("ReduceSum", "ReduceMean"),
        answers=("N403",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the sum ReduceSum_3 as a 1x1 Conv'."""
        return f"write {self.layer} as a 1x1 Conv of ones"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why the reduction is none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        node = layer.core
        if node.op not in ("ReduceSum", "ReduceMean") or not node.standard:
            return Refusal(f"{self.layer} is {with_article(layer.op)}; only sums and means are Convs")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        dims = graph.type(node.input(0)).dims
        if dims is None or len(dims) not in (3, 4):
            return Refusal(f"{self.layer} does not reduce a map of known size")
        if dims[0] != 1:
            return Refusal(f"{self.layer} reads {dims[0]} batches; the NPU takes one")
        axes = _axes(graph, node)
        if axes is None or {axis % len(dims) for axis in axes} != {1}:
            return Refusal(f"{self.layer} does not reduce the channels alone")
        return _patch(graph, node, dims)


def _axes(graph: Graph, node: Node) -> tuple[int, ...] | None:
    axes = node.integers("axes")
    if axes is None and node.input(1):
        listed = graph.value(node.input(1), MOST_AXES)
        axes = tuple(int(axis) for axis in listed) if listed is not None else None
    return tuple(axes) if axes is not None else None


def _patch(graph: Graph, node: Node, dims: tuple[int, ...]) -> Patch | Refusal:
    draft, type_ = Draft(graph, node), graph.type(node.output(0))
    channels, kernel = dims[1], [1] * (len(dims) - 2)
    bounded(channels)
    each = np.float32(1 if node.op == "ReduceSum" else 1 / channels)
    weights = np.ones((1, channels, *kernel), np.int8)
    if grid_read(graph, node.input(0)) is not None:
        weight = behind_dequantize(
            draft, f"{node.name}_weight", weights, np.asarray(each), np.zeros(()), None, type_.dtype
        )
    elif type_.dtype == "float32":
        weight = draft.constant(f"{node.name}_weight", weights * each)
    else:
        return Refusal(f"{node.name} computes in {type_.dtype}; a Conv of integers needs a scale")
    summed = TensorType(type_.dtype, (1, 1, *dims[2:]))
    keeps = bool(node.integer("keepdims", 1))
    written = node.output(0) if keeps else draft.name(f"{node.name}_sums")
    draft.node(
        "Conv", f"{node.name}_conv", (node.input(0), weight), ((written, summed),), kernel_shape=kernel
    )
    if not keeps:
        shape = draft.constant(f"{node.name}_shape", np.array((1, *dims[2:]), np.int64))
        draft.node("Reshape", f"{node.name}_reshape", (written, shape), ((node.output(0), type_),))
    return draft.patch(removed_with(graph, (node,), draft.nodes))
