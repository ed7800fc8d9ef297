"""The layers as CSV and the report as Markdown."""

from __future__ import annotations

import csv
import io

from npuscope.model.convolution import channels_text
from npuscope.model.names import printable
from npuscope.reports.text_report import IF_QUANTIZED, WORDS, verdict_line
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

COLUMNS = (
    "name", "op", "scope", "placement", "epoch", "channels", "macs", "compute_cycles", "cycles", "ms", "ops_per_cycle",
    "simd", "deep1x1", "accelerators", "iterations", "passes", "choked_ports", "bound_by", "weights_bytes", "share",
    "codes", "reason",
)  # fmt: skip


def check_csv(session: Session, snapshot: Snapshot) -> str:
    """One row a layer."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    marked = snapshot.graph.as_int8
    writer.writerow((*COLUMNS, "as_int8") if marked else COLUMNS)
    writer.writerows(
        [spreadsheet_safe(value) for value in (*_row(snapshot, report), *((1,) if marked else ()))]
        for report in snapshot.layers
    )
    return text.getvalue()


def spreadsheet_safe(value: object) -> str:
    """A name that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@" and text else text


def _row(snapshot: Snapshot, report: LayerReport) -> tuple[object, ...]:
    cost, layer = report.cost, report.layer
    tiling = cost.tiling if cost is not None else None
    line = report.line
    return (
        printable(report.name),
        printable(layer.op),
        printable(layer.scope),
        report.placement.value,
        report.epoch,
        channels_text(report.layer),
        cost.macs if cost else None,
        line.compute_cycles,
        line.cycles,
        f"{line.milliseconds:.6g}" if cost else None,
        f"{line.ops_per_cycle:.4g}" if line.ops_per_cycle is not None else None,
        tiling.simd if tiling else None,
        int(tiling.deep1x1) if tiling else None,
        tiling.accelerators if tiling else None,
        tiling.iterations if tiling else None,
        tiling.passes if tiling else None,
        " ".join(cost.choked_ports) if cost else None,
        line.bound_by if cost else None,
        cost.weights_bytes if cost else None,
        f"{snapshot.share(report):.4g}",
        " ".join(finding.code for finding in report.findings),
        report.forced_by[0].message if report.forced_by else None,
    )


def check_markdown(session: Session, snapshot: Snapshot) -> str:
    """A report to paste into a chat or an issue: the verdict, and each layer that is not on the NPU."""
    target = snapshot.target
    judged_for = (
        f"{target.title}, ST Edge AI Core {target.toolchain.version}, {target.clocks.npu_hz // 1_000_000} MHz"
    )
    lines = [
        f"## {plain(session.source.path.name)}{IF_QUANTIZED * snapshot.graph.as_int8}",
        "",
        f"{judged_for} (simulated by npuscope)",
        "",
        f"**{verdict_line(snapshot)}**",
        "",
    ]
    if snapshot.off_npu:
        lines += ["| layer | op | channels | where | why | fix |", "|---|---|---|---|---|---|"]
        for report in snapshot.off_npu:
            reason = report.forced_by[0] if report.forced_by else None
            cells = (
                printable(report.name),
                printable(report.layer.op),
                channels_text(report.layer),
                WORDS[report.placement],
                f"{reason.code}: {reason.message}" if reason else "",
                reason.fix if reason else "",
            )
            lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    if snapshot.warned:
        lines += [""] * bool(lines[-1])
        lines += ["| layer | op | warning | fix |", "|---|---|---|---|"]
        for finding, report in snapshot.warned:
            warning_cells = (report.name, report.layer.op, f"{finding.code}: {finding.message}", finding.fix)
            lines.append("| " + " | ".join(plain(cell) for cell in warning_cells) + " |")
    if session.done:
        lines += [
            "",
            "Edits:",
            *(f"- {plain(edit.describe())} ({edit.exactness.value})" for edit in session.done),
        ]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Text that Markdown and HTML leave alone."""
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\`*[]|" else c for c in escaped)
