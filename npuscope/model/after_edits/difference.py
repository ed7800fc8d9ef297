"""What one state of a graph has that another has not: nodes, types and constants are shared, so identity tells."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress, count
from operator import is_not
from typing import TypeVar

from npuscope.model.graph import Graph, Node


def replaced(graph: Graph, before: Graph) -> tuple[list[Node], list[Node], list[Node]]:
    """Nodes that only `graph` has, those that only the one before has, and those that may have changed places."""
    now, was = graph.nodes, before.nodes
    shorter = min(len(now), len(was))
    begin = next(compress(count(), map(is_not, now, was)), shorter)
    end = min(next(compress(count(), map(is_not, reversed(now), reversed(was))), shorter), shorter - begin)
    now, was = now[begin : len(now) - end], was[begin : len(was) - end]
    new, old = {id(node) for node in now}, {id(node) for node in was}
    return (
        [n for n in now if id(n) not in old],
        [n for n in was if id(n) not in new],
        [n for n in now if id(n) in old],
    )


Value = TypeVar("Value")


def changed_names(now: Mapping[str, Value], before: Mapping[str, Value]) -> set[str]:
    """Names whose value is another object, or there only once."""
    changed = set(compress(now, map(is_not, map(before.get, now), now.values())))
    if len(now) - len(changed) != len(before):
        changed |= before.keys() - now.keys()
    return changed
