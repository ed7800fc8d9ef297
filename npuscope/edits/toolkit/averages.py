"""Averages over windows of a map, in the three ways ONNX writes them."""

from __future__ import annotations

from npuscope.edits.edit import Refusal
from npuscope.edits.toolkit.drafting import layer_named
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.model.names import with_article
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Average:
    """An average: the sizes of what it reads, and of its window along the spatial axes."""

    layer: Layer
    source: tuple[int, ...]
    window: tuple[int, ...]


def average_named(graph: Graph, layers: Layers, name: str) -> Average | Refusal:
    """A layer that averages over a map without pads, or why it is none."""
    layer = layer_named(layers, name)
    if isinstance(layer, Refusal):
        return layer
    source, result = graph.type(layer.core.input(0)).dims, graph.type(layer.core.output(0)).dims
    if source is None or result is None or len(source) not in (3, 4) or len(result) != len(source):
        return Refusal(f"the sizes of {name} are not known, or it is not an average over a map")
    window = _window(graph, layer, source)
    return window if isinstance(window, Refusal) else Average(layer, source, window)


def _window(graph: Graph, layer: Layer, source: tuple[int, ...]) -> tuple[int, ...] | Refusal:
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
