"""Traces through a model: all that leads to a layer, all that it leads to, and what lies between two layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum

from npuscope.model.links import Links
from npuscope.record import dataclass


class Way(Enum):
    """Which way a trace goes from its layer; in the order in which they are offered."""

    BOTH = "leads to it or comes of it"
    BEFORE = "leads to it"
    AFTER = "comes of it"


@dataclass(frozen=True)
class Trace:
    """The layers on a trace. `end` is the other end of a path, '' where the trace has one layer to go from."""

    layers: frozenset[str]
    start: str
    end: str = ""
    way: Way = Way.BOTH

    @property
    def ends(self) -> tuple[str, ...]:
        """The layers that were chosen."""
        return (self.start, self.end) if self.end else (self.start,)


def trace(links: Links, name: str, way: Way = Way.BOTH) -> Trace:
    """All layers that lead to a layer, that come of it, or both; the layer itself too."""
    found = {name}
    if way is not Way.AFTER:
        found |= _reached(_neighbours(links, upwards=True), name)
    if way is not Way.BEFORE:
        found |= _reached(_neighbours(links, upwards=False), name)
    return Trace(frozenset(found), name, way=way)


def path(links: Links, one: str, other: str) -> Trace | None:
    """The layers on all paths between two layers, whichever comes first; None where no path joins them."""
    down, up = _neighbours(links, upwards=False), _neighbours(links, upwards=True)
    for start, end in ((one, other), (other, one)):
        after = _reached(down, start)
        if end in after:
            return Trace(frozenset(after & _reached(up, end) | {start, end}), start, end)
    return None


def _neighbours(links: Links, upwards: bool) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for start, end in links.edges:
        if upwards:
            found[end].append(start)
        else:
            found[start].append(end)
    return found


def _reached(neighbours: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """All that can be reached, without the layer itself where nothing leads back to it."""
    reached: set[str] = set()
    pending = [name]
    while pending:
        for other in neighbours.get(pending.pop(), ()):
            if other not in reached:
                reached.add(other)
                pending.append(other)
    return reached
