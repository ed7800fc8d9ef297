"""Layers grouped by reason, by placement, by operator; each group with its share of the time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from enum import Enum
from itertools import islice

from npuscope.model.names import printable
from npuscope.neural_art.rules import BY_CODE
from npuscope.npu.figures import plural
from npuscope.npu.verdict import Finding, Severity
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.widgets.lists.layer_filter import FilterBy, LayerFilter, pattern
from npuscope.widgets.panes.eligibility import gain_lines, sentence
from npuscope.widgets.text.cells import cells, clip, left, right, shown
from npuscope.widgets.text.figures import time_cell
from npuscope.widgets.text.gains import gain_cell, is_moot, saved
from npuscope.widgets.text.layer_names import listed, shown_layer
from npuscope.widgets.text.spans import Line, Span, fit, line, quiet, strong, wrap
from npuscope.widgets.text.words import GLYPHS, ROLES, SEVERITY_GLYPHS, SEVERITY_ROLES, WORDS, where


class Sort(Enum):
    """What the layers are grouped by; the value is the name of the tab."""

    REASON = "reasons"
    PLACEMENT = "placement"
    OPERATOR = "operator"
    GAIN = "gain"
    """Each finding of each layer by itself, what saves most first."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Layers that have one thing in common. `findings` has one for each member, in groups by reason only."""

    filter: LayerFilter
    text: str
    sign: Span
    members: tuple[LayerReport, ...]
    findings: tuple[Finding, ...] = ()
    share: float = 0.0
    milliseconds: float = 0.0

    @property
    def code(self) -> str:
        """The rule behind it, '' where there is none."""
        return self.filter.value if self.filter.by is FilterBy.REASON else ""


@dataclass(slots=True)
class _Gathered:
    members: list[LayerReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def groups(snapshot: Snapshot, sort: Sort) -> tuple[Group, ...]:
    """The groups: what forces layers off the NPU first, then those that take most time."""
    if sort is Sort.REASON:
        return _by_reason(snapshot)
    if sort is Sort.GAIN:
        return _by_gain(snapshot)
    by_key: dict[str, _Gathered] = {}
    for report in snapshot.layers:
        value = WORDS[report.placement] if sort is Sort.PLACEMENT else report.layer.op
        by_key.setdefault(value, _Gathered()).members.append(report)
    made = []
    for value, gathered in by_key.items():
        worst = max((report.placement for report in gathered.members), key=lambda placement: placement.rank)
        by = FilterBy.PLACEMENT if sort is Sort.PLACEMENT else FilterBy.OPERATOR
        label = f"{GLYPHS[worst]} {value}" if sort is Sort.PLACEMENT else value
        text = where(worst).text if sort is Sort.PLACEMENT else shown(value, 60)
        sign = Span(GLYPHS[worst], ROLES[worst])
        made.append(_group(snapshot, LayerFilter(by, value, label), text, sign, gathered))
    if sort is Sort.PLACEMENT:
        return tuple(sorted(made, key=lambda group: -group.members[0].placement.rank))
    return tuple(sorted(made, key=lambda group: (-group.share, -len(group.members))))


_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.ADVICE: 2}


def _by_reason(snapshot: Snapshot) -> tuple[Group, ...]:
    by_reason: dict[tuple[str, str], _Gathered] = {}
    for report in snapshot.layers:
        seen: set[tuple[str, str]] = set()
        for finding in report.findings:
            key = finding.code, pattern(finding.message)
            if key not in seen:
                seen.add(key)
                gathered = by_reason.setdefault(key, _Gathered())
                gathered.members.append(report)
                gathered.findings.append(finding)
    made = []
    several = Counter(code for code, _ in by_reason)
    for (code, message), gathered in by_reason.items():
        severity = min((finding.severity for finding in gathered.findings), key=lambda one: _ORDER[one])
        sign = Span(SEVERITY_GLYPHS[severity], SEVERITY_ROLES[severity])
        common = in_common([finding.message for finding in gathered.findings])
        # With figures left out a message reads badly: the rule has a title for what its layers have in common.
        # Where that of several reasons would be one, each is told by what it begins with.
        short = common.partition(": ")[0] if several[code] > 1 else BY_CODE[code].title
        text = sentence(shown(short if "…" in common else common, 400))
        # Where one code covers several reasons, the filter's label has to tell them apart no further than its code.
        wanted = LayerFilter(FilterBy.REASON, code, code, message)
        made.append((_ORDER[severity], _group(snapshot, wanted, text, sign, gathered)))
    made.sort(key=lambda pair: (pair[0], -pair[1].share, -len(pair[1].members)))
    return tuple(group for _, group in made)


