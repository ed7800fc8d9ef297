"""The readable report of `check`: a table of layers, and below it each reason once."""

from __future__ import annotations

from npuscope.edits.edit import Edit
from npuscope.model.brief import brief_names
from npuscope.model.names import printable, shortened
from npuscope.neural_art.notes import notes
from npuscope.npu.verdict import Finding, Placement
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, Summary

WORDS = {
    Placement.HW: "NPU",
    Placement.HYBRID: "HYBRID",
    Placement.SW_INT: "CPU int8",
    Placement.SW_FLOAT: "CPU float",
    Placement.NONE: "-",
}

NAME_WIDTH = 40


def check_text(session: Session, snapshot: Snapshot) -> str:
    """The report, in lines of about 100 characters."""
    target = snapshot.target
    head = (
        f"{printable(session.source.path.name)} · {target.title} · Core {target.toolchain.version} · "
        f"{target.clocks.npu_hz // 1_000_000} MHz"
    )
    known = [f"note: {printable(note)}" for note in notes(session.source)]
    parts = [head, verdict_line(snapshot), *known, "", *_table(snapshot)]
    reasons = _reasons(snapshot)
    if reasons:
        parts += ["", "Not on the NPU", *reasons]
    return "\n".join(parts) + "\n"


def verdict_line(snapshot: Snapshot) -> str:
    """'3 of 32 layers on the CPU · 5.2 ms · 18 epochs, 3 of them software'."""
    summary = snapshot.summary
    off = summary.epochs_sw + summary.epochs_hybrid
    return (
        f"{placement_words(summary)} · {summary.milliseconds:.3g} ms estimated · {summary.epochs} epochs, {off} need the CPU · "
        f"weights {_bytes(summary.weights_bytes)} · activations {_bytes(summary.activations_bytes)}"
    )


def placement_words(summary: Summary) -> str:
    """'3 of 32 layers on the CPU, 1 hybrid'."""
    if not summary.off_npu:
        return "all layers on the NPU"
    count = str(summary.on_cpu) if summary.on_cpu else "none"
    hybrid = f", {summary.hybrid} hybrid" if summary.hybrid else ""
    return f"{count} of {summary.layers} layers on the CPU{hybrid}"


def _bytes(count: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _table(snapshot: Snapshot) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("layer", "op", "channels", "where", "OPS/cycle", "cycles", "ms", "%", "codes")
    ]
    brief = brief_names(report.name for report in snapshot.layers)
    rows += [_row(snapshot, report, brief[report.name]) for report in snapshot.layers]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = {4, 5, 6, 7}
    lines = []
    for row in rows:
        cells = [
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def _row(snapshot: Snapshot, report: LayerReport, name: str) -> tuple[str, ...]:
    cost = report.cost
    line = report.line
    speed = f"{line.ops_per_cycle:.3g}" if line.ops_per_cycle is not None else ""
    cycles = _spaced(line.cycles) if line.cycles else ""
    time = f"{line.milliseconds:.3g}" if cost is not None and line.milliseconds else ""
    share = snapshot.share(report) * 100
    return (
        shortened(printable(name), NAME_WIDTH),
        shortened(printable(report.layer.op), 20),
        channels(report),
        WORDS[report.placement],
        speed,
        cycles,
        time,
        f"{share:.0f}" if share >= 0.5 else "",
        " ".join(finding.code for finding in report.findings),
    )


def channels(report: LayerReport) -> str:
    """'257→1024' of a layer with weights, else the channels it writes."""
    layer = report.layer
    source = layer.input.dims if layer.input is not None else None
    result = layer.output.dims if layer.output is not None else None
    if not source or not result:
        return "?"
    axis = (
        1
        if layer.kind in ("Conv", "ConvTranspose")
        or (layer.kind not in ("Gemm", "MatMul") and len(result) > 2)
        else -1
    )
    if layer.weight is not None and len(source) > 1 and len(result) > 1:
        return f"{source[axis]}→{result[axis]}"
    return str(result[axis]) if len(result) > 1 else str(result[0])


def _reasons(snapshot: Snapshot) -> list[str]:
    brief = brief_names(report.name for report in snapshot.layers)
    groups: dict[tuple[str, str], tuple[Finding, list[str]]] = {}
    for report in snapshot.off_npu:
        for finding in report.forced_by:
            _, names = groups.setdefault((finding.code, finding.message), (finding, []))
            names.append(printable(brief[report.name]))
    lines: list[str] = []
    # What differs in the message alone has its why and fix once, below all of it.
    places: dict[tuple[str, str, str], int] = {}
    for finding, _ in groups.values():
        places.setdefault(_ground(finding), len(places))
    alike = sorted(groups.values(), key=lambda group: places[_ground(group[0])])
    for number, (finding, names) in enumerate(alike):
        shown = ", ".join(shortened(name, NAME_WIDTH) for name in names[:4])
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        count = f"{len(names)} layers: " if len(names) > 1 else ""
        first = not number or _ground(alike[number - 1][0]) != _ground(finding)
        lines += (
            ["", f"  {finding.code}  {count}{finding.message}"]
            if first
            else [f"        {count}{finding.message}"]
        )
        lines.append(f"        {shown}{more}")
        if number + 1 < len(alike) and _ground(alike[number + 1][0]) == _ground(finding):
            continue
        lines.append(f"        why  {finding.why}")
        if finding.fix:
            lines.append(f"        fix  {finding.fix}")
    return lines


def _ground(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.why, finding.fix


def edit_text(edit: Edit, layer: str, before: Snapshot, after: Snapshot) -> str:
    """What an edit does to a layer: before, the layers that replace it, and the model's verdict."""
    old = before.by_name[layer]
    lines = [f"{printable(edit.describe())} ({edit.exactness.value})", ""]
    rows = [("before", old), *(("after", report) for report in after.layers if report.name in after.changed)]
    width = max(len(_short(report)) for _, report in rows)
    for when, report in rows:
        entry = report.line
        price = "" if report.cost is None else f"{entry.milliseconds:.3g} ms"
        if entry.cycles is not None:
            price = f"{_spaced(entry.cycles)} cycles, {price}"
        lines.append(f"  {when:6}  {_short(report):{width}}  {WORDS[report.placement]:9}  {price}".rstrip())
    lines += ["", f"before  {verdict_line(before)}", f"after   {verdict_line(after)}"]
    return "\n".join(lines) + "\n"


def _short(report: LayerReport) -> str:
    return f"{shortened(printable(report.name), NAME_WIDTH)} {report.layer.op} {channels(report)}"


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
