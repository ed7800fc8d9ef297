"""Who feeds whom: the edges between layers, and the lanes that draw them beside a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from heapq import heappop, heappush

from npuscope.model.layer import Layer, Operand
from npuscope.model.layers import Layers
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """An edge: the tensor, and the layer at its other end, '' where the graph begins or ends."""

    operand: Operand
    layer: str


@dataclass(frozen=True, eq=False)
class Links:
    """The edges between the layers of a graph."""

    joined: Layers

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in graph order."""
        return self.joined.layers

    def producers(self, layer: Layer) -> tuple[Link, ...]:
        """What a layer reads, in operator order; constants left out."""
        read = [(operand, self._writer(operand)) for operand in layer.inputs if operand.constant is None]
        return tuple([Link(operand, writer.name if writer is not None else "") for operand, writer in read])

    def _writer(self, operand: Operand) -> Layer | None:
        writers = self.joined.writers
        return writers.get(operand.tensor) or writers.get(operand.seen)

    def consumers(self, layer: Layer) -> tuple[Link, ...]:
        """What a layer writes and who reads it; an output of the graph that nobody reads has ''."""
        links: list[Link] = []
        readers = self.joined.readers
        for operand in layer.outputs:
            reading = (*readers.get(operand.tensor, ()), *readers.get(operand.seen, ()))
            names = dict.fromkeys([reader.name for reader in reading])
            links += [Link(operand, name) for name in names] or [Link(operand, "")]
        return tuple(links)

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(producer, consumer) of every edge, once each."""
        edges = {
            (writer.name, layer.name): None
            for layer in self.layers
            for operand in layer.inputs
            if operand.constant is None
            and (writer := self._writer(operand)) is not None
            and writer is not layer
        }
        return tuple(edges)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """The lanes beside a row.

    1. `node` is the lane of the row's own layer, None where it has no edge.
    2. `through` are the lanes of edges that pass it, `ends` those that end in it, each with the row it began in;
       `starts` is the lane that begins in it, None where none does.
    3. `hidden` counts the lanes there that are beyond the last one drawn.
    """

    node: int | None
    through: Mapping[int, int]
    ends: Mapping[int, int]
    starts: int | None = None
    hidden: int = 0


def lanes(count: int, edges: Iterable[tuple[int, int]], most: int) -> list[LaneRow]:
    """Lanes for `count` rows and edges between rows, at most `most` of them side by side.

    1. Edges of one row share a lane down to its last reader, so a branch is one line with several ends.
    2. An edge that leads upwards is drawn as well: a lane runs from the upper row to the lower one.
    3. A lane is taken again as soon as it is free; the leftmost free one first.
    """
    last: dict[int, int] = {}
    """Row -> the last row its lane ends in."""
    into: dict[int, list[int]] = {}
    for start, end in dict.fromkeys((min(edge), max(edge)) for edge in edges):
        if start != end and start >= 0 and end < count:
            last[start] = max(last.get(start, 0), end)
            into.setdefault(end, []).append(start)
    lane_of: dict[int, int] = {}
    closing: dict[int, list[int]] = {}
    running: dict[int, int] = {}
    """Lane that is drawn -> the row it began in."""
    free: list[int] = []
    taken = unseen = 0
    rows: list[LaneRow] = []
    for row in range(count):
        arriving = {lane_of[start]: start for start in into.get(row, ())}
        for lane in closing.pop(row, ()):
            heappush(free, lane)
            unseen -= lane >= most
            running.pop(lane, None)
        beyond = unseen + sum(lane >= most and last[start] == row for lane, start in arriving.items())
        through = dict(running)
        begun = None
        if row in last:
            begun = heappop(free) if free else taken
            taken = max(taken, begun + 1)
            lane_of[row] = begun
            closing.setdefault(last[row], []).append(begun)
            if begun < most:
                running[begun] = row
            else:
                unseen, beyond, begun = unseen + 1, beyond + 1, None
        ends = {lane: start for lane, start in arriving.items() if lane < most}
        node = min([*ends, *(() if begun is None else (begun,))], default=None)
        rows.append(LaneRow(node, through, ends, begun, beyond))
    return rows