def _by_gain(snapshot: Snapshot) -> tuple[Group, ...]:
    """What saves time, what is not known, then what gains nothing."""
    made = []
    for report in snapshot.layers:
        for finding in report.findings:
            key = pattern(finding.message)
            wanted = LayerFilter(FilterBy.REASON, finding.code, finding.code, key)
            moot = is_moot(snapshot, report.name, finding)
            sign = Span(
                SEVERITY_GLYPHS[finding.severity], "quiet" if moot else SEVERITY_ROLES[finding.severity]
            )
            text = f"{shown_layer(snapshot, report.name, 60)}  {sentence(shown(finding.message, 400))}"
            group = _group(snapshot, wanted, text, sign, _Gathered([report], [finding]))
            gain = saved(snapshot, report, (finding.code,)) or 0.0
            made.append(((moot, -gain, -group.share), group))
    made.sort(key=lambda pair: pair[0])
    return tuple(group for _, group in made)


def group_gain(group: Group, snapshot: Snapshot) -> float | None:
    """The most that a fix of one of its layers saves; None where nothing is known."""
    codes = (group.code,) if group.findings else None
    values = [value for report in group.members if (value := saved(snapshot, report, codes)) is not None]
    return max(values, default=None)


def _group(snapshot: Snapshot, wanted: LayerFilter, text: str, sign: Span, gathered: _Gathered) -> Group:
    members = tuple(gathered.members)
    time = sum(snapshot.time_of(report) for report in members)
    total = snapshot.layer_milliseconds
    share = time / total if total else 0.0
    return Group(wanted, text, sign, members, tuple(gathered.findings), share, time)


_NUMBER = r"-?\d[\d.,]*(?: \d{3})*"
_TOKENS = re.compile(rf"{_NUMBER}|(?:(?!{_NUMBER}).)+", re.DOTALL)


def in_common(messages: Iterable[str]) -> str:
    """One message for all: numbers in which they differ become an ellipsis."""
    texts = list(dict.fromkeys(messages))
    if len(texts) == 1:
        return texts[0]
    parts = [_TOKENS.findall(text) for text in texts]
    if len({len(part) for part in parts}) != 1:
        return texts[0]
    return "".join(column[0] if len(set(column)) == 1 else "…" for column in zip(*parts, strict=True))


# -- rows


@dataclass(frozen=True, slots=True, eq=False)
class GroupRow:
    """A group, or where `member` is set one of its layers."""

    group: Group
    index: int
    member: int | None = None

    @property
    def report(self) -> LayerReport | None:
        """The layer."""
        return self.group.members[self.member] if self.member is not None else None


def rows_of(shown_groups: Iterable[Group], opened: set[LayerFilter]) -> list[GroupRow]:
    """The visible rows."""
    rows: list[GroupRow] = []
    for index, group in enumerate(shown_groups):
        rows.append(GroupRow(group, index))
        if group.filter in opened:
            rows += [GroupRow(group, index, member) for member in range(len(group.members))]
    return rows


_COUNT, _GAIN, _TIME, _SHARE = 6, 9, 10, 4


def groups_heading(width: int, sort: Sort) -> Line:
    """The names of the columns."""
    count = _counting(width, sort is Sort.GAIN)
    room = max(width - count - _GAIN - _TIME - _SHARE, 8)
    titles = {
        Sort.REASON: "reason",
        Sort.PLACEMENT: "placement",
        Sort.OPERATOR: "operator",
        Sort.GAIN: "layer and finding",
    }
    figures = (
        right("op" if sort is Sort.GAIN else "layers", count)
        + right("gain", _GAIN)
        + right("time", _TIME)
        + right("%", _SHARE)
    )
    return line(Span(left(f"    {titles[sort]}", room) + figures, "title"))


