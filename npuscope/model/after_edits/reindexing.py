"""What is known of the nodes of a graph, taken over by the graph that an edit made of it.

An edit replaces a few nodes: those before keep their indices, those behind are moved by as many as there are more now.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from npuscope.model.graph import CONTROL_FLOW, SIZES, Graph, Node

MOST = 0.25
"""Part of the nodes that may lie between the first and the last one replaced: all is looked at anew above."""

DEEPEST = 8
"""Edits in a row, after which all is looked at anew: each look-up goes through all of them."""

Value = TypeVar("Value", bound="int | tuple[int, ...]")


def take_over(before: Graph, after: Graph, begin: int, end: int) -> None:
    """Let `after` know its producers, consumers and live nodes by those of `before`, whose nodes from `begin` up to `end` it replaced.

    Where that does not hold for certain it finds out by itself, as any graph does.
    """
    known = vars(before)
    if not {"producers", "consumers", "node_index"} <= known.keys() or end - begin > MOST * len(before.nodes):
        return
    shift = len(after.nodes) - len(before.nodes)
    old, new = before.nodes[begin:end], after.nodes[begin : end + shift]
    if any(node.op in CONTROL_FLOW for node in (*old, *new)) or not _written_once(before, old, new):
        return
    depth = max([getattr(known[name], "depth", 0) for name in ("producers", "consumers", "node_index")])
    if depth >= DEEPEST:
        return
    move = _Move(begin, end, shift)
    gone: dict[str, int | None] = dict.fromkeys([name for node in old for name in node.outputs])
    gone.update({name: begin + i for i, node in enumerate(new) for name in node.outputs if name})
    named: dict[str, int | None] = dict.fromkeys([node.name for node in old])
    named.update({node.name: begin + i for i, node in enumerate(new)})
    reads: dict[str, list[int]] = {name: [] for node in old for name in node.inputs if name}
    for i, node in enumerate(new, begin):
        for name in node.inputs:
            if name:
                reads.setdefault(name, []).append(i)
    indices = vars(after)
    indices["single_writers"] = True
    indices["producers"] = _Moved(before.producers, gone, move.one, depth + 1)
    indices["node_index"] = _Moved(before.node_index, named, move.one, depth + 1)
    touched = {
        name: move.several(before.consumers.get(name, ()), read) or None for name, read in reads.items()
    }
    indices["consumers"] = _Moved(before.consumers, touched, move.several, depth + 1)
    if known.get("all_needed") and _still_needed(after, old, range(begin, end + shift)):
        indices["all_needed"] = True


def _written_once(before: Graph, old: tuple[Node, ...], new: tuple[Node, ...]) -> bool:
    """No two nodes write one tensor or have one name, neither before nor after."""
    if not before.single_writers:
        return False
    written = [name for node in new for name in node.outputs if name]
    names = [node.name for node in new]
    return (
        len(set(written)) == len(written)
        and len(set(names)) == len(names)
        and all(
            name not in before.producers for name in set(written) - {n for node in old for n in node.outputs}
        )
        and all(name not in before.node_index for name in set(names) - {node.name for node in old})
    )


def _still_needed(after: Graph, old: tuple[Node, ...], new: range) -> bool:
    """All nodes are needed as all were before: those put in, and those that lost a reader, have one behind them."""
    nodes, consumers, results = after.nodes, after.consumers, after.output_set
    if any(node.op in SIZES for node in old) or any(nodes[i].op in SIZES for i in new):
        return False
    feeding = {after.producers.get(name, -1) for node in old for name in node.inputs} - {-1}
    return all(
        any(
            name in results or any(k > i and nodes[k].op not in SIZES for k in consumers.get(name, ()))
            for name in nodes[i].outputs
            if name
        )
        for i in (*new, *feeding)
    )


class _Move:
    """Where indices are after the edit."""

    def __init__(self, begin: int, end: int, shift: int) -> None:
        self.begin, self.end, self.shift = begin, end, shift

    def one(self, index: int) -> int:
        """The index of a node that is still there."""
        return index if index < self.begin else index + self.shift

    def several(self, indices: tuple[int, ...], between: list[int] | tuple[()] = ()) -> tuple[int, ...]:
        """Those that are still there, ascending, and those put in between."""
        begin, end = bisect_left(indices, self.begin), bisect_left(indices, self.end)
        if end == len(indices) or not self.shift:
            return indices if begin == end and not between else (*indices[:begin], *between, *indices[end:])
        return (*indices[:begin], *between, *[index + self.shift for index in indices[end:]])


class _Moved(Mapping[str, Value]):
    """The indices before the edit, moved as they are asked for; what it changed is known already, None where it is gone."""

    __slots__ = ("_before", "_known", "_move", "depth")

    def __init__(
        self, before: Mapping[str, Value], known: dict[str, Value | None], move: Any, depth: int
    ) -> None:
        self._before, self._known, self._move, self.depth = before, known, move, depth

    def get(self, name: str, default: Any = None) -> Any:
        """The value, the default where there is none."""
        if name in self._known:
            value = self._known[name]
            return default if value is None else value
        value = self._before.get(name)
        if value is None:
            return default
        value = self._known[name] = self._move(value)
        return value

    def __getitem__(self, name: str) -> Value:
        value: Value | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        known = self._known
        return known[name] is not None if name in known else name in self._before

    def __iter__(self) -> Iterator[str]:
        own = [name for name, value in self._known.items() if value is not None]
        return iter(dict.fromkeys([*own, *[name for name in self._before if name not in self._known]]))

    def __len__(self) -> int:
        return sum(1 for _ in self)
