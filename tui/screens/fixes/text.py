"""What is said of an edit that would help a layer: a line in the list, a line in a pane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.model.brief import Names
from npuscope.npu.figures import plural
from npuscope.numbers.calibrate_all import takes_scales
from npuscope.planning.outcome import Outcome, slower_words
from npuscope.planning.proposals import Preview
from npuscope.snapshot import LayerReport
from npuscope.tui.screens.split.text import comparison, model_change, numbers_cell, slows
from npuscope.widgets.lists.fix_lines import without_layer
from npuscope.widgets.panes.eligibility import sentence
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import short, time_cell
from npuscope.widgets.text.layer_names import listed, shown_of
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, wrap
from npuscope.widgets.text.words import where

if TYPE_CHECKING:
    from npuscope.numbers.price import Price

_WHERE, _MOVE, _TIME, _MODEL, _CYCLES, _NUMBERS = 7, 15, 11, 11, 8, 13

_WIDE = 92
"""Cells from which there is room for what is also said elsewhere: where the layer ran before, and its time after."""


_WITH_CYCLES, _WITH_TIME = 62, 46
"""Cells from which there is room for the cycles, and for the time."""


def heading(width: int) -> Line:
    """The names of the columns."""
    text = left("edit", _edit(width)) + left("where", _MOVE if width >= _WIDE else _WHERE)
    if width >= _WIDE:
        text += right("time", _TIME)
    if width >= _WITH_TIME:
        text += right("model", _MODEL)
    if width >= _WITH_CYCLES:
        text += right("cycles", _CYCLES)
    return line(Span(text + "  numbers", "title"))


def fix_line(
    fix: Preview, among: Names, width: int, price: Price | None = None, made: Outcome | None = None
) -> Line:
    """An edit in one line `among` others, with what it makes of the layer; `price` is its price in numbers, if known."""
    room = _edit(width)
    moved: Line = (where(fix.after), Span("  "))
    if width >= _WIDE:
        moved = (where(fix.after), Span(" " * (_MOVE - 5)))
        if fix.before is not fix.after:
            moved = (where(fix.before), quiet(" → "), where(fix.after), Span("  "))
    role = "quiet" if slows(made) else "text"
    time = "…" if made is None else time_cell(made.milliseconds)
    cycles = "…" if made is None else "·" if not made.cycles else short(made.cycles)
    numbers = numbers_cell(fix.exactness, price)
    return (
        Span(left(shown_of(among, without_layer(fix.edit), room - 1), room), role),
        *(moved if role == "text" else (quiet(each.text) for each in moved)),
        quiet(right(time, _TIME) if width >= _WIDE else ""),
        _change(made) if width >= _WITH_TIME else Span(""),
        quiet(right(cycles, _CYCLES) if width >= _WITH_CYCLES else ""),
        Span("  "),
        numbers if role == "text" else quiet(numbers.text),
    )


def _edit(width: int) -> int:
    rest = _MOVE + _TIME if width >= _WIDE else _WHERE
    rest += (_MODEL if width >= _WITH_TIME else 0) + (_CYCLES if width >= _WITH_CYCLES else 0)
    return max(width - rest - _NUMBERS, 14)


def _change(made: Outcome | None) -> Span:
    change = model_change(made)
    return Span(right(change.text, _MODEL), change.role)


def details(
    fix: Preview | None,
    report: LayerReport,
    width: int,
    price: Price | None = None,
    made: Outcome | None = None,
) -> list[Line]:
    """The edit under the cursor: before and after, and what else it touches."""
    if fix is None:
        return []
    lines = comparison(fix, report, width, price, made)
    if made is not None and (why := slower_words(fix, report, made)):
        lines = [*wrap(line(Span("▲ ", "attention"), why), width, 2), *lines]
    if fix.also:
        if fix.brings:
            text = f"brings {plural(fix.brings, 'layer')} more onto the NPU"
            lines += [BLANK, *wrap(line(Span("● ", "hw"), text), width, 2)]
        names = ", ".join(listed(fix.also[:4], 32))
        more = f" and {len(fix.also) - 4} more" if len(fix.also) > 4 else ""
        text = f"also changes {plural(len(fix.also), 'layer')}: {names}{more} (in the whole model's time)"
        lines += [BLANK, *wrap(line(quiet("· "), quiet(text)), width, 2)]
    if takes_scales(fix.edit):
        text = "Scales of new tensors come from runs of the model, when the edit is applied."
        lines += wrap(line(quiet("· "), quiet(text)), width, 2)
    return lines


def nothing(report: LayerReport, width: int, saved_by_cut: str | None = None) -> list[Line]:
    """What to do where no single edit helps; `saved_by_cut`: 'saves 0.4 ms', where the layer can go to a tail."""
    if report.off_npu:
        text = "No single edit brings this layer closer to the NPU or saves time."
        hints = ["p looks for combinations of edits, in the whole model; W shows the reasons."]
        advice = report.forced_by[0].fix if report.forced_by else ""
        hints = [f"{sentence(advice)}.", *hints] if advice else hints
    else:
        text = "It runs on the NPU, and no edit makes it faster."
        hints = ["b shows what bounds the model, L the layers that take most time."]
    if saved_by_cut is not None:
        hints.append(
            f"C cuts the model: this layer goes into a tail for the CPU. That {saved_by_cut} in all."
        )
    arrows = [one for each in hints for one in wrap(line(Span("→ ", "accent"), quiet(each)), width, 2)]
    return [*wrap(line(text), width), *arrows]
