"""MAC/cycle: how fast a layer runs, how the NPU does it, and what holds it back."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.neural_art.price.advice import advice
from npuscope.npu.cost import Tiling
from npuscope.npu.ledger import bound_name
from npuscope.npu.verdict import Placement
from npuscope.snapshot import LayerReport
from npuscope.widgets.panes.pane import WORKING, Pane
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import (
    THIN,
    THOUSANDS,
    bytes_,
    grouped,
    milliseconds,
    percent,
    short,
    three,
)
from npuscope.widgets.text.layer_names import shown_layer
from npuscope.widgets.text.spans import BLANK, Line, Span, fit, line, quiet, wrap

_LABEL, _VALUE = 13, 12


class CostPane(Pane):
    """The figures of the selection."""

    TITLE = "MAC/cycle"

    def lines(self, selection: Selection, width: int) -> list[Line]:
        """Rates, tiling, cycles, share."""
        report = selection.report
        if selection.draft:
            return WORKING
        if report is not None:
            lines = []
            if selection.actual is not None:
                from npuscope.widgets.lists.agreement_rows import has_figures, side_by_side

                if has_figures(selection.actual):
                    lines += [*side_by_side(selection.actual, width), BLANK]
            lines += _layer(report, selection, width)
        else:
            lines = list(_group(selection, width))
        while lines and not lines[-1]:
            lines.pop()
        return lines


def _figure(label: str, value: str, width: int, note: str = "", role: str = "text") -> Line:
    """A label, its figure right-aligned, and a word on it where there is room."""
    text = right(value, min(_VALUE, max(width - _LABEL, 6)))
    note_span = quiet(f" {note}" if note and _LABEL + _VALUE + 1 + len(note) <= width else "")
    return fit(line(quiet(left(label, _LABEL)), Span(text, role), note_span), width)


def _layer(report: LayerReport, selection: Selection, width: int) -> Iterator[Line]:
    cost = report.cost
    if cost is None:
        yield from wrap(line(quiet("Not known: a shape of this layer is not known.")), width)
        return
    on_cpu = report.placement.on_cpu
    if on_cpu:
        yield line(Span("on the CPU", "sw"))
    elif report.placement is Placement.HYBRID:
        yield line(Span("hybrid", "hybrid"))
    entry = report.line
    if entry.macs_per_cycle is not None:
        yield _figure("MAC/cycle", three(entry.macs_per_cycle), width)
        effective = entry.effective_macs_per_cycle
        if effective is not None:
            yield _figure("with memory", three(effective), width)
        yield _figure("OPS/cycle", three(2 * entry.macs_per_cycle), width)
    yield from _tiling(cost.tiling, report, width)
    if cost.choked_ports:
        yield from _words("choked ports", ", ".join(cost.choked_ports), width)
    yield _unit("CPU cycles" if on_cpu else "NPU cycles", width)
    if entry.cpu_cycles is not None:
        yield _figure("estimate", grouped(entry.cpu_cycles), width)
    if entry.compute_cycles is not None and entry.cycles is not None:
        yield _figure("compute", grouped(entry.compute_cycles), width)
        if entry.beside:
            yield from _words("runs beside", shown_layer(selection.snapshot, entry.beside, 32), width)
        else:
            yield _figure("with memory", grouped(entry.cycles), width)
    if entry.bound_by:
        yield from _words("bound by", bound_name(entry.bound_by), width)
    yield _unit("on the board", width)
    measured = report.name in selection.snapshot.measured
    time = selection.snapshot.time_of(report)
    yield _figure(
        "measured" if measured else "time", milliseconds(time), width, role="strong" if measured else "text"
    )
    yield _figure("share", f"{percent(selection.snapshot.share(report))} %", width)
    if cost.macs:
        yield _figure("MAC", short(cost.macs), width)
    if cost.weights_bytes:
        yield _figure("weights", bytes_(cost.weights_bytes), width)
    if not cost.certain:
        yield BLANK
        what = "layers on the CPU" if on_cpu else "this layer"
        text = f"Estimate: ST publishes no figures for {what}."
        yield from wrap(line(Span("▲ ", "attention"), quiet(text)), width, 2)
    yield from _advice(report, selection, width)
    if cost.tiling is not None and cost.tiling.notes:
        yield BLANK
        for note in cost.tiling.notes:
            yield from wrap(line(quiet("· "), quiet(_thin(note))), width, 2)


def _advice(report: LayerReport, selection: Selection, width: int) -> Iterator[Line]:
    """What limits a convolution, and what would be faster."""
    conv = convolution(report.layer) if report.layer.quantized else None
    if conv is None:
        return
    advised = advice(
        conv, input_zero_point(report.layer), report.cost, selection.snapshot.target, report.line
    )
    yield BLANK
    yield from wrap(line(quiet("limit  "), _thin(advised.limit)), width, 7)
    now = report.cost.compute_cycles if report.cost is not None and report.cost.tiling is not None else None
    for better in advised.better:
        text = f"{grouped(better.channels)} {'input' if better.inputs else 'output'} channels: "
        yield from wrap(line(Span("→ ", "accent"), text, *_cycles(better.cycles, now)), width, 2)
    if advised.best is not None:
        text = f"{advised.mode} (input zero point 0 or -128): "
        yield from wrap(line(Span("→ ", "accent"), text, *_cycles(advised.best, now)), width, 2)


def _cycles(cycles: int, now: int | None) -> Line:
    """Compute cycles, and what part of the present ones is saved."""
    saved = f", {percent(1 - cycles / now)}{THIN}% less" if now else ""
    return line(f"{grouped(cycles)} compute cycles", quiet(saved))


def _thin(text: str) -> str:
    return THOUSANDS.sub(THIN, text)


def _unit(text: str, width: int) -> Line:
    """What the figures below count."""
    return line(quiet(right(text, min(_LABEL + _VALUE, width))))


def _words(label: str, text: str, width: int) -> Iterator[Line]:
    """A label and words, right-aligned with the figures where they fit in their column."""
    if len(text) <= _VALUE:
        yield _figure(label, text, width)
    else:
        yield from wrap(line(quiet(left(label, _LABEL)), text), width, _LABEL)


def _tiling(tiling: Tiling | None, report: LayerReport, width: int) -> Iterator[Line]:
    if tiling is None:
        return
    yield _figure("SIMD", tiling.simd, width)
    yield from _words("Deep1x1", _deep(tiling, report), width)
    if tiling.dss2:
        yield _figure("DSS2", "yes", width)
    yield _figure("CAs in series", str(tiling.accelerators), width)
    yield _figure("batch depth", str(tiling.batch_depth), width)
    yield _figure("kernels/pass", str(tiling.kernels_per_pass), width)
    yield _figure("passes", grouped(tiling.passes), width)
    yield _figure("iterations", grouped(tiling.iterations), width)
    if tiling.group > 1:
        yield _figure("groups", grouped(tiling.group), width)
    if len(tiling.parts) > 1:
        yield _figure("sub-masks", str(len(tiling.parts)), width)
    if tiling.stripes > 1:
        yield _figure("stripes", grouped(tiling.stripes), width)


def _deep(tiling: Tiling, report: LayerReport) -> str:
    """Yes or no; where the zero point alone rules it out, which one it is."""
    source = report.layer.input
    if tiling.deep1x1 or tiling.simd == "8x8" or source is None or source.quant is None:
        return "yes" if tiling.deep1x1 else "no"
    return f"no, zero {source.quant.zero}" if source.quant.zero_known else "no"


def _group(selection: Selection, width: int) -> Iterator[Line]:
    if not selection.layers:
        return
    costs = [report.cost for report in selection.layers if report.cost is not None]
    if not selection.whole_model:
        yield _figure("time", milliseconds(selection.milliseconds), width)
        yield _figure("share", f"{percent(selection.share)} %", width)
        yield _figure("layers", grouped(len(selection.layers)), width)
        yield _figure("MAC", short(sum(cost.macs for cost in costs)), width)
        yield _figure("weights", bytes_(sum(cost.weights_bytes for cost in costs)), width)
        return
    summary = selection.snapshot.summary
    compared = selection.comparison
    if compared is not None and compared.totals.milliseconds is not None:
        yield _figure("measured", milliseconds(compared.totals.milliseconds), width, "on a board", "strong")
    yield _figure("time", milliseconds(summary.milliseconds), width)
    if summary.milliseconds_error:
        yield _figure("give or take", milliseconds(summary.milliseconds_error), width)
    if summary.millijoules:
        yield _figure("NPU energy", f"{three(summary.millijoules)}{THIN}mJ", width)
    yield _figure("MAC", short(summary.macs), width)
    yield _figure("parameters", grouped(summary.parameters), width)
    yield _unit("compiler's cycles", width)
    yield _figure("compute", grouped(summary.compute_cycles), width)
    yield _figure("with memory", grouped(summary.cycles), width)
    yield _unit("epochs", width)
    yield _figure("NPU", grouped(summary.epochs_hw), width)
    if summary.epochs_hybrid:
        yield _figure("hybrid", grouped(summary.epochs_hybrid), width, role="hybrid")
    if summary.epochs_sw:
        yield _figure("CPU", grouped(summary.epochs_sw), width, role="sw")
    yield _unit("memory", width)
    yield from _memory(selection, width)


def _memory(selection: Selection, width: int) -> Iterator[Line]:
    """Weights and activations, then what lies in each pool."""
    memory = selection.snapshot.memory
    yield _figure("weights", bytes_(memory.weights_bytes), width)
    yield _figure("activations", bytes_(memory.activations_bytes), width)
    for pool in memory.pools:
        if pool.used:
            full = pool.used / pool.size if pool.size else 1.0
            role = "attention" if full > 1 else "text"
            yield _figure(pool.name, bytes_(pool.used), width, f"{percent(full)} %", role)
