"""The settings of a quantization, a row each, to read and as "npuscope.quantize/1"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npuscope.machine.machine import Target
from npuscope.model.names import printable
from npuscope.npu.figures import thousands
from npuscope.npu.times import table_change, table_ms
from npuscope.reports.json_report import finite, target_json
from npuscope.reports.several.models_report import ModelRow, model_row
from npuscope.services.quantizing import Failed, Quantized

SCHEMA = "npuscope.quantize/1"


def quantize_json(
    results: Sequence[Quantized | Failed], target: Target, drawn: str, written: str | None
) -> dict[str, Any]:
    """Every setting in the order of the table, best first."""
    return {
        "schema": SCHEMA,
        "target": target_json(target),
        "samples": drawn,
        "settings": [_setting_json(result) for result in results],
        "written": written,
    }


def _setting_json(result: Quantized | Failed) -> dict[str, Any]:
    settings = result.settings
    head: dict[str, Any] = {
        "method": settings.method,
        "symmetric": settings.symmetric,
        "per_channel": settings.per_channel,
        "exclude": list(settings.exclude),
        "symmetric_tensors": list(settings.symmetric_tensors),
    }
    if isinstance(result, Failed):
        return {**head, "error": result.reason}
    summary = result.snapshot.summary
    return {
        **head,
        "layers": summary.layers,
        "on_cpu": summary.on_cpu,
        "hybrid": summary.hybrid,
        "ms": summary.milliseconds,
        "compute_cycles": summary.compute_cycles,
        "weights_bytes": summary.weights_bytes,
        "activations_bytes": summary.activations_bytes,
        "sqnr_db": result.sqnr_db,
        "codes": list(_row(result).codes),
        "edits": list(result.edits),
        "repairs": [
            {
                "what": one.words,
                "gain_db": finite(one.decibels),
                "ms": finite(one.milliseconds),
                "compute_cycles": one.compute_cycles,
            }
            for one in result.repairs
        ],
    }


def _row(result: Quantized) -> ModelRow:
    return model_row(result.settings.title, result.snapshot)


def quantize_text(results: Sequence[Quantized | Failed], drawn: str) -> str:
    """A line a setting; SQNR is the smallest at an output, against the float model."""
    head = ("setting", "on the CPU", "hybrid", "ms", "compute cycles", "SQNR dB", "activations", "codes")
    rows = [head, *(_cells(result) for result in results if isinstance(result, Quantized))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(head, widths), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths) for row in rows[1:]]
    lines += [
        f"{result.settings.title}: cannot be made: {printable(result.reason)}"
        for result in results
        if isinstance(result, Failed)
    ]
    lines += _changes(results)
    lines += [
        "",
        f"Calibrated on {drawn}. SQNR: at the worst output, against the float model on these same samples;",
        "it may be lower on others: verify FLOAT INT8 --inputs OTHERS.",
    ]
    return "\n".join(lines) + "\n"


def _changes(results: Sequence[Quantized | Failed]) -> list[str]:
    """What was repaired, with gain and price, and the edits of the plan."""
    made = [result for result in results if isinstance(result, Quantized)]
    repairs = {one: None for result in made for one in result.repairs}
    edits = {words: None for result in made for words in result.edits}
    lines = ["", "Repairs"] if repairs else []
    lines += [
        f"  {one.decibels:+6.1f} dB  {table_change(one.milliseconds):>8} ms  {one.compute_cycles:+10} compute cycles  "
        f"{printable(one.words)}"
        for one in repairs
    ]
    return lines + (["", "Edits made", *(f"  {printable(words)}" for words in edits)] if edits else [])


def _cells(result: Quantized) -> tuple[str, ...]:
    summary = result.snapshot.summary
    return (
        result.settings.title
        + (f", {_count(len(result.repairs), 'repair')}" if result.repairs else "")
        + (f", {_count(len(result.edits), 'edit')}" if result.edits else ""),
        f"{summary.on_cpu} of {summary.layers}",
        str(summary.hybrid or "-"),
        table_ms(summary.milliseconds),
        thousands(summary.compute_cycles),
        "exact" if result.sqnr_db is None else f"{result.sqnr_db:.1f}",
        f"{-(-summary.activations_bytes // 1024)} KiB",
        " ".join(_row(result).codes) or "-",
    )


def _count(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if index in (0, len(cells) - 1) else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest)).rstrip()
