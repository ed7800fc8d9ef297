"""Write an average over a large window as a depthwise Conv, whose kernel the compiler takes apart in any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, behind_dequantize
from npuscope.edits.toolkit.sizes import bounded, machine_limits
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article

MOST_TAPS = 4096
"""Weights of one kernel; above that the Conv would cost more than the average in software."""


EXAMPLE = quantized("GlobalAveragePool(f)", "1,3,4,4", "1,3,1,1")


@dataclass(frozen=True, slots=True)
class PoolToConv(Declared):
    """AveragePool, GlobalAveragePool, or ReduceMean over height and width, as a depthwise Conv of equal weights.

    1. Each weight is the integer 1; its scale is 1 / (elements of the window), for all channels the same.
    2. A kernel whose last tile would have a single column gets a column of zeros, over one column of padding.
    3. No pads: an average that leaves the border out of its count is not a Conv.
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
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        node = layer.core
        source, result = graph.type(node.input(0)).dims, graph.type(node.output(0)).dims
        if source is None or result is None or len(source) not in (3, 4) or len(result) != len(source):
            return Refusal(f"the sizes of {self.layer} are not known, or it is not an average over a map")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        window = window_of(graph, layer, source)
        if isinstance(window, Refusal):
            return window
        taps = math.prod(window)
        if taps < 2 or taps > MOST_TAPS:
            return Refusal(f"{self.layer} averages {taps} elements; from 2 to {MOST_TAPS} are taken")
        return _patch(graph, layer, source, window)


def window_of(graph: Graph, layer: Layer, source: tuple[int, ...]) -> tuple[int, ...] | Refusal:
    """Sizes of the window along the spatial axes."""
    node, name = layer.core, layer.name
    if not node.standard or node.op not in ("AveragePool", "GlobalAveragePool", "ReduceMean"):
        return Refusal(f"{name} is {with_article(layer.op)}; only averages are Convs")
    if node.op == "GlobalAveragePool":
        return source[2:]
    if node.op == "AveragePool":
        pads, auto = node.integers("pads"), node.text("auto_pad", "NOTSET")
        if any(pads or ()) or auto not in ("NOTSET", "VALID"):
            return Refusal(f"{name} pads its map, so windows at the border average fewer elements")
        if node.integer("ceil_mode", 0) or any(d != 1 for d in node.integers("dilations") or ()):
            return Refusal(f"{name} has dilations or a ceil_mode, which a Conv does not follow")
        window = node.integers("kernel_shape") or ()
        return window if len(window) == len(source) - 2 else Refusal(f"{name} states no window")
    axes = node.integers("axes")
    if axes is None and node.input(1):
        listed = graph.value(node.input(1))
        axes = tuple(int(axis) for axis in listed) if listed is not None else None
    spatial = set(range(2, len(source)))
    if axes is None or {axis % len(source) for axis in axes} != spatial or not node.integer("keepdims", 1):
        return Refusal(f"{name} is not a mean over all of height and width that keeps both as 1")
    return source[2:]


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
    gone = removed_with(graph, (node,), draft.nodes)
    return draft.patch(gone)
