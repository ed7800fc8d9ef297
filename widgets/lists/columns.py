"""The tree's columns: which fit a width, and the text of a row in them."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

from npuscope.model.convolution import channels_text
from npuscope.model.names import printable
from npuscope.npu.figures import plural
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.lists.outline import Kind, Row, Scope
from npuscope.widgets.text.cells import cells, clip, left, right, shown
from npuscope.widgets.text.figures import short, three
from npuscope.widgets.text.layer_names import shown_of
from npuscope.widgets.text.spans import Line, Span, line, quiet, spread
from npuscope.widgets.text.words import DIFFERS, GUESSED, MARK, ROLES, counts, own_role, where

_OPEN, _SHUT = "▾", "▸"


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells; 0 = not shown. Between two columns lies one blank, before `where` two."""

    name: int
    op: int
    channels: int
    rate: int
    cycles: int
    share: int
    heat: int
    """Cells of the bar before the share."""
    own: int = 0
    """Of what a layer loses itself, in dB, where that was measured."""

    @property
    def tail(self) -> int:
        """Cells from the start of `where` to the end."""
        shown = (self.own, self.rate, self.cycles, self.heat, self.share)
        return _WHERE + sum(1 + width for width in shown if width)


_WHERE = 5
_ROOMY = 64
_MARK = 1


@cache
def columns(width: int, measured: bool = False) -> Columns:
    """What fits. Name, placement, share and `measured` accuracy always; then rate, op, channels, cycles."""
    own = 5 if measured and width >= 24 else 0
    if own:
        rest = columns(width - own - 1)
        return replace(rest, own=own)
    op = (
        0 if width < 58 else 8 if width < 72 else 11
    )  # below, the name needs the room, which often ends in the operator
    rate = 0 if width < 38 else 5 if width < 72 else 7
    channels = 0 if width < 48 else 9 if width < 72 else 10
    cycles = 0 if width < 84 else 8
    share = 3 if width < 48 else 4
    heat = 0 if width < 30 else 1 if width < 60 else 2
    taken = _MARK + _WHERE + 2 + sum(1 + part for part in (op, channels, rate, cycles, share, heat) if part)
    return Columns(max(width - taken, 4), op, channels, rate, cycles, share, heat)


def heading(width: int, title: str, measured: bool = False) -> Line:
    """The names of the columns."""
    widths = columns(width, measured)
    text = " " * _MARK + left(title, widths.name)
    if widths.op:
        text += " " + left("op", widths.op)
    if widths.channels:
        text += " " + right("in→out", widths.channels)
    text += "  " + left("where", _WHERE)
    if widths.own:
        text += " " + right("dB", widths.own)
    if widths.rate:
        text += " " + right("MAC/c", widths.rate)
    if widths.cycles:
        text += " " + right("cycles", widths.cycles)
    return line(
        Span(text + " " * (widths.heat + 1 if widths.heat else 0) + _percent_cell("%", widths), "title")
    )


def _percent_cell(figure: str, widths: Columns) -> str:
    """Behind a bar its blank is at the right, so that it does not touch the bar to scroll by."""
    text = right(figure, widths.share)
    return f"{text} " if widths.heat else f" {text}"


def column_at(x: int, heading: str) -> str:
    """The column of the table of layers whose name in the tree's heading is at a cell, '' for none."""
    for word in re.finditer(r"\S+", heading):
        if word.start() <= x < word.end():
            return "own dB" if word[0] == "dB" else word[0]
    return ""


def row_line(
    row: Row, snapshot: Snapshot, width: int, sought: tuple[str, ...], differing: frozenset[str] = frozenset()
) -> Line:
    """A row in its columns; `differing` are the layers on which the tools do not agree."""
    if row.kind is Kind.LAYER and row.report is not None:
        return _layer(row, row.report, snapshot, width, sought, row.report.name in differing)
    if row.scope is not None:
        return _scope(row, row.scope, snapshot, width)
    return _below(row, width)


def _layer(
    row: Row, report: LayerReport, snapshot: Snapshot, width: int, sought: tuple[str, ...], differs: bool
) -> Line:
    widths = columns(width, bool(snapshot.own_decibels))
    changed = report.name in snapshot.changed
    indent = _indent(row, width)
    loud = report.placement.on_cpu and snapshot.alarming(report)
    role = "sw-strong" if loud else "text"
    room = widths.name - cells(indent)
    name = left(_label(row, room), room)
    mark = Span(MARK, "changed") if changed else Span(DIFFERS if differs else " ", "attention")
    parts = [mark, Span(indent, "quiet"), *_matched(name, sought, role)]
    if widths.op:
        parts.append(quiet(" " + left(shown(row.op, widths.op), widths.op)))
    if widths.channels:
        parts.append(quiet(" " + right(channels_text(report.layer), widths.channels)))
    parts += [Span("  "), where(report.placement)]
    cost = report.cost
    if widths.own:
        own = snapshot.own_decibels.get(report.name)
        parts.append(Span(" " + right("·" if own is None else f"{own:.1f}", widths.own), own_role(own)))
    unknown = "…" if report.placement is Placement.OPEN else "?"
    if widths.rate:
        parts.append(quiet(" " + right(unknown if cost is None else _rate(report), widths.rate)))
    if widths.cycles:
        # A CPU's cycles are of another clock: beside the NPU's they would mislead.
        cycles = report.line.cycles
        cell = unknown if cost is None else "·" if cycles is None else short(cycles)
        parts.append(quiet(" " + right(cell, widths.cycles)))
    share = snapshot.share(report)
    figure = _share(share) if cost is not None else unknown
    if snapshot.measured and report.name not in snapshot.measured and figure not in "·?…":
        figure = f"{GUESSED}{figure}"
    parts += heat(share / (snapshot.hottest or 1.0), widths.heat, report.placement)
    parts.append(Span(_percent_cell(figure, widths), "text" if share >= 0.05 else "quiet"))
    return tuple(parts)


