"""What one state of a graph has that another has not: nodes, types and constants are shared, so identity tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress, count
from operator import is_not
from typing import NamedTuple, TypeVar
from weakref import ReferenceType, ref

from npuscope.model.graph import Graph, Node

Replaced = tuple[list[Node], list[Node], list[Node]]


def replaced(graph: Graph, before: Graph) -> Replaced:
    """Nodes that only `graph` has, those that only the one before has, and those that may have changed places."""
    known: tuple[ReferenceType[Graph], Replaced] | None = vars(graph).get(_REPLACED)
    if known is None or known[0]() is not before:
        known = vars(graph)[_REPLACED] = ref(before), _replaced(graph, before)
    return known[1]


_REPLACED = "replaced"


def _replaced(graph: Graph, before: Graph) -> Replaced:
    now, was = graph.nodes, before.nodes
    begin, end = common_ends(now, was)
    now, was = now[begin : len(now) - end], was[begin : len(was) - end]
    new, old = {id(node) for node in now}, {id(node) for node in was}
    return (
        [n for n in now if id(n) not in old],
        [n for n in was if id(n) not in new],
        [n for n in now if id(n) in old],
    )


def common_ends(one: Sequence[object], other: Sequence[object]) -> tuple[int, int]:
    """How many objects two sequences begin with alike, and how many of the rest they end with alike."""
    shorter = min(len(one), len(other))
    begin = next(compress(count(), map(is_not, one, other)), shorter)
    end = next(compress(count(), map(is_not, reversed(one), reversed(other))), shorter)
    return begin, min(end, shorter - begin)


Value = TypeVar("Value")


class Origin(NamedTuple):
    """The graph that an edit was made of, and the names of all constants and types that it put in place or took away."""

    graph: ReferenceType[Graph]
    names: frozenset[str]


def note_origin(after: Graph, before: Graph, names: frozenset[str]) -> None:
    """Let `after` know what it may have that `before` has not."""
    vars(after)[_ORIGIN] = Origin(ref(before), names)


_ORIGIN = "origin"


def changed_constants(graph: Graph, before: Graph) -> set[str]:
    """Names of constants that are others than in the graph before, or are in one of both alone."""
    return _changed(graph, before, graph.constants, before.constants)


def changed_types(graph: Graph, before: Graph) -> set[str]:
    """Names of tensors whose types are other objects than in the graph before, or are known in one of both alone."""
    return _changed(graph, before, graph.types, before.types)


def _changed(graph: Graph, before: Graph, now: Mapping[str, Value], was: Mapping[str, Value]) -> set[str]:
    origin: Origin | None = vars(graph).get(_ORIGIN)
    if origin is None or origin.graph() is not before:
        return changed_names(now, was)
    return {name for name in origin.names if now.get(name) is not was.get(name)}


def changed_names(now: Mapping[str, Value], before: Mapping[str, Value]) -> set[str]:
    """Names whose value is another object, or there only once."""
    if now is before:
        return set()
    changed = set(compress(now, map(is_not, map(before.get, now), now.values())))
    if len(now) - len(changed) != len(before):
        changed |= before.keys() - now.keys()
    return changed
