"""Eligibility: where a layer runs, each reason, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from npuscope.edits.gain import moot_words
from npuscope.npu.figures import plural
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity
from npuscope.widgets.lists.fix_lines import fix_hints
from npuscope.widgets.lists.layer_filter import pattern
from npuscope.widgets.panes.pane import WORKING, Pane
from npuscope.widgets.panes.part_text import part_lines, part_title
from npuscope.widgets.text.cells import cells, shown
from npuscope.widgets.text.figures import THIN, THOUSANDS, milliseconds, percent
from npuscope.widgets.text.gains import gain_of
from npuscope.widgets.text.layer_names import listed, shown_layer
from npuscope.widgets.text.spans import BLANK, Line, Span, length, line, quiet, spread, strong, wrap
from npuscope.widgets.text.words import DIFFERS, LONG, MARK, SEVERITY_GLYPHS, SEVERITY_ROLES, counts, where

if TYPE_CHECKING:
    from npuscope.neural_art.comparison.values import LayerComparison
    from npuscope.snapshot import LayerReport, Snapshot
    from npuscope.widgets.panes.selection import Change, Selection

_HANG = 2


class Eligibility(Pane):
    """The verdict and its reasons."""

    TITLE = "Eligibility"
    SHOWS_FIXES = True
    HINT = ("x", "rule")

    def title(self, selection: Selection) -> str:
        """What the pane is about."""
        return part_title(selection.part) if selection.part is not None else self.TITLE

    def hinted(self, selection: Selection) -> bool:
        """Where a rule has spoken."""
        return selection.part is None and any(report.findings for report in selection.layers)

    def lines(self, selection: Selection, width: int) -> list[Line]:
        """Verdict, then one paragraph for each finding; of a node or tensor below the layer, what it is."""
        if selection.part is not None:
            return list(part_lines(selection.part, width))
        if not selection.layers:
            return []
        if selection.draft:
            return WORKING
        lines = [] if self.headless else [verdict_line(selection, width), BLANK]
        if selection.note:
            lines += [
                *wrap(
                    line(Span("if quantized: ", "attention"), quiet(sentence(selection.note))), width, _HANG
                ),
                BLANK,
            ]
        for note in selection.notes:
            lines += [*wrap(line(Span("note: ", "attention"), quiet(note)), width, _HANG), BLANK]
        if selection.change is not None:
            lines += [*_change(selection.change, width), BLANK]
        if selection.actual is not None:
            lines += as_built(selection.actual, width)
        if selection.report is not None:
            lines += _layer(selection, selection.report, width)
        else:
            lines += _group(selection, width)
        while lines and not lines[-1]:
            lines.pop()
        return lines


def verdict_line(selection: Selection, width: int) -> Line:
    """The verdict in one line, with what it is about."""
    report = selection.report
    if report is None and selection.draft:
        return BLANK
    if report is None:
        cpu = sum(r.placement.on_cpu for r in selection.layers)
        hybrid = sum(r.placement is Placement.HYBRID for r in selection.layers)
        total = len(selection.layers)
        verdict = tally(cpu, hybrid, total, any(selection.snapshot.alarming(r) for r in selection.layers))
        if length(verdict) > width:  # a count that is cut off is another count
            verdict = counts(total - cpu - hybrid, hybrid, cpu)
        room = width - length(verdict) - 2
        title = (
            line(quiet(shown(selection.title, room))) if room >= 8 and not selection.whole_model else BLANK
        )
        return spread(verdict, title, width)
    glyph = where(report.placement)
    about = _about(selection.snapshot, report, width - 9 - cells(report.name))
    name = shown_layer(selection.snapshot, report.name, max(width - 9 - cells(about), width // 2))
    return spread(line(Span(glyph.text, _strong(glyph.role)), "  ", strong(name)), (quiet(about),), width)


def _about(snapshot: Snapshot, report: LayerReport, room: int) -> str:
    """Operator, epoch and time of a layer, as far as there is room beside its name; the time stays longest."""
    time = milliseconds(snapshot.time_of(report)) if report.cost is not None else ""
    op = shown(report.layer.op, 24)
    epoch = f"epoch {report.epoch}" if report.epoch is not None else ""
    for words in ((op, epoch, time), (op, time)):
        text = " · ".join(word for word in words if word)
        if cells(text) <= room:
            return text
    return time or op


def tally(cpu: int, hybrid: int, total: int, alarm: bool = True) -> Line:
    """'✗ 3 of 37 layers on the CPU', or that all is well; red only where they take time (`alarm`)."""
    if not total:
        return BLANK
    if not cpu and not hybrid:
        return line(Span(f"● all {plural(total, 'layer')} on the NPU" if total > 1 else "● on the NPU", "hw"))
    parts: list[Span] = []
    if cpu:
        role = "sw-strong" if alarm else "attention"
        parts.append(Span(f"✗ {cpu} of {plural(total, 'layer')} on the CPU", role))
    if hybrid:
        text = f"◐ {hybrid} hybrid" if cpu else f"◐ {hybrid} of {plural(total, 'layer')} hybrid"
        parts.append(Span(("  " if cpu else "") + text, "hybrid"))
    return tuple(parts)


def one_line(selection: Selection, width: int) -> Line:
    """Verdict and first reason, for the smallest terminals."""
    report = selection.report
    if report is None:
        return verdict_line(selection, width)
    glyph = where(report.placement)
    reasons = report.forced_by or report.findings
    text = reasons[0].message if reasons else LONG[report.placement]
    return spread(
        line(
            Span(glyph.text, _strong(glyph.role)),
            "  ",
            strong(shown_layer(selection.snapshot, report.name, max(width // 3, 8))),
            "  " + text,
        ),
        (),
        width,
    )


def as_built(layer: LayerComparison, width: int) -> Iterator[Line]:
    """Where the tools put it; set off where that is not what is predicted."""
    actual = layer.actual
    if actual is None or not actual.placement:
        return
    differs = any(difference.what == "placement" for difference in layer.differences)
    sign = place_span(actual.placement)
    epoch = f", epoch {actual.epoch}" if actual.epoch is not None else ""
    start = line(Span(f"{DIFFERS} ", "attention") if differs else "", "the tools: ", sign, quiet(epoch))
    tail = "; npuscope predicts otherwise" if differs else ", as predicted"
    yield from wrap((*start, quiet(tail)), width, _HANG)
    if differs and actual.reason:
        yield from _indented((quiet(f"The tool says only: {shown(actual.reason, 200)}"),), width)
    yield BLANK


def place_span(word: str) -> Span:
    """Glyph and word of a placement as the artefacts word it."""
    known = {"none": Placement.HW, "sw": Placement.SW_INT}
    placement = known.get(word) or next((one for one in Placement if one.value == word), None)
    return where(placement) if placement is not None else quiet("?")


def _strong(role: str) -> str:
    return "sw-strong" if role == "sw" else role


def _change(change: Change, width: int) -> Iterator[Line]:
    """The last edit, and what it made of what was there."""
    yield from wrap(line(Span(MARK + " ", "changed"), change.text), width, 2)
    if change.removed and change.added:
        yield from wrap(
            line("  ", *_side(change.removed), quiet(" → "), *_side(change.added)),
            width,
            2,
        )


def _side(reports: tuple[LayerReport, ...]) -> Line:
    """'✗ CPU 4 layers, 36 µs', or '✗ 1 CPU ● 3 NPU, 36 µs' where they are not all in one place."""
    time = Span(milliseconds(sum(report.line.milliseconds for report in reports)))
    words = {where(report.placement): report.placement.rank for report in reports}
    if len(words) == 1:
        return (*words, quiet(f" {plural(len(reports), 'layer')}, "), time)
    spans: list[Span] = []
    for word in sorted(words, key=lambda word: -words[word]):
        number = sum(where(report.placement) == word for report in reports)
        spans += [Span(" ")] if spans else []
        spans.append(Span(f"{word.text[:1]} {number} {word.text[2:]}", word.role))
    return (*spans, quiet(", "), time)


def _layer(selection: Selection, report: LayerReport, width: int) -> Iterator[Line]:
    fixes = selection.fixes
    if not report.findings:
        if report.placement is Placement.HW:
            yield from wrap(line(quiet("Runs on the NPU; nothing to report.")), width)
        else:
            yield from wrap(line(quiet(f"{sentence(LONG[report.placement])}.")), width)
        if fixes:
            yield BLANK
            yield from fix_hints(fixes, width, selection.outcomes)
        return
    if report.placement not in (Placement.HW, Placement.NONE) and not report.forced_by:
        yield from wrap(line(quiet(f"{sentence(LONG[report.placement])}.")), width)
        yield BLANK
    for finding in report.findings:
        yield from _finding(finding, width)
        yield from gain_lines(selection.snapshot, report, finding, width)
        yield BLANK
        if fixes and finding is report.findings[0]:
            yield from fix_hints(fixes, width, selection.outcomes)
            yield BLANK


def _finding(finding: Finding, width: int, where_else: Line = ()) -> Iterator[Line]:
    role = SEVERITY_ROLES[finding.severity]
    code = line(quiet(finding.code))
    glyph = Span(SEVERITY_GLYPHS[finding.severity] + " ", role)
    message = Span(sentence(finding.message), "strong" if finding.severity is Severity.ERROR else "text")
    room = width - length(code) - 1
    lines = list(wrap((glyph, message), room, _HANG)) or [(glyph,)]
    yield spread(lines[0], code, width)
    yield from lines[1:]
    if where_else:
        yield from wrap((Span("  "), *where_else), width, _HANG)
    if finding.why:
        why = sentence(finding.why) + (_DOUBT.get(finding.confidence, ""))
        yield from _indented((quiet(why),), width)
    if finding.fix:
        yield from wrap((Span("→ ", "accent"), Span(sentence(finding.fix))), width, _HANG)


def gain_lines(snapshot: Snapshot, report: LayerReport, finding: Finding, width: int) -> Iterator[Line]:
    """What the best fix of a finding saves, or why nothing is won."""
    gain = gain_of(snapshot, report.name, finding)
    if gain is not None and gain.worth:
        of = "" if gain.stated_by is not None else " of the model"
        yield from _indented((Span(f"{sentence(gain.words)}{of}", "hw"),), width)
    elif moot := moot_words(finding, gain):
        yield from _indented((quiet(f"{sentence(moot)}."),), width)


_DOUBT = {
    Confidence.THIRD_PARTY: " (Reported by users, not by ST.)",
    Confidence.UNKNOWN: " (Not certain.)",
}


def _indented(spans: Line, width: int) -> Iterator[Line]:
    for wrapped in wrap(spans, max(width - _HANG, 8)):
        yield (Span(" " * _HANG), *wrapped)


def sentence(text: str) -> str:
    """With a capital, where it starts with a word; thousands kept together."""
    text = THOUSANDS.sub(THIN, text)
    return text[:1].upper() + text[1:] if text[:2].isalpha() and text[:2].islower() else text


def _group(selection: Selection, width: int) -> Iterator[Line]:
    """Every reason once, with the layers it holds for."""
    forcing = [(r, r.forced_by[0]) for r in selection.layers if r.forced_by]
    others = [
        (r, finding)
        for r in selection.layers
        for finding in r.findings
        if finding.placement is None or not finding.placement.rank
    ]
    told: set[str] = set()
    for pairs in _by_reason(
        forcing, selection.snapshot, lambda finding: (finding.code, pattern(finding.message))
    ):
        _, finding = pairs[0]
        names = [r.name for r, _ in pairs]
        about = _names(names, all(f.message == finding.message for _, f in pairs))
        # What several reasons have in common is said once.
        why, fix = ("" if text in told else text for text in (finding.why, finding.fix))
        told |= {finding.why, finding.fix}
        yield from _finding(replace(finding, why=why, fix=fix), width, about)
        yield BLANK
    rest = [r for r in selection.layers if r.off_npu and not r.forced_by]
    if rest:
        yield from wrap(
            line(where(rest[0].placement), " ", *_names([r.name for r in rest], True)), width, _HANG
        )
        yield BLANK
    if forcing or rest:
        time = sum(selection.snapshot.time_of(r) for r in selection.layers if r.off_npu)
        total = max(selection.snapshot.layer_milliseconds, 1e-9)
        yield from wrap(
            line(quiet(f"Off the NPU: {milliseconds(time)}, {percent(time / total)} % of the model's time.")),
            width,
        )
        yield BLANK
    for pairs in _by_reason(others, selection.snapshot, lambda finding: finding.code):
        _, finding = pairs[0]
        count = len(pairs)
        glyph = Span(SEVERITY_GLYPHS[finding.severity] + " ", SEVERITY_ROLES[finding.severity])
        text = finding.message if count == 1 else f"{finding.message}; {plural(count - 1, 'more layer')}"
        code = line(quiet(finding.code))
        lines = list(wrap((glyph, quiet(sentence(text))), width - length(code) - 1, _HANG))
        yield spread(lines[0], code, width)
        yield from lines[1:]


def _names(names: list[str], same: bool) -> Line:
    first = listed(names[:6], 40)
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    text = ", ".join(first) + more
    if len(names) == 1:
        return line(strong(first[0]))
    return line(strong(text), quiet("" if same else " (figures are the first one's)"))


def _by_reason(
    pairs: list[tuple[LayerReport, Finding]],
    snapshot: Snapshot,
    reason: Callable[[Finding], str | tuple[str, str]],
) -> list[list[tuple[LayerReport, Finding]]]:
    """Pairs of one reason together, the gravest first, then the one whose layers take most time; so are the layers of one."""
    together = sorted(pairs, key=lambda pair: (reason(pair[1]), -snapshot.time_of(pair[0])))
    groups = [list(group) for _, group in groupby(together, key=lambda pair: reason(pair[1]))]
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.ADVICE: 2}

    def weight(group: list[tuple[LayerReport, Finding]]) -> tuple[int, float, int]:
        time = sum(snapshot.time_of(report) for report, _ in group)
        return order[group[0][1].severity], -time, -len(group)

    return sorted(groups, key=weight)