def _label(row: Row, width: int) -> str:
    return clip(printable(row.label), width) if row.peers is None else shown_of(row.peers, row.label, width)


_LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = "▏▎▍▌▋▊▉█"


def heat(part: float, width: int, placement: Placement | None) -> Line:
    """A blank and a bar of `width` cells, `part` of it full: upwards in one cell, else along the line.

    What would fill less than half of the first eighth is left out, so that the layers that matter stand out.
    """
    if not width:
        return ()
    role = ROLES[placement] if placement is not None else "quiet"
    if width == 1:
        level = min(round(part * 8), 8)
        return (Span(" " + (_LEVELS[level - 1] if level else " "), role),)
    eighths = min(round(part * 8 * width), 8 * width)
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest - 1] if rest else "")
    return (Span(" " + text + " " * (width - len(text)), role),)


def _share(share: float) -> str:
    """Whole percent; a dot for what rounds to nothing, so that the figures that matter stand out."""
    return f"{share * 100:.0f}" if share >= 0.005 else "·"


def _rate(report: LayerReport) -> str:
    rate = report.line.macs_per_cycle
    if rate is None:
        return "·"
    return three(rate) if rate >= 0.01 else "<.01"


def _scope(row: Row, scope: Scope, snapshot: Snapshot, width: int) -> Line:
    widths = columns(width, bool(snapshot.own_decibels))
    share, cpu, off, touched = scope.tally(snapshot)
    layers = len(scope.layers)
    changed = not row.expanded and row.kind is Kind.SCOPE and touched
    # An open scope's layers speak for themselves; a closed one says what it hides.
    opened = scope.worst is Placement.OPEN
    tally = counts(layers - off, off - cpu, cpu) if not row.expanded and not opened else ()
    about = f"  {plural(layers, 'layer')}" if not row.expanded and width >= 48 else ""
    tail = widths.tail
    wide = sum(cells(span.text) for span in tally)
    beside = tail if row.expanded else max(tail, wide + widths.share + 2)
    indent = _indent(row, width)
    room = max(width - _MARK - cells(indent) - len(about) - beside - 1, 8)
    start = line(
        Span(MARK if changed else " ", "changed"),
        Span(indent, "quiet"),
        Span(_label(row, room), "strong" if row.kind is Kind.MODEL else "text"),
        quiet(about),
    )
    if row.expanded:
        return spread(start, (), width - tail)
    figure = "…" if opened else _share(share)
    end = (
        *tally,
        Span(" " * (beside - widths.share - 1 - wide)),
        Span(_percent_cell(figure, widths), "quiet"),
    )
    return spread(start, end, width)


def _below(row: Row, width: int) -> Line:
    """A node, a tensor or a subgraph: its words at the left, its type at the right."""
    # The mark stands alone: the rail goes behind it.
    mark, indent = Span(" " * _MARK), _indent(row, width)
    room = max(width - _MARK - cells(indent), 8)
    detail, most = row.detail, max(room // 2, 8)
    if cells(detail) > most:
        # Its sizes say more than its type; cut in the middle, 257×257 would read as 57×257.
        detail = clip(printable(detail.partition(" ")[2] or detail), most)
    rest = room - cells(detail) - 1
    start: Line
    if row.kind is Kind.TENSOR:
        start = line(mark, quiet(f"{indent}{row.op:<4}"), quiet(_label(row, max(rest - 4, 6))))
    elif row.kind is Kind.LOOSE:
        start = line(mark, quiet(indent), row.label)
    elif row.kind is Kind.BODY:
        start = line(mark, quiet(indent), f"{row.op} ", quiet(_label(row, max(rest - len(row.op) - 1, 6))))
    else:
        op = shown(row.op, 20)
        start = line(mark, quiet(indent), op, quiet("  " + _label(row, max(rest - cells(op) - 2, 6))))
    return spread(start, (quiet(detail),) if detail else (), width)


def arrow_at(row: Row, width: int) -> int:
    """Cells before the arrow of a row, the mark left out; where names are short of room a level takes one."""
    return min(row.depth, 8) * (1 if width < _ROOMY else 2)


def _indent(row: Row, width: int) -> str:
    if row.kind is Kind.MODEL:
        return ""
    arrow = " " if not row.expandable else _OPEN if row.expanded else _SHUT
    return " " * arrow_at(row, width) + arrow + " "


def _matched(text: str, sought: tuple[str, ...], role: str) -> list[Span]:
    """Text with the first word that a search found in it set off."""
    lower = text.lower()
    for word in sought:
        if (start := lower.find(word)) >= 0:
            end = start + len(word)
            return [Span(text[:start], role), Span(text[start:end], "match"), Span(text[end:], role)]
    return [Span(text, role)]
