"""The findings in the readable report of `check`: each reason once, what its fix saves, what gains nothing last."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from npuscope.edits.gain import Gain, Gains, bound_words, moot_words
from npuscope.neural_art.kernels.evidence import evidence
from npuscope.neural_art.rules import BY_CODE
from npuscope.npu.ledger import bound_name
from npuscope.npu.times import SAME, in_ms, saving_words
from npuscope.npu.verdict import Finding, Placement, Severity
from npuscope.record import dataclass
from npuscope.reports.short_names import short_names
from npuscope.reports.text_report import percent
from npuscope.snapshot import LayerReport, Snapshot

NAMED = 4
"""Layers named below a reason."""

NAME_WIDTH = 40


class Order(Enum):
    """How findings are sorted."""

    GAIN = "gain"
    """What a fix saves, then the time of their layers."""
    TIME = "time"
    GRAPH = "graph"


class Style(Enum):
    """SGR codes; the default foreground stays what the terminal has."""

    BAD = "31"
    WARN = "33"
    GOOD = "32"
    STRONG = "1"
    DIM = "2"


STYLES = {
    Placement.HW: Style.GOOD,
    Placement.HYBRID: Style.WARN,
    Placement.SW_INT: Style.BAD,
    Placement.SW_FLOAT: Style.BAD,
    Placement.NONE: Style.DIM,
}


@dataclass(frozen=True, slots=True)
class Page:
    """How wide a report is, and whether it is coloured."""

    width: int
    colour: bool

    def styled(self, text: str, style: Style) -> str:
        """The text in a style, where there are colours."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.colour and text.strip() else text

    def wrapped(self, text: str, first: str, rest: str) -> list[str]:
        """Lines no wider than the page, broken between words; a longer word stays in one piece."""
        return textwrap.wrap(
            text,
            max(self.width, len(rest) + 20),
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """One finding, and the layers it is said of, in the order wanted."""

    finding: Finding
    layers: tuple[LayerReport, ...]
    saved: float
    share: float


def _groups(
    findings: Sequence[tuple[Finding, LayerReport]],
    key: Callable[[Finding], object],
    snapshot: Snapshot,
    gains: Gains,
    order: Order,
) -> list[_Group]:
    grouped: dict[object, tuple[Finding, list[LayerReport]]] = {}
    for finding, report in findings:
        grouped.setdefault(key(finding), (finding, []))[1].append(report)
    groups = []
    for finding, reports in grouped.values():
        saved = {report.name: gains.saved(report.name, (finding.code,)) for report in reports}
        if order is Order.GAIN:
            reports.sort(key=lambda report: (-saved[report.name], -snapshot.share(report)))
        elif order is Order.TIME:
            reports.sort(key=lambda report: -snapshot.share(report))
        share = sum(snapshot.share(report) for report in reports)
        groups.append(_Group(finding, tuple(reports), max(saved.values()), share))
    if order is Order.GAIN:
        groups.sort(key=lambda group: (-group.saved, -group.share))
    elif order is Order.TIME:
        groups.sort(key=lambda group: -group.share)
    return groups


# -- what keeps layers off the NPU


def reasons_text(snapshot: Snapshot, page: Page, gains: Gains, order: Order) -> list[str]:
    """Why layers are not on the NPU."""
    reasons = [(finding, report) for report in snapshot.off_npu for finding in report.forced_by]
    return _explained("Not on the NPU", reasons, snapshot, page, gains, order)


def warnings_text(snapshot: Snapshot, page: Page, order: Order) -> list[str]:
    """What is to be feared of layers wherever they run: wrong numbers, a compiler that stops. Time is not its measure."""
    return _explained("Warnings", snapshot.warned, snapshot, page, None, order)


def _explained(
    title: str,
    explained_findings: Sequence[tuple[Finding, LayerReport]],
    snapshot: Snapshot,
    page: Page,
    gains: Gains | None,
    order: Order,
) -> list[str]:
    """Each finding once, with its layers, and below those of one ground their why and fix; its time where gains are given."""
    groups = _groups(
        explained_findings, lambda finding: (finding.code, finding.message), snapshot, gains or Gains(), order
    )
    if not groups:
        return []
    # What differs in the message alone has its why and fix once, below all of it.
    places: dict[tuple[str, str, str], int] = {}
    for group in groups:
        places.setdefault(_ground(group.finding), len(places))
    ordered = sorted(groups, key=lambda group: places[_ground(group.finding)])
    names = short_names((report.name for report in snapshot.layers), NAME_WIDTH)
    lines = ["", page.styled(title, Style.STRONG)]
    margin = " " * 8
    for number, group in enumerate(ordered):
        finding = group.finding
        count = f"{len(group.layers)} layers" if len(group.layers) > 1 else ""
        remarks = [count, f"{percent(group.share)} of the time" if gains is not None else ""]
        about = ", ".join(word for word in remarks if word)
        text = f"{finding.message} ({about})" if about else finding.message
        if not number or _ground(ordered[number - 1].finding) != _ground(finding):
            lines.append("")
            message = page.wrapped(text, f"  {finding.code}  ", margin)
            code = page.styled(finding.code, _style(snapshot, group))
            lines += [message[0].replace(finding.code, code, 1), *message[1:]]
        else:
            lines += page.wrapped(text, margin, margin)
        lines += page.wrapped(_listed(group, names), margin, margin)
        gain = _gain_words(group, names, gains) if gains is not None else ""
        if gain:
            lines += page.wrapped(gain, f"{margin}gain ", f"{margin}     ")
        if number + 1 < len(ordered) and _ground(ordered[number + 1].finding) == _ground(finding):
            continue
        seen = str(evidence(finding.cause)) if finding.cause else ""
        for label, words in (("why", finding.why), ("seen", seen), ("fix", finding.fix)):
            if words:
                lines += page.wrapped(words, f"{margin}{label:<5}", f"{margin}     ")
    return lines


def _style(snapshot: Snapshot, group: _Group) -> Style:
    """Red is for what takes time."""
    style = STYLES[group.finding.placement or Placement.NONE]
    alarm = any(snapshot.alarming(report) for report in group.layers)
    return Style.WARN if style is Style.BAD and not alarm else style


def _listed(group: _Group, names: Mapping[str, str]) -> str:
    shown = ", ".join(names[report.name] for report in group.layers[:NAMED])
    more = f" and {len(group.layers) - NAMED} more" if len(group.layers) > NAMED else ""
    return f"{shown}{more}"


def _gain_words(group: _Group, names: Mapping[str, str], gains: Gains) -> str:
    """'0.367 ms for Gemm_28, 0.0588 ms for Conv2D_79', '' where nothing was tried."""
    known = [
        (report, gain)
        for report in group.layers
        if (gain := gains.of(report.name, group.finding.code)) is not None
    ]
    if len(group.layers) == 1:
        return _same_fix(known[0][1], names) if known else ""
    saving = [
        f"{saving_words(gain.saved_milliseconds or 0.0)} for {names[r.name]}"
        for r, gain in known
        if gain.worth and gain.stated_by is None
    ]
    again = [gain for _, gain in known if gain.worth and gain.stated_by is not None]
    if again and not saving:
        return ", ".join(dict.fromkeys(_same_fix(gain, names) for gain in again))
    if len(saving) > NAMED:
        saving = [*saving[:NAMED], f"less for {len(saving) - NAMED} more"]
    text = ", ".join(saving[:1] + [words.removeprefix("saves ") for words in saving[1:]])
    if again:
        text += f", which also fixes {len(again)} more of these layers"
    without = [gain for _, gain in known if not gain.worth]
    if not without:
        return text
    words = dict.fromkeys(gain.words for gain in without)
    if not saving:
        return next(iter(words)) if len(words) == 1 else f"none alone for {len(without)} layers"
    rest = [names[report.name] for report, gain in known if not gain.worth]
    return f"{text}, none alone for {rest[0] if len(rest) == 1 else len(rest)}"


def _same_fix(gain: Gain, names: Mapping[str, str]) -> str:
    """The words of a gain; where another finding states it, with the short name of that one's layer."""
    if gain.stated_by is None or not gain.worth:
        return gain.words
    return "the same fix as " + gain.stated_as(names.get(gain.stated_by[0], gain.stated_by[0]))


def _ground(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.why, finding.fix


# -- advice


def advice_text(snapshot: Snapshot, page: Page, gains: Gains, order: Order, everything: bool) -> list[str]:
    """What could be faster on the NPU, what is to be watched, and what loses accuracy anywhere; what gains nothing comes last, in a line."""
    advice = [
        (finding, report)
        for report in snapshot.layers
        for finding in report.findings
        if finding.severity is Severity.ADVICE and (not report.off_npu or BY_CODE[finding.code].exactness)
    ]
    groups = _groups(advice, lambda finding: finding.code, snapshot, gains, order)
    if not groups:
        return []
    names = short_names((report.name for report in snapshot.layers), NAME_WIDTH)
    pools = {pool.name for pool in snapshot.target.pools}
    margin = " " * 8
    lines = ["", page.styled("Advice", Style.STRONG)]
    for group in groups:
        code = group.finding.code
        own = {r.name: next(f for f in r.findings if f.code == code) for r in group.layers}
        moot = {r.name: moot_words(own[r.name], gains.of(r.name, code)) for r in group.layers}
        live = [r for r in group.layers if not moot[r.name]]
        void = [r for r in group.layers if moot[r.name]]
        one = len(group.layers) == 1
        title = own[group.layers[0].name].message if one else BY_CODE[code].title
        count = "" if one else f"{len(group.layers)} layers, "
        lines.append("")
        head = page.wrapped(f"{title} ({count}{percent(group.share)} of the time)", f"  {code}  ", margin)
        lines += head if live else [page.styled(line, Style.DIM) for line in head]
        shown = live if everything else live[:NAMED]
        width = max((len(names[r.name]) for r in shown), default=0)
        for report in shown:
            gain = gains.of(report.name, code)
            words = [] if one else [own[report.name].message]
            if gain is not None and gain.worth:
                words = [_same_fix(gain, names)]
            elif report.line.bound_by in pools:
                words.append(f"({bound_words(report.line.bound_by)})")
            first = f"{margin}{names[report.name]:{width}}  "
            lines += page.wrapped(" ".join(words), first, margin + "  ") or [first.rstrip()]
        if len(live) > len(shown):
            lines.append(f"{margin}and {len(live) - len(shown)} more")
        if live and own[live[0].name].fix:
            lines += page.wrapped(own[live[0].name].fix, f"{margin}fix  ", f"{margin}     ")
        if void:
            known = [gain for r in void if (gain := gains.of(r.name, code)) is not None]
            longer = max((-(gain.saved_milliseconds or 0.0) for gain in known), default=0.0)
            listed = ", ".join(names[r.name] for r in void[:NAMED])
            more = f" and {len(void) - NAMED} more" if len(void) > NAMED else ""
            text = f"{listed}{more}: {_shared(void, moot, longer)}"
            lines += [page.styled(line, Style.DIM) for line in page.wrapped(text, margin, margin + "  ")]
    return lines


def _shared(void: Sequence[LayerReport], moot: dict[str, str], longer: float) -> str:
    """Why nothing is won, for several layers in as many words as are true of all; `longer`: milliseconds lost at most."""
    words = list(dict.fromkeys(moot[report.name] for report in void))
    if len(words) == 1:
        return words[0]
    bound = list(dict.fromkeys(report.line.bound_by for report in void))
    lost = f" alone: the fix makes the model up to {in_ms(longer)} ms slower" if longer > SAME else ""
    return f"no gain{lost}, bound by {', '.join(map(bound_name, bound))}"
