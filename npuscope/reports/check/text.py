"""The readable report of `check`: each reason once, then the layers that matter, in the width there is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from npuscope.edits.gain import Gains
from npuscope.model.convolution import channels_text
from npuscope.model.names import printable, shortened
from npuscope.model.scopes import reading_order
from npuscope.neural_art.notes import notes
from npuscope.npu.figures import thousands
from npuscope.npu.times import table_ms
from npuscope.reports.check.findings import (
    NAME_WIDTH,
    STYLES,
    Order,
    Page,
    Style,
    advice_text,
    reasons_text,
    warnings_text,
)
from npuscope.reports.short_names import ShortNames
from npuscope.reports.text_report import IF_QUANTIZED, WORDS, room_lines, verdict_line
from npuscope.services.query import Query, parsed
from npuscope.services.zero_points import ZeroPointRange
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

HOT_SHARE = 0.9
"""Part of the model's time that the layers called hot take together."""

MOST_HOT = 20
LEAST_NAME = 16


class Rows(Enum):
    """Which layers the table shows."""

    MATTER = "matter"
    ALL = "all"
    OFF = "off"
    HOT = "hot"


def check_text(
    session: Session,
    snapshot: Snapshot,
    width: int = 100,
    rows: Rows = Rows.MATTER,
    colour: bool = False,
    gains: Gains | None = None,
    order: Order = Order.GAIN,
    zero_points: ZeroPointRange | None = None,
    match: str = "",
) -> str:
    """The report, in lines of at most `width` characters where names allow it.

    `gains` are what fixes of the findings save, as far as they were tried; findings stand in `order`. `match` is a query
    for the layers to list, whatever `rows` says.
    """
    page = Page(width, colour)
    target = snapshot.target
    head = (
        f"{printable(session.source.path.name)}{IF_QUANTIZED * snapshot.graph.as_int8} · {target.title} · Core {target.toolchain.version} · "
        f"{target.clocks.npu_hz // 1_000_000} MHz"
    )
    summary = snapshot.summary
    alarm = any(snapshot.alarming(report) for report in snapshot.off_npu)
    verdict = Style.BAD if summary.on_cpu and alarm else Style.WARN if summary.off_npu else Style.GOOD
    lines = [page.styled(line, Style.STRONG) for line in page.wrapped(head, "", "  ")]
    lines += [page.styled(line, verdict) for line in page.wrapped(verdict_line(snapshot), "", "  ")]
    if zero_points is not None:
        lines += page.wrapped(zero_points.words, "", "  ")
    lines += [line for text in room_lines(snapshot) for line in page.wrapped(text, "", "  ")]
    for note in notes(session.source):
        lines += page.wrapped(f"note: {printable(note)}", "", "  ")
    lines += reasons_text(snapshot, page, gains or Gains(), order)
    lines += warnings_text(snapshot, page, order)
    lines += advice_text(snapshot, page, gains or Gains(), order, rows is Rows.ALL)
    lines += _layers(snapshot, page, rows, match)
    return "\n".join(lines) + "\n"


# -- layers


def _layers(snapshot: Snapshot, page: Page, rows: Rows, match: str) -> list[str]:
    shown = chosen(snapshot, rows, parsed(match) if match else None)
    rest = len(snapshot.layers) - len(shown)
    title = {
        Rows.ALL: "Layers",
        Rows.OFF: "Layers that are not on the NPU",
        Rows.HOT: "Layers that take the most time",
        Rows.MATTER: "Layers" if not rest else "Layers that matter",
    }[rows]
    if match:
        title = f"Layers that match {printable(match)}"
    lines = ["", page.styled(title, Style.STRONG), ""]
    lines += _table(snapshot, shown, page) if shown else ["none"]
    ends = []
    if rest:
        others = "1 other layer" if rest == 1 else f"{rest} other layers"
        ends.append(f"{others}; --all shows every layer")
    if shown and not all(
        report.name in line for report, line in zip(shown, lines[-len(shown) :], strict=True)
    ):
        ends.append(SHORTENED)
    if ends:
        lines.append("")
        lines += [page.styled(line, Style.DIM) for end in ends for line in page.wrapped(end, "", "  ")]
    return lines


