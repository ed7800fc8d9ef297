"""The columns of the table of layers: what each shows, and by what it sorts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from weakref import WeakKeyDictionary

from npuscope.model.convolution import channels_text
from npuscope.npu.ledger import bound_name
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import bytes_, percent, ratio, short, time_cell
from npuscope.widgets.text.gains import gain_cell, saved
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, Span, quiet
from npuscope.widgets.text.words import GUESSED, own_role, where

Figure = Callable[[LayerReport, Snapshot], float | None]


@dataclass(frozen=True, slots=True, eq=False)
class LayerColumn:
    """A column.

    1. `order` is what it sorts by; figures come largest first, all else from the smallest; None comes last.
    2. Where the table is too narrow, columns of low `weight` are left out. A `width` of 0 takes what is left.
    """

    title: str
    width: int
    weight: int
    order: Callable[[LayerReport, Snapshot], float | str | None]
    cell: Callable[[LayerReport, Snapshot, int], Span]
    largest_first: bool = True
    at_left: bool = False


def _figure(title: str, width: int, weight: int, value: Figure, text: Callable[[float], str]) -> LayerColumn:
    def cell(report: LayerReport, snapshot: Snapshot, room: int) -> Span:
        figure = value(report, snapshot)
        none = "?" if report.cost is None else "·"  # not known, or none: software has no cycles of the NPU
        return quiet(right(none if figure is None else text(figure), room))

    return LayerColumn(title, width, weight, value, cell)


def _time(report: LayerReport, snapshot: Snapshot) -> float | None:
    return snapshot.time_of(report) if report.cost is not None else None


def _share(report: LayerReport, snapshot: Snapshot) -> float | None:
    return snapshot.share(report) if report.cost is not None else None


def _share_cell(report: LayerReport, snapshot: Snapshot, room: int) -> Span:
    share = _share(report, snapshot)
    if share is None:
        return quiet(right("?", room))
    text = percent(share) if share >= 0.005 else "·"
    if snapshot.measured and report.name not in snapshot.measured and text != "·":
        text = f"{GUESSED}{text}"
    return Span(right(text, room), "text" if share >= 0.05 else "quiet")


def _name_cell(report: LayerReport, snapshot: Snapshot, room: int) -> Span:
    loud = report.placement.on_cpu and snapshot.alarming(report)
    return Span(left(shown_layer(snapshot, report.name, room), room), "sw-strong" if loud else "text")


_positions: WeakKeyDictionary[Snapshot, dict[str, int]] = WeakKeyDictionary()


def _position(report: LayerReport, snapshot: Snapshot) -> int:
    """Its place in the graph."""
    places = _positions.get(snapshot)
    if places is None:
        places = _positions[snapshot] = {layer.name: index for index, layer in enumerate(snapshot.layers)}
    return places[report.name]


def _bound(report: LayerReport, snapshot: Snapshot) -> str:
    bound = report.line.bound_by
    return "" if report.cost is None or bound == "nothing" else bound_name(bound)


GRAPH = LayerColumn(
    "#", 6, 4,
    lambda report, snapshot: _position(report, snapshot),
    lambda report, snapshot, room: quiet(right(str(_position(report, snapshot) + 1), room)),
    largest_first=False,
)  # fmt: skip
NAME = LayerColumn(
    "layer", 0, 99, lambda report, _: report.name.lower(), _name_cell, largest_first=False, at_left=True
)
TIME = _figure("time", 10, 90, _time, time_cell)
GAIN = LayerColumn(
    "gain", 9, 75,
    lambda report, snapshot: saved(snapshot, report),
    lambda report, snapshot, room: gain_cell(saved(snapshot, report), room),
)  # fmt: skip
"""What the best fix saves of the model."""

COLUMNS = (
    GRAPH,
    NAME,
    LayerColumn(
        "op", 13, 55,
        lambda report, _: report.layer.op.lower(),
        lambda report, _, room: quiet(left(shown(report.layer.op, room), room)),
        largest_first=False, at_left=True,
    ),
    LayerColumn(
        "in→out", 10, 6,
        lambda report, _: _macs(report, _),
        lambda report, _, room: quiet(right(channels_text(report.layer), room)),
    ),
    LayerColumn(
        "where", 6, 95,
        lambda report, _: report.placement.rank,
        lambda report, _, room: where(report.placement),
        at_left=True,
    ),
    TIME,
    LayerColumn("%", 4, 80, _share, _share_cell),
    GAIN,
    # A CPU's cycles are of another clock, and say nothing of the memory it waits for.
    _figure(
        "cycles",
        8,
        70,
        lambda r, _: None if r.line.cycles is None else float(r.line.cycles),
        short,
    ),
    _figure("MAC/c", 7, 60, lambda r, _: r.line.macs_per_cycle, ratio),
    _figure("MAC", 8, 20, lambda r, s: _macs(r, s), lambda value: short(value) if value else "·"),
    _figure(
        "weights", 9, 50,
        lambda r, _: float(r.cost.weights_bytes) if r.cost is not None else None,
        lambda value: bytes_(round(value)) if value else "·",
    ),
    LayerColumn(
        "bound by", 13, 40,
        _bound,
        lambda report, snapshot, room: quiet(left(shown(_bound(report, snapshot), room), room)),
        largest_first=False, at_left=True,
    ),
)  # fmt: skip


def _own_cell(report: LayerReport, snapshot: Snapshot, room: int) -> Span:
    own = snapshot.own_decibels.get(report.name)
    return Span(right("·" if own is None else f"{own:.1f}", room), own_role(own))


OWN = LayerColumn(
    "own dB", 8, 96,
    lambda report, snapshot: snapshot.own_decibels.get(report.name),
    _own_cell,
    largest_first=False,
)  # fmt: skip
"""What a layer loses itself; a column where it was measured."""


def by_title(title: str) -> LayerColumn:
    """The column of a name, that of time where there is none."""
    return next((column for column in (*COLUMNS, OWN) if column.title == title), TIME)


def _macs(report: LayerReport, _: Snapshot) -> float | None:
    return float(report.cost.macs) if report.cost is not None else None


_NAME = 26
"""Cells that are enough for a name where another column can be had for them."""


@cache
def fitting(width: int, own: bool = False) -> tuple[tuple[LayerColumn, int], ...]:
    """The columns that leave the name enough room, with their widths; `own` errors where there are any."""
    kept = list(COLUMNS)
    if own:
        kept.insert(kept.index(TIME), OWN)
    least = max(min(width // 4, _NAME), 10)
    while len(kept) > 2 and sum(column.width + 1 for column in kept) + least > width:
        kept.remove(min(kept, key=lambda column: column.weight))
    rest = max(width - sum(column.width + 1 for column in kept if column.width), 4)
    return tuple((column, column.width or rest) for column in kept)


def heading(width: int, by: LayerColumn, reverse: bool, own: bool = False) -> Line:
    """The names of the columns; an arrow at the one that orders the rows."""
    arrow = "▾" if by.largest_first != reverse else "▴"
    parts: list[Span] = []
    for column, room in fitting(width, own):
        here = column is by
        text = column.title + arrow if here else column.title
        parts.append(
            Span((left if column.at_left else right)(text, room), "accent-strong" if here else "title")
        )
        parts.append(Span(" "))
    return tuple(parts)


def row(report: LayerReport, snapshot: Snapshot, width: int) -> Line:
    """A layer in the columns."""
    parts: list[Span] = []
    for column, room in fitting(width, bool(snapshot.own_decibels)):
        cell = column.cell(report, snapshot, room)
        parts.append(cell)
        parts.append(Span(" " * (room - len(cell.text) + 1) if column.title == "where" else " "))
    return tuple(parts)
