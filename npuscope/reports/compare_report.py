"""The comparison as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from npuscope.machine.machine import Clocks
from npuscope.model.brief import fitted
from npuscope.model.names import printable, shortened
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.values import HW
from npuscope.neural_art.comparison.statements import statements
from npuscope.neural_art.comparison.values import (
    Comparison,
    Figures,
    LayerComparison,
    OffNpu,
)
from npuscope.npu.figures import plural, thousands
from npuscope.npu.times import table_ms
from npuscope.reports.agreement_text import agreement_lines, build_line
from npuscope.reports.short_names import short_names

WORDS = {
    "hw": "NPU",
    "hybrid": "HYBRID",
    "sw": "CPU",
    "sw_int": "CPU int8",
    "sw_float": "CPU float",
    "none": "-",
    "": "?",
}
NAME_WIDTH = 36
WIDTH = 96
"""Characters of a wrapped line."""
MOST_EPOCHS = 40
"""Epochs off the NPU listed in the text; the JSON has all."""
MOST_OPERATORS, MOST_STATEMENTS = 10, 60
"""Operators or epochs, and other lines, printed of artefacts without a model."""


def compare_text(comparison: Comparison) -> str:
    """The report, in lines of about 110 characters."""
    parts = [*_artefact_lines(comparison), ""]
    parts += _epoch_lines(comparison)
    if comparison.layers:
        parts += ["", *agreement_lines(comparison), "", *_table(comparison.layers)]
    else:
        parts += _operator_lines(comparison)
        if comparison.epochs or comparison.off_npu:
            parts += [
                "",
                "Name the model too, and each layer is compared with this: npuscope compare MODEL ARTEFACT...",
            ]
        else:
            parts += [line for artefact in comparison.artefacts for line in _statement_lines(artefact)]
    not_understood = [
        f"  {short(artefact)}: {printable(item)}"
        for artefact in comparison.artefacts
        for item in artefact.not_understood[:10]
    ]
    if not_understood:
        parts += ["", "Not understood", *not_understood]
    if comparison.notes:
        parts += ["", *(f"note: {printable(note)}" for note in comparison.notes)]
    return "\n".join(parts) + "\n"


def short(artefact: Artefact) -> str:
    """The name of its file."""
    return printable(artefact.path.replace("\\", "/").rsplit("/", 1)[-1])


def _artefact_lines(comparison: Comparison) -> list[str]:
    rows = []
    names = fitted((short(artefact) for artefact in comparison.artefacts), NAME_WIDTH)
    for artefact, name in zip(comparison.artefacts, names, strict=True):
        version = artefact.toolchain or artefact.version
        holds = ", ".join(
            f"{count} {what}"
            for count, what in (
                _epochs_listed(artefact),
                (len(artefact.nodes), "operators"),
                (len(artefact.lowerings), "lowered operators"),
                (len(artefact.pools), "memory pools"),
            )
            if count
        )
        rows.append(
            (
                name,
                artefact.title,
                f"Core {printable(version)}{_build_of(artefact)}" if version else "version not stated",
                holds,
            )
        )
    source = "" if comparison.toolchain_stated else ", as no artefact states a version"
    judged = [f"judged for Core {comparison.toolchain}{source}"]
    if comparison.layers and comparison.clocks is not None:
        judged.append(clocks_line(comparison, comparison.clocks))
        if comparison.build is not None and (options := build_line(comparison.build)):
            judged.append(f"built with {options}")
    return [*_columns(rows), *judged]


def clocks_line(comparison: Comparison, clocks: Clocks) -> str:
    """The clocks of the prediction, and whether the artefacts state them."""
    source = ", as the artefacts state" if comparison.profile_stated else ""
    figures = f"NPU {clocks.npu_hz / 1e6:g} MHz, CPU {clocks.cpu_hz / 1e6:g} MHz"
    return f"at {comparison.profile} clocks ({figures}){source}"


def _epochs_listed(artefact: Artefact) -> tuple[int, str]:
    """(151, 'epochs in 37 rows') where epochs of a blob share a row, (5, 'epochs, 3 listed') of a part of a table."""
    rows, total = len(artefact.epochs), artefact.totals.epochs
    if not any(epoch.last is not None for epoch in artefact.epochs):
        return (rows, "epochs") if total in (None, rows) else (total or 0, f"epochs, {rows or 'none'} listed")
    return (rows, "rows of epochs") if total is None else (total, f"epochs in {rows} rows")


def _build_of(artefact: Artefact) -> str:
    """' (a build of 2.0)' where the tool calls itself otherwise."""
    toolchain, known = artefact.toolchain, artefact.version
    return (
        f" (a build of {known})"
        if toolchain and known and not toolchain.lstrip("vV").startswith(known)
        else ""
    )


def _operator_lines(comparison: Comparison) -> list[str]:
    """Without a model: the convolutions with the compiler's figures, the slowest first; where there are none, epochs."""
    nodes = {
        node.name: node
        for artefact in comparison.artefacts
        for node in artefact.nodes
        if node.latency_cycles is not None and node.ops_per_cycle is not None and node.kind == "Conv"
    }
    if nodes:
        slowest = sorted(nodes.values(), key=lambda node: -(node.latency_cycles or 0))[:MOST_OPERATORS]
        rows: list[tuple[str, ...]] = [
            ("epoch", "convolution", "cycles", "OPS/cycle", "SIMD", "choked ports")
        ]
        rows += [
            (
                "" if node.epoch is None else str(node.epoch),
                name,
                _count(node.latency_cycles),
                _speed(node.ops_per_cycle),
                printable(node.simd),
                printable(" ".join(node.choked_ports)),
            )
            for node, name in zip(slowest, fitted((n.name for n in slowest), NAME_WIDTH), strict=True)
        ]
        what = f"the {len(slowest)} slowest of {len(nodes)} convolutions"
        return ["", what, *(f"  {line}" for line in _columns(rows, {0, 2, 3}))]
    timed = [
        epoch for epoch in comparison.epochs if epoch.milliseconds is not None or epoch.cycles is not None
    ]
    if not timed:
        return _table_lines(comparison)
    slowest_epochs = sorted(timed, key=lambda e: (-(e.milliseconds or 0.0), -(e.cycles or 0)))[
        :MOST_OPERATORS
    ]
    rows = [("epoch", "where", "op", "cycles", "ms")]
    rows += [
        (
            str(epoch.index) if epoch.last is None else f"{epoch.index}-{epoch.last}",
            WORDS.get(epoch.placement, epoch.placement),
            printable(epoch.op),
            _count(epoch.cycles),
            "" if epoch.milliseconds is None else table_ms(epoch.milliseconds),
        )
        for epoch in slowest_epochs
    ]
    what = f"the {len(slowest_epochs)} slowest of {len(timed)} epochs"
    return ["", what, *(f"  {line}" for line in _columns(rows, {0, 3, 4}))]


