"""Traces through a model: all that leads to a layer or a scope, all that it leads to, and what lies between two."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from npuscope.model.links import Links
from npuscope.model.scopes import steps
from npuscope.record import dataclass

if TYPE_CHECKING:
    from npuscope.model.layers import Layer


class Way(Enum):
    """Which way a trace goes from its layer; in the order in which they are offered."""

    BOTH = "leads to it or comes of it"
    BEFORE = "leads to it"
    AFTER = "comes of it"


@dataclass(frozen=True)
class End:
    """What was chosen: a layer, or a scope with all of its layers."""

    name: str
    layers: frozenset[str]
    is_scope: bool = False


@dataclass(frozen=True)
class Trace:
    """The layers on a trace. `end` is the other end of a path, None where the trace goes from one end only."""

    layers: frozenset[str]
    start: End
    end: End | None = None
    way: Way = Way.BOTH

    @property
    def ends(self) -> tuple[End, ...]:
        """What was chosen."""
        return (self.start, self.end) if self.end is not None else (self.start,)


def layer_end(name: str) -> End:
    """A layer as the end of a trace."""
    return End(name, frozenset((name,)))


def scope_end(path: str, layers: Iterable[Layer]) -> End:
    """A scope as the end of a trace: those of a model's layers that lie in it, however deep."""
    inside = (layer.name for layer in layers if any(path == around for around, _ in steps(layer.scope)))
    return End(path, frozenset(inside), is_scope=True)


def trace(links: Links, start: End, way: Way = Way.BOTH) -> Trace:
    """All layers that lead to a layer or a scope, that come of it, or both; itself too."""
    found = set(start.layers)
    if way is not Way.AFTER:
        found |= _reached(_neighbours(links, upwards=True), start)
    if way is not Way.BEFORE:
        found |= _reached(_neighbours(links, upwards=False), start)
    return Trace(frozenset(found), start, way=way)


def path(links: Links, one: End, other: End) -> Trace | None:
    """The layers on all paths between two ends, whichever comes first; None where no path joins them, or one is in the other."""
    if one.layers & other.layers:
        return None
    down, up = _neighbours(links, upwards=False), _neighbours(links, upwards=True)
    for start, end in ((one, other), (other, one)):
        after = _reached(down, start)
        if after & end.layers:
            between = (after | start.layers) & (_reached(up, end) | end.layers)
            return Trace(frozenset(between), start, end)
    return None


def _neighbours(links: Links, upwards: bool) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for start, end in links.edges:
        if upwards:
            found[end].append(start)
        else:
            found[start].append(end)
    return found


def _reached(neighbours: Mapping[str, Sequence[str]], start: End) -> set[str]:
    """All that can be reached, without a layer of the start itself where nothing leads back to it."""
    reached: set[str] = set()
    pending = list(start.layers)
    while pending:
        for other in neighbours.get(pending.pop(), ()):
            if other not in reached:
                reached.add(other)
                pending.append(other)
    return reached