def chosen(snapshot: Snapshot, rows: Rows, query: Query | None = None) -> tuple[LayerReport, ...]:
    """The layers a table shows: branch by branch, as the explorer's tree has them; the hot ones alone by time."""
    hottest = hot(snapshot)
    if query is None and rows is Rows.HOT:
        return hottest
    layers = snapshot.layers
    among: Sequence[int] = range(len(layers))
    if query is None and rows is not Rows.ALL:
        names = {report.name for report in (*snapshot.off_npu, *(hottest if rows is Rows.MATTER else ()))}
        among = [place for place, report in enumerate(layers) if report.name in names]
    order = reading_order([report.layer.scope for report in layers], among)
    ordered = tuple([layers[place] for place in order])
    return ordered if query is None else query.find(ordered, snapshot)


def hot(snapshot: Snapshot) -> tuple[LayerReport, ...]:
    """The layers that take most of the time, the slowest first."""
    ordered = sorted(snapshot.layers, key=snapshot.share, reverse=True)
    picked: list[LayerReport] = []
    total = 0.0
    for report in ordered[:MOST_HOT]:
        if total >= HOT_SHARE or not snapshot.share(report):
            break
        picked.append(report)
        total += snapshot.share(report)
    return tuple(picked)


SHORTENED = "Shared parts of layer names are left out; --csv and --json have the full names"

COLUMNS = ("layer", "op", "channels", "where", "OPS/cycle", "cycles", "ms", "%", "codes")
RIGHT = {"OPS/cycle", "cycles", "ms", "%"}
GIVEN_UP = ("OPS/cycle", "cycles", "channels", "op")
"""Columns left out, in this order, where the page is too narrow."""


def _table(snapshot: Snapshot, shown: Sequence[LayerReport], page: Page) -> list[str]:
    cells = [_cells(snapshot, report) for report in shown]
    columns = list(COLUMNS)
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in cells)) for name in COLUMNS[1:]}
    every = ShortNames([report.name for report in snapshot.layers])
    for name in (*GIVEN_UP, ""):
        room = max(LEAST_NAME, min(NAME_WIDTH, _left(page, columns, widths)))
        names = every.within(room)
        width = max(len(names[report.name]) for report in shown)
        if width <= _left(page, columns, widths):
            break
        if name:
            columns.remove(name)
    widths["layer"] = max(len("layer"), *(len(names[report.name]) for report in shown))
    lines = [_line({name: name for name in columns}, columns, widths)]
    lines.append("  ".join("-" * widths[name] for name in columns))
    for report, row in zip(shown, cells, strict=True):
        line = _line({**row, "layer": names[report.name]}, columns, widths)
        where = WORDS[report.placement]
        if page.colour and where.strip("-"):
            column = sum(widths[name] + 2 for name in columns[: columns.index("where")])
            styled = page.styled(where, STYLES[report.placement])
            line = f"{line[:column]}{styled}{line[column + len(where) :]}"
        lines.append(line)
    return lines


def _left(page: Page, columns: Sequence[str], widths: dict[str, int]) -> int:
    """Characters that the other columns leave for the name."""
    return page.width - sum(widths[name] + 2 for name in columns if name != "layer")


def _line(row: dict[str, str], columns: Sequence[str], widths: dict[str, int]) -> str:
    return "  ".join(
        row[name].rjust(widths[name]) if name in RIGHT else row[name].ljust(widths[name]) for name in columns
    ).rstrip()


def _cells(snapshot: Snapshot, report: LayerReport) -> dict[str, str]:
    line = report.line
    share = snapshot.share(report) * 100
    return {
        "op": shortened(printable(report.layer.op), 20),
        "channels": channels_text(report.layer),
        "where": WORDS[report.placement],
        "OPS/cycle": f"{line.ops_per_cycle:.3g}" if line.ops_per_cycle is not None else "",
        "cycles": thousands(line.cycles) if line.cycles else "",
        "ms": table_ms(line.milliseconds) if report.cost is not None and line.milliseconds else "",
        "%": f"{share:.0f}" if share >= 0.5 else "",
        "codes": " ".join(dict.fromkeys(finding.code for finding in report.findings)),
    }
