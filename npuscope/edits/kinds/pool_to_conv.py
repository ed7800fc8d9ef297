"""Write an average over a large window as a depthwise Conv, whose kernel the compiler takes apart in any size."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.averages import average_named
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, behind_dequantize
from npuscope.edits.toolkit.sizes import bounded, machine_limits
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.record import dataclass

MOST_TAPS = 4096
"""Weights of one kernel; above that the Conv would cost more than the average in software."""


EXAMPLE = quantized("GlobalAveragePool(f)", "1,3,4,4", "1,3,1,1")


@dataclass(frozen=True, slots=True)
class PoolToConv(Declared):
    """Write an AveragePool, GlobalAveragePool, or ReduceMean over height and width as a depthwise Conv of equal weights.

    1. Each weight is the integer 1; its scale is 1 / (elements of the window), the same for all channels.
    2. A kernel whose last tile would have a single column gets a column of zeros, over one column of padding.
    3. No pads: an average that does not count the border is not a Conv.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "pool-to-conv",
        Exactness.ROUNDING,
        "The sum is multiplied instead of divided.",
        operators=("AveragePool", "GlobalAveragePool", "ReduceMean"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the average GlobalAveragePool_3 as a depthwise Conv'."""
        return f"write the average {self.layer} as a depthwise Conv"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why it cannot be made."""
        average = average_named(graph, layers, self.layer)
        if isinstance(average, Refusal):
            return average
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        taps = math.prod(average.window)
        if taps < 2 or taps > MOST_TAPS:
            return Refusal(f"{self.layer} averages {taps} elements; from 2 to {MOST_TAPS} are taken")
        return _patch(graph, average.layer, average.source, average.window)


def _patch(graph: Graph, layer: Layer, source: tuple[int, ...], window: tuple[int, ...]) -> Patch:
    node, name, channels = layer.core, layer.name, source[1]
    draft, taps, rank = Draft(graph, layer.core), math.prod(window), len(window)
    columns = machine_limits().kernel_width  # a tile of one column was seen in software
    wider = 1 if window[-1] > columns and window[-1] % columns == 1 else 0
    shape = (*window[:-1], window[-1] + wider)
    bounded(channels, *shape)
    weights = np.ones((channels, 1, *shape), np.int8)
    if wider:
        weights[..., -1] = 0
    strides = list(node.integers("strides") or (1,) * rank) if node.op == "AveragePool" else [1] * rank
    if layer.inputs[0].quant is None:
        weight = draft.constant(f"{name}_weight", (weights / np.float32(taps)).astype(np.float32))
    else:
        scale = np.asarray(1 / taps, np.float32)
        weight = behind_dequantize(draft, f"{name}_weight", weights, scale, np.zeros(()), None, "float32")
    draft.node(
        "Conv", f"{name}_conv", (node.input(0), weight), ((node.output(0), graph.type(node.output(0))),),
        group=channels, kernel_shape=list(shape), strides=strides,
        pads=[*[0] * (2 * rank - 1), wider],
    )  # fmt: skip
    removed = removed_with(graph, (node,), draft.nodes)
    return draft.patch(removed)