def group_line(row: GroupRow, opened: bool, snapshot: Snapshot, width: int, flat: bool = False) -> Line:
    """A row in its columns; `flat`: a group of one layer, which does not open."""
    count = _counting(width, flat)
    room = max(width - count - _GAIN - _TIME - _SHARE, 8)
    group, report = row.group, row.report
    if report is not None:
        return _member(row, report, snapshot, room)
    code = f"{group.code}  " if group.code else ""
    role = {"sw": "strong", "quiet": "quiet"}.get(group.sign.role, "text")
    text = Span(group.text, "quiet" if _all_moot(group, snapshot) else role)
    sign = group.sign if group.code else Span("", "text")
    body = [
        quiet("  " if flat else "▾ " if opened else "▸ "),
        sign,
        Span(" " if group.code else ""),
        quiet(code),
    ]
    if group.filter.by is FilterBy.PLACEMENT:
        text = Span(group.text, group.sign.role)
    start = fit((*body, text), room - 1)
    pad = room - sum(cells(span.text) for span in start)
    loud = "text" if group.share >= 0.05 else "quiet"
    return (
        *start,
        Span(" " * pad),
        _count(group, flat, count),
        gain_cell(group_gain(group, snapshot), _GAIN),
        Span(right(time_cell(group.milliseconds), _TIME), loud),
        Span(right(_percent(group.share), _SHARE), loud),
    )


def _counting(width: int, flat: bool) -> int:
    """Cells of the column of how many layers, or of the operator of one, which its name often ends in."""
    return (14 if width >= 100 else 0) if flat else _COUNT


def _count(group: Group, flat: bool, room: int) -> Span:
    if flat:
        return quiet(
            right(shown(group.members[0].layer.op, max(room - 2, 0)), room - 1) + " " if room else ""
        )
    return Span(right(str(len(group.members)), room - 1) + " ")  # a gain of 21.874 ms fills its column


def _member(row: GroupRow, report: LayerReport, snapshot: Snapshot, room: int) -> Line:
    message = ""
    if (
        row.group.findings
        and row.member is not None
        and len({finding.message for finding in row.group.findings}) > 1
    ):
        message = sentence(row.group.findings[row.member].message)
    name = shown_layer(snapshot, report.name, max(room - 16, 8))
    start = fit(line("    ", where(report.placement), "  ", name, quiet(f"  {message}")), room - 1)
    pad = room - sum(cells(span.text) for span in start)
    cost, share = report.cost, snapshot.share(report)
    time = time_cell(snapshot.time_of(report)) if cost is not None else "?"
    return (
        *start,
        Span(" " * pad),
        quiet(right(clip(printable(report.layer.op), _COUNT - 1), _COUNT - 1) + " "),
        gain_cell(saved(snapshot, report, (row.group.code,) if row.group.findings else None), _GAIN),
        quiet(right(time, _TIME)),
        quiet(right(_percent(share), _SHARE)),
    )


def _percent(share: float) -> str:
    return f"{share * 100:.0f}" if share >= 0.005 else "·"


def _all_moot(group: Group, snapshot: Snapshot) -> bool:
    """Nothing is won by answering what it says, for none of its layers."""
    pairs = zip(group.members, group.findings, strict=False)
    return bool(group.findings) and all(is_moot(snapshot, report.name, finding) for report, finding in pairs)


def about_group(row: GroupRow, snapshot: Snapshot, width: int) -> list[Line]:
    """What is behind a reason, and what to do; for other groups which layers they are."""
    group = row.group
    if not group.findings:
        names = ", ".join(listed((report.name for report in islice(group.members, 8)), 32))
        more = f" and {len(group.members) - 8} more" if len(group.members) > 8 else ""
        return list(wrap(line(quiet(f"{plural(len(group.members), 'layer')}  "), names + more), width, 2))
    report, finding = group.members[row.member or 0], group.findings[row.member or 0]
    lines = list(wrap(line(group.sign, " ", strong(sentence(finding.message))), width, 2))
    if finding.why:
        lines += wrap(line(quiet(sentence(finding.why))), width)
    if finding.fix:
        lines += wrap(line(Span("→ ", "accent"), sentence(finding.fix)), width, 2)
    if row.member is not None or len(group.members) == 1:
        lines += gain_lines(snapshot, report, finding, width)
    return lines