def _table_lines(comparison: Comparison) -> list[str]:
    """The largest operators of the front end's table."""
    table = [row for artefact in comparison.artefacts for row in artefact.rows]
    largest = sorted((row for row in table if row.macc), key=lambda row: -(row.macc or 0))[:MOST_OPERATORS]
    if not largest:
        return []
    rows = [("layer", "op", "shape", "parameters", "MAC")]
    rows += [
        (
            name,
            printable(row.op),
            "x".join(str(size) for _, size in row.shape),
            _count(row.parameters),
            _count(row.macc),
        )
        for row, name in zip(largest, fitted((row.name for row in largest), NAME_WIDTH), strict=True)
    ]
    what = f"the {len(largest)} largest of {len(table)} operators, as the front end read them"
    return ["", what, *(f"  {line}" for line in _columns(rows, {3, 4}))]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _statement_lines(artefact: Artefact) -> list[str]:
    """What a file says that lists neither epochs nor operators."""
    stated = statements(artefact)
    first = stated[:MOST_STATEMENTS]
    sections, names = fitted((one.section for one in first), 20), fitted((one.name for one in first), 28)
    rows = [
        (section, name, _cut(printable(one.text), 80))
        for section, name, one in zip(sections, names, first, strict=True)
    ]
    more = (
        [f"  and {len(stated) - MOST_STATEMENTS} more; --json has all"]
        if len(stated) > MOST_STATEMENTS
        else []
    )
    return ["", *(f"  {line}" for line in _columns(rows)), *more] if rows else []


def _epoch_lines(comparison: Comparison) -> list[str]:
    totals = comparison.totals
    if totals.epochs is not None and totals.sw is not None:
        hybrid = f", {totals.hybrid} hybrid" if totals.hybrid else ""
        head = f"{plural(totals.epochs, 'epoch')}: {totals.sw} in software{hybrid}"
    elif comparison.epochs:
        head = f"{plural(len(comparison.epochs), 'epoch')} listed; the artefacts do not say where they run"
    else:
        head = ""
    figures = [head] if head else []
    if totals.milliseconds is not None:
        figures.append(f"{totals.milliseconds:.4g} ms measured")
    if totals.cycles is not None:
        figures.append(f"{_count(totals.cycles)} cycles estimated by the compiler")
    lines = [" · ".join(figures)] if figures else []
    used = [f"{pool.name} {_of(pool.used, pool.size)}" for pool in comparison.pools if pool.used]
    if used:
        lines.append(f"memory: {', '.join(used)}")
    entries = comparison.off_npu
    if not entries:
        return lines
    brief = short_names(
        (*(layer.name for layer in comparison.layers), *(entry.layer or entry.node for entry in entries)),
        NAME_WIDTH,
    )
    rows = [
        (
            *_where(entry),
            printable(entry.op),
            brief[entry.layer or entry.node],
            says(entry),
        )
        for entry in entries
    ]
    lines += [f"  {line}" for line in _columns(rows[:MOST_EPOCHS])]
    if len(rows) > MOST_EPOCHS:
        lines.append(f"  and {len(rows) - MOST_EPOCHS} more")
    for code in dict.fromkeys(entry.code for entry in entries if entry.code):
        matching = [entry for entry in entries if entry.code == code]
        fix = textwrap.wrap(f"fix  {matching[0].fix}", WIDTH, subsequent_indent=" " * 13)
        lines += ["", f"  {code}  {fix[0]}", *fix[1:]]
        lines += [f"        {brief[e.layer or e.node]}: {printable(e.note)}" for e in matching if e.note]
        logged = next((entry.log[0] for entry in matching if entry.log), "")
        if logged:
            lines.append(f"        the log says only: {printable(logged)}")
    return lines


