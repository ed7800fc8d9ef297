"""Words and lines that the readable reports share, and what an edit does in text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from npuscope.model.convolution import channels_text
from npuscope.model.names import printable
from npuscope.npu.figures import plural, size_words, thousands
from npuscope.npu.times import in_ms, table_ms
from npuscope.npu.verdict import Placement
from npuscope.reports.short_names import short_names

if TYPE_CHECKING:
    from npuscope.edits.edit import Edit
    from npuscope.snapshot import LayerReport, Snapshot, Summary

WORDS = {
    Placement.HW: "NPU",
    Placement.HYBRID: "HYBRID",
    Placement.SW_INT: "CPU int8",
    Placement.SW_FLOAT: "CPU float",
    Placement.NONE: "-",
}

IF_QUANTIZED = " (if quantized)"
"""Behind the name of a float model that is judged as if it were int8."""

NAME_WIDTH = 40


def verdict_line(snapshot: Snapshot) -> str:
    """'3 of 32 layers on the CPU, 40 % of the time · 4.08 ms estimated · 20 epochs, 3 need the CPU · ...'."""
    summary = snapshot.summary
    off = summary.epochs_sw + summary.epochs_hybrid
    share = f", {percent(snapshot.off_npu_share)} of the time" if summary.off_npu else ""
    return (
        f"{placement_words(summary)}{share} · {in_ms(summary.milliseconds)} ms estimated · "
        f"{plural(summary.epochs, 'epoch')}, {off or 'none'} need{'s' * (off <= 1)} the CPU · "
        f"weights {size_words(summary.weights_bytes)} · activations {size_words(summary.activations_bytes)}{_left_out(snapshot)}"
    )


def _left_out(snapshot: Snapshot) -> str:
    """' · without 3 layers whose sizes are not known': the figures before it are of the others."""
    count = len(snapshot.unpriced)
    return f" · without {plural(count, 'layer')} of unknown size" if count else ""


def room_lines(snapshot: Snapshot) -> list[str]:
    """A line for each memory that is too small, and on a board one that says so where all is well."""
    board = snapshot.target.build.board
    lines = [
        f"does not fit: {printable(pool.name)} has {size_words(pool.size)}, the model needs {size_words(pool.used)} there"
        for pool in snapshot.memory.too_full
    ]
    return lines or ([f"fits on {printable(board.name)}"] if board is not None else [])


def placement_words(summary: Summary) -> str:
    """'3 of 32 layers on the CPU, 1 hybrid'."""
    if not summary.off_npu:
        return "all layers on the NPU"
    count = str(summary.on_cpu) if summary.on_cpu else "none"
    hybrid = f", {summary.hybrid} hybrid" if summary.hybrid else ""
    return f"{count} of {summary.layers} layers on the CPU{hybrid}"


def percent(share: float) -> str:
    """'40 %', '<1 %'."""
    return f"{share * 100:.0f} %" if share >= 0.005 or not share else "<1 %"


def edit_text(edit: Edit, layer: str, before: Snapshot, after: Snapshot) -> str:
    """What an edit does to a layer: before, the layers that replace it, and the model's verdict."""
    old = before.by_name[layer]
    lines = [f"{printable(edit.describe())} ({edit.exactness.value})", ""]
    rows = [("before", old), *(("after", report) for report in after.layers if report.name in after.changed)]
    names = short_names((report.name for _, report in rows), NAME_WIDTH)
    width = max(len(_short(report, names)) for _, report in rows)
    for when, report in rows:
        entry = report.line
        price = "" if report.cost is None else f"{table_ms(entry.milliseconds)} ms"
        if entry.cycles is not None:
            price = f"{thousands(entry.cycles)} cycles, {price}"
        lines.append(
            f"  {when:6}  {_short(report, names):{width}}  {WORDS[report.placement]:9}  {price}".rstrip()
        )
    lines += ["", f"before  {verdict_line(before)}", f"after   {verdict_line(after)}"]
    return "\n".join(lines) + "\n"


def _short(report: LayerReport, names: Mapping[str, str]) -> str:
    return f"{names[report.name]} {report.layer.op} {channels_text(report.layer)}"
