"""The rail: lanes beside the rows of the tree that show which row feeds which, as `git log --graph` does.

On a trace, rows and lanes that are not part of it step back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from npuscope.model.inspection.trace import End, Trace
from npuscope.model.links import LaneRow, lanes
from npuscope.snapshot import Snapshot
from npuscope.widgets.lists.row import Kind, Row
from npuscope.widgets.text.spans import Line, Span
from npuscope.widgets.text.words import ROLES

LANES = 6
"""Lanes that are drawn; what lies beyond is counted in the last cell."""


LEAST_TREE = 48
"""Cells of a tree that has room for a rail."""


def rail_width(width: int) -> int:
    """Cells of the rail in a tree of some width, 0 where it would take too much of the names."""
    return 0 if width < LEAST_TREE else 5 if width < 64 else LANES + 1


def rail(rows: Sequence[Row], snapshot: Snapshot) -> list[LaneRow]:
    """The lanes beside the visible rows: a layer is its own row, or the closed scope that holds it."""
    row_of: dict[str, int] = {}
    for index, row in enumerate(rows):
        if row.kind is Kind.LAYER and row.report is not None:
            row_of[row.report.name] = index
        elif row.kind is Kind.SCOPE and row.scope is not None and not row.expanded:
            row_of.update(dict.fromkeys([report.layer.name for report in row.scope.layers], index))
    place = row_of.get
    # Most lie within one row: few are left that differ. What is in no row leads to row -1, which there is not.
    edges = dict.fromkeys([(place(start, -1), place(end, -1)) for start, end in snapshot.links.edges])
    return lanes(len(rows), edges, LANES)


def rail_line(
    rows: Sequence[Row],
    drawn: Sequence[LaneRow],
    index: int,
    width: int,
    on_trace: Mapping[int, int] | None = None,
) -> Line:
    """The rail of a row in `width` cells; a lane has the colour of the row it comes from.

    `on_trace`: rows on a trace, each with the last row on it that its lane ends in; all other lanes are faint.
    """

    def role(position: int) -> str:
        if on_trace is not None and (position not in on_trace or position < index > on_trace[position]):
            return AWAY
        return _role(rows[position])

    return lane_line(role, drawn, index, width)


def lane_line(role_of: Callable[[int], str], drawn: Sequence[LaneRow], index: int, width: int) -> Line:
    """The lanes of a row in `width` cells; the last one counts what is not drawn."""
    lane = drawn[index]
    most = width - 1
    last = max([*lane.ends, *(() if lane.starts is None else (lane.starts,))], default=-1)
    parts: list[Span] = []
    for position in range(most):
        origin = lane.through.get(position, lane.ends.get(position))
        role = role_of(origin if origin is not None else index)
        if position == lane.node:
            parts.append(Span("●", role_of(index)))
        else:
            parts.append(Span(_glyph(lane, position, last), role))
    shown = [*lane.through, *lane.ends, *(() if lane.starts is None else (lane.starts,))]
    beyond = lane.hidden + sum(position >= most for position in shown)
    parts.append(Span("+" if beyond else " ", "quiet"))
    return tuple(parts)


def _glyph(lane: LaneRow, index: int, last: int) -> str:
    """A lane beside the row's own, with the line that joins them where one leads to the right of it."""
    ends, starts = index in lane.ends, index == lane.starts
    joined = lane.node is not None and lane.node < index <= last
    if ends and starts:
        return "┼" if index < last else "┤"
    if ends:
        return "┴" if index < last else "┘"
    if starts:
        return "┬" if index < last else "┐"
    if index in lane.through:
        return "┼" if joined else "│"
    return "─" if joined else " "


def _role(row: Row) -> str:
    """The colour of a row: its layer's place, the worst of its layers where it is a scope."""
    if row.report is not None:
        return ROLES[row.report.placement]
    worst = row.scope.worst if row.scope is not None else None
    return ROLES[worst] if worst is not None else "quiet"


END = "◆"
"""Before a layer or a scope that was chosen."""

AWAY = "faint"
"""The role of what is not on the trace."""


def is_on(row: Row, trace: Trace) -> bool:
    """The layer of a row, or one of the layers below it, is on a trace."""
    if row.report is not None:
        return row.report.name in trace.layers
    if row.scope is None or row.kind is Kind.MODEL:
        return row.kind is Kind.MODEL
    return any(report.name in trace.layers for report in row.scope.layers)


def traced(shown: Line, row: Row, trace: Trace) -> Line:
    """A row with its ends marked, in the first cell; faint where it is not on the trace."""
    if not is_on(row, trace):
        return tuple(Span(span.text, AWAY) for span in shown)
    if any(_stands_for(row, end) for end in trace.ends):
        return (Span(END, "accent-strong"), *shown[1:])
    return shown


def _stands_for(row: Row, end: End) -> bool:
    if end.is_scope:
        return row.kind is Kind.SCOPE and row.scope is not None and row.scope.path == end.name
    return row.kind is Kind.LAYER and row.report is not None and row.report.name == end.name


def lanes_on(rows: Sequence[Row], drawn: Sequence[LaneRow], trace: Trace | None) -> dict[int, int] | None:
    """Row on the trace -> the last row on it that the row's lane ends in, 0 for none; None where nothing is traced."""
    if trace is None:
        return None
    on = [is_on(row, trace) for row in rows]
    last = {index: 0 for index, here in enumerate(on) if here}
    for index, lane in enumerate(drawn):
        if on[index]:
            for begun in lane.ends.values():
                if on[begun]:
                    last[begun] = index
    return last
