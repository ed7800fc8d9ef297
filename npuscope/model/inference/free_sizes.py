"""Sizes that a model leaves open at its inputs, and the tensors whose sizes follow from them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from npuscope.model.graph import CONTROL_FLOW, Graph

BY_DATA = frozenset({"NonZero", "Unique", "NonMaxSuppression", "Compress", *CONTROL_FLOW})
"""Operators that decide by values, not by sizes, how much they write."""


def free_sizes(graph: Graph) -> tuple[tuple[str, str], ...]:
    """(input, the word that `fix-dimensions` takes for the size), in the inputs' order.

    A first size that stands alone is a batch, which is taken as 1: it counts only where another size is free.
    """
    sizes, others = [], False
    for name in graph.inputs:
        for axis, dim in enumerate(graph.type(name).shape or ()):
            if not isinstance(dim, int):
                sizes.append((name, dim or f"{name}:{axis}"))
                others = others or axis > 0
    return tuple(dict.fromkeys(sizes)) if others else ()


def freed_by(graph: Graph) -> tuple[str, ...]:
    """The words of the free sizes, each once."""
    return tuple(dict.fromkeys(word for _, word in free_sizes(graph)))


def followers(graph: Graph) -> frozenset[str]:
    """The tensors that nodes compute of inputs with free sizes, up to operators that decide by values."""
    known = _KNOWN.get(graph)
    if known is None:
        reached = {name for name, _ in free_sizes(graph)}
        inputs = frozenset(reached)
        for node in graph.nodes if reached else ():
            if node.op not in BY_DATA and not reached.isdisjoint(node.inputs):
                reached.update(name for name in node.outputs if name)
        known = _KNOWN[graph] = frozenset(reached - inputs)
    return known


_KNOWN: WeakKeyDictionary[Graph, frozenset[str]] = WeakKeyDictionary()
