"""Sizes that a model leaves open at its inputs, and the tensors whose sizes follow from them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from onnx import ModelProto

from npuscope.model.graph import CONTROL_FLOW, Graph
from npuscope.model.tensors import TensorType

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


def with_batch_of_one(
    proto: ModelProto, declared: dict[str, TensorType]
) -> tuple[dict[str, TensorType], tuple[str, ...]]:
    """The declared types with every free first size of a graph input set to 1, and the names of those inputs."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    free: list[str] = []
    symbols: set[str] = set()
    for value in proto.graph.input:
        shape = declared[value.name].shape
        if value.name in stored or not shape or (isinstance(shape[0], int) and shape[0] > 0):
            continue
        free.append(value.name)
        if isinstance(shape[0], str):
            symbols.add(shape[0])
    if not free:
        return declared, ()
    bound = dict(declared)
    for name in free:
        type_ = bound[name]
        bound[name] = TensorType(type_.dtype, (1, *(type_.shape or ())[1:]))
    # Sizes recorded in the file under the same symbol would contradict the inputs.
    for name, type_ in bound.items():
        if type_.shape and any(dim in symbols for dim in type_.shape if isinstance(dim, str)):
            sizes = tuple(1 if isinstance(dim, str) and dim in symbols else dim for dim in type_.shape)
            bound[name] = TensorType(type_.dtype, sizes)
    return bound, tuple(free)
