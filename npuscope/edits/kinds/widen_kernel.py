"""Widen a depthwise kernel by a column of zeros, so that no part of it is one column wide."""

from __future__ import annotations

from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.padding import padded_operand
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.sizes import machine_limits
from npuscope.edits.toolkit.weighted import weighted_layer
from npuscope.model.convolution import convolution
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = quantized("Conv <group = 2, pads = [0, 3, 0, 3]> (f, w)", "1,2,3,9", "1,2,3,9", "2,1,1,7")


@dataclass(frozen=True, slots=True)
class WidenKernel(Declared):
    """Widen by one column the kernel of a depthwise Conv that is 7, 13... wide (13, 25... with a stride).

    The new column is zero and lies over one more column of padding on the right: no sum changes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "widen-kernel",
        Exactness.BIT_EXACT,
        "Zeros are added to each sum.",
        operators=("Conv",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'widen the kernel of Conv_50 by a column of zeros'."""
        return f"widen the kernel of {self.layer} by a column of zeros"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The wider Conv, or why it would bring nothing."""
        weighted = weighted_layer(graph, layers, self.layer, "widened", transposed=False, qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        geometry = convolution(weighted.layer)
        if weighted.layer.kind != "Conv" or geometry is None:
            return Refusal(
                f"{self.layer} is {with_article(weighted.layer.kind)}, not a Conv with known sizes"
            )
        height, width = geometry.kernel
        bounds = machine_limits()
        columns = bounds.kernel_width_strided if geometry.stride[1] > 1 else bounds.kernel_width
        if not geometry.depthwise or width <= columns or width % columns != 1:
            groups = "depthwise" if geometry.depthwise else f"of {geometry.group} groups"
            return Refusal(
                f"{self.layer} is {groups} with a {height}x{width} kernel, which is taken apart in {columns} columns "
                "at a time; only a depthwise one that leaves a single column is widened"
            )
        core, draft = weighted.layer.core, Draft(graph, weighted.layer.core)
        weight = padded_operand(draft, weighted.weight, weighted.values, {weighted.values.ndim - 1: 1})
        top, left, bottom, right = geometry.pads
        right += geometry.dilation[1]
        node = rewired(
            core,
            tuple(weight if name == weighted.weight.seen else name for name in core.inputs),
            None,
            kernel_shape=[height, width + 1],
            pads=[top, left, bottom, right],
            auto_pad=None,
        )
        draft.nodes.append(node)
        removed = removed_with(graph, (core,), draft.nodes)
        return draft.patch(removed)