def _of(used: int | None, size: int | None) -> str:
    """'447 of 448 KiB'."""
    unit, name = (1 << 20, "MiB") if max(used or 0, size or 0) >= 8 << 20 else (1 << 10, "KiB")
    share = f" of {size / unit:.4g}" if size else ""
    return f"{(used or 0) / unit:.4g}{share} {name}"


def _where(entry: OffNpu) -> tuple[str, str]:
    place = WORDS.get(entry.placement, entry.placement)
    return (f"epoch {entry.epoch}" if entry.epoch is not None else "log", place)


def says(entry: OffNpu) -> str:
    """Why an epoch or operator is off the NPU, as far as it is known."""
    reason = f"{entry.code} {entry.message}" if entry.code else printable(entry.log[0]) if entry.log else ""
    return f"{reason} ({entry.channels})" if entry.channels and reason else reason or entry.channels


HEAD = (
    "layer",
    "op",
    "channels",
    "predicted",
    "actual",
    "cycles",
    "actual",
    "OPS/cycle",
    "actual",
    "ms",
    "measured",
    "epoch",
    "match",
    "",
)
RIGHT = frozenset({5, 6, 7, 8, 9, 10, 11})


def _table(layers: Sequence[LayerComparison]) -> list[str]:
    """One row a layer; columns in which no artefact says anything are left out."""
    brief = short_names((layer.name for layer in layers), NAME_WIDTH)
    rows = [_row(layer, brief[layer.name]) for layer in layers]
    kept = [i for i in range(len(HEAD)) if i < 5 or any(row[i] for row in rows)]
    kept = [i for i in kept if i not in (5, 7, 9) or i + 1 in kept]
    shown = [[row[i] for i in kept] for row in (HEAD, *rows)]
    lines = _columns(shown, right={kept.index(i) for i in kept if i in RIGHT})
    widths = [max(len(row[i]) for row in shown) for i in range(len(kept))]
    ways = [f"  {by:11}  {text}" for by, text in found_by(layers)]
    return [
        lines[0],
        "  ".join("-" * width for width in widths).rstrip(),
        *lines[1:],
        *(
            ["", "match: how a layer was found in the artefacts, and how certain that is", *ways]
            if ways
            else []
        ),
    ]


FOUND_BY = {
    "q_json": "the _Q.json names the layer's tensors",
    "name": "the compiler's node has its name",
    "scales": "a node has its shapes and scales",
    "order": "nodes and layers of a kind come in the same order",
    "epochs": "the epochs off the NPU come in the order of the layers predicted there",
    "elimination": "every epoch off the NPU belongs to another layer, so it is on the NPU",
    "in_step": "as many epochs as predicted, each of them where it is predicted",
}
"""`Evidence.by` in words."""


def found_by(layers: Iterable[LayerComparison]) -> list[tuple[str, str]]:
    """The ways in which layers were found, each explained."""
    used = {layer.evidence.by for layer in layers if layer.evidence is not None}
    return [(by, text) for by, text in FOUND_BY.items() if by in used]


def _row(layer: LayerComparison, name: str) -> tuple[str, ...]:
    predicted, actual, evidence = layer.predicted, layer.actual or Figures(), layer.evidence
    both = predicted.placement == HW and actual.placement in (HW, "")
    return (
        name,
        shortened(printable(layer.op), 16),
        layer.channels,
        WORDS.get(predicted.placement, predicted.placement),
        WORDS.get(actual.placement, actual.placement),
        _count(predicted.compute_cycles) if both else "",
        _count(actual.compute_cycles) if both else "",
        _speed(predicted.ops_per_cycle) if both else "",
        _speed(actual.ops_per_cycle) if both and predicted.ops_per_cycle is not None else "",
        ""
        if actual.milliseconds is None or predicted.milliseconds is None
        else table_ms(predicted.milliseconds),
        "" if actual.milliseconds is None else table_ms(actual.milliseconds),
        "" if actual.epoch is None else str(actual.epoch),
        "" if evidence is None else f"{evidence.by} {100 * evidence.confidence:.0f} %",
        " ".join(f"!{difference.what}" for difference in layer.differences),
    )


def _count(number: int | None) -> str:
    return "" if number is None else thousands(number)


def _speed(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows as aligned columns, two blanks between."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligned = set(right)
    return [
        "  ".join(
            cell.rjust(width) if i in aligned else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
