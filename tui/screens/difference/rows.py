"""Two models side by side: a line a pair of layers, so that both halves scroll together."""

from __future__ import annotations

from npuscope.services.diff import Change, Difference, Pair
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.text.cells import left, right, shown
from npuscope.widgets.text.figures import THIN, became, bytes_, time_cell
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import Line, Span, length, line, quiet, strong
from npuscope.widgets.text.words import where

_WHERE, _TIME, _CHANGES, _LEAST = 6, 10, 26, 8

_NARROW, _MIDDLING, _ONE_NAME_CHANGES = 120, 96, 16
"""Cells below which a pair has one name, and below which what differs, which stands below in full, has fewer still."""

ROLES = {
    Change.ADDED: "changed",
    Change.REMOVED: "changed",
    Change.MOVED: "attention",
}


def _half(width: int) -> int:
    return max((width - _CHANGES) // 2 - 1, _WHERE + _TIME + _LEAST)


def difference_heading(width: int) -> Line:
    """The names of the columns."""
    if width < _NARROW:
        sides = (left(title, _WHERE) + right("time", _TIME) for title in ("before", "after"))
        return line(Span(f"{left('layer', _one_name(width))}{'  '.join(sides)}  changes", "title"))
    half = _half(width)
    name = half - _WHERE - _TIME
    before, after = (
        f"{left(title, name)}{left('where', _WHERE)}{right('time', _TIME)}" for title in ("before", "after")
    )
    return line(Span(f"{before}  {after}  changes", "title"))


def pair_line(pair: Pair, before: Snapshot, after: Snapshot, width: int) -> Line:
    """Both sides of a layer, and what differs; what stayed the same is quiet. Where it is narrow, one name for both."""
    if width < _NARROW:
        return _with_one_name(pair, before, after, width)
    half = _half(width)
    same = not pair.touched
    return (
        *_side(pair.before, before, half, same),
        Span("  "),
        *_side(pair.after, after, half, same),
        Span("  "),
        *_changes(pair, width - 2 * half - 4),
    )


def _one_name(width: int) -> int:
    return max(
        width - 2 * (_WHERE + _TIME) - 4 - (_CHANGES if width >= _MIDDLING else _ONE_NAME_CHANGES), _LEAST
    )


def _with_one_name(pair: Pair, before: Snapshot, after: Snapshot, width: int) -> Line:
    """What a layer is called now; where it was renamed, the old name stands below the list."""
    room = _one_name(width)
    shown_one, snapshot = (pair.after, after) if pair.after is not None else (pair.before, before)
    name = shown_layer(snapshot, shown_one.name, room - 1) if shown_one is not None else ""
    return (
        Span(left(name, room), "text" if pair.touched else "quiet"),
        *_place(pair.before, before),
        Span("  "),
        *_place(pair.after, after),
        Span("  "),
        *_changes(pair, width - room - 2 * (_WHERE + _TIME) - 4),
    )


def _place(report: LayerReport | None, snapshot: Snapshot) -> Line:
    if report is None:
        return line(quiet(left("", _WHERE + _TIME)))
    placed, time = where(report.placement), snapshot.time_of(report)
    return Span(left(placed.text, _WHERE), placed.role), quiet(right(time_cell(time) if time else "", _TIME))


def _side(report: LayerReport | None, snapshot: Snapshot, width: int, same: bool) -> Line:
    if report is None:
        return line(quiet(left("", width)))
    name = width - _WHERE - _TIME
    return (
        Span(left(shown_layer(snapshot, report.name, name - 1), name), "quiet" if same else "text"),
        *_place(report, snapshot),
    )


def _changes(pair: Pair, room: int) -> Line:
    """What differs, as many words as there is room for, and how many more."""
    changes = [change for change in Change if change in pair.changes]
    for kept in range(len(changes), -1, -1):
        parts = [
            Span(("" if not index else ", ") + change.value, ROLES.get(change, "text"))
            for index, change in enumerate(changes[:kept])
        ]
        if kept < len(changes):
            parts.append(quiet(f"{' ' if kept else ''}+{len(changes) - kept}"))
        if length(tuple(parts)) <= room:
            return tuple(parts)
    return ()


def difference_summary(difference: Difference, width: int) -> list[Line]:
    """Time, layers off the NPU and memory of both; in two lines where one is too short."""
    one, other = difference.before.summary, difference.after.summary
    parts = [
        strong(became(one.milliseconds, other.milliseconds)),
        quiet(f"  off the NPU {_became(str(one.off_npu), str(other.off_npu))}"),
        quiet(f"  weights {_became(bytes_(one.weights_bytes), bytes_(other.weights_bytes))}"),
        quiet(f"  activations {_became(bytes_(one.activations_bytes), bytes_(other.activations_bytes))}"),
    ]
    whole = line(*parts)
    return (
        [whole]
        if length(whole) <= width
        else [line(*parts[:2]), line(quiet(parts[2].text.strip()), parts[3])]
    )


def _became(before: str, after: str) -> str:
    """'23.4 → 21.4 ms': the unit once where it is the same, the figure once where that is."""
    if before == after:
        return after
    unit = before.partition(THIN)[2]
    return f"{before.removesuffix(THIN + unit) if unit and after.endswith(THIN + unit) else before} → {after}"


def difference_verdict(difference: Difference) -> Line:
    """What is worse, else that nothing is."""
    if not difference.related:
        return line(Span("These models have next to nothing in common.", "attention"))
    if difference.regressions:
        return line(Span(f"worse: {difference.regressions[0]}", "sw"))
    return line(
        quiet(f"{len(difference.touched)} of {len(difference.pairs)} layers differ; nothing is worse")
    )


def about_pair(pair: Pair, before: Snapshot, after: Snapshot, width: int) -> list[Line]:
    """The pair under the cursor in full: names, why each side is where it is, and what differs."""
    lines = []
    for title, report, snapshot in (("before", pair.before, before), ("after ", pair.after, after)):
        if report is None:
            lines.append(line(quiet(f"{title}  not there")))
            continue
        why = report.forced_by[0].message if report.forced_by else ""
        lines.append(
            line(
                quiet(f"{title}  "),
                shown_layer(snapshot, report.name, max(width - 40, 10)),
                quiet(f"  {shown(report.layer.op, 20)}  "),
                where(report.placement),
                quiet(f"  {shown(why, 80)}" if why else ""),
            )
        )
    if pair.touched:
        lines.append(line(quiet("changes "), *_changes(pair, width)))
    return lines
