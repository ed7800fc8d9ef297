"""Many models, a row each: as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from npuscope.model.names import printable
from npuscope.npu.figures import thousands
from npuscope.npu.times import table_ms
from npuscope.record import dataclass
from npuscope.reports.short_names import short_names
from npuscope.reports.tables import plain, spreadsheet_safe
from npuscope.snapshot import Snapshot, Summary

COLUMNS = (
    "path", "error", "layers", "hw", "hybrid", "sw_int", "sw_float", "macs", "cycles", "ms", "epochs", "weights_bytes",
    "activations_bytes", "fits", "codes",
)  # fmt: skip

NAME_WIDTH = 44


@dataclass(frozen=True, slots=True)
class ModelRow:
    """What is said of one file: a summary, or why it cannot be used."""

    path: str
    error: str = ""
    summary: Summary | None = None
    fits: bool = True
    codes: tuple[str, ...] = ()
    """Of the findings that keep layers off the NPU, the most frequent ones first."""


def model_row(path: str, snapshot: Snapshot) -> ModelRow:
    """The row of a model that was judged."""
    counts: dict[str, int] = {}
    for report in snapshot.off_npu:
        for code in {finding.code for finding in report.forced_by}:
            counts[code] = counts.get(code, 0) + 1
    codes = tuple(sorted(counts, key=lambda code: (-counts[code], code)))
    return ModelRow(path, "", snapshot.summary, not snapshot.memory.too_full, codes)


def models_text(rows: Sequence[ModelRow], width: int = 100) -> str:
    """A line a file, then how many are what."""
    names = short_names((row.path for row in rows), NAME_WIDTH)
    head = ("file", "on the CPU", "hybrid", "layers", "ms", "weights", "activations", "codes")
    cells = [_cells(row, names[row.path]) for row in rows if row.summary is not None]
    used = [len(max(column, key=len)) for column in zip(head, *cells, strict=True)]
    used[0] = max(used[0], *(len(names[row.path]) for row in rows))
    lines = [_line(head, used), "  ".join("-" * size for size in used)]
    for row in rows:
        if row.summary is None:
            words = f"{names[row.path].ljust(used[0])}  cannot be used: {printable(_reason(row))}"
            lines.append(words)
        else:
            lines.append(_line(_cells(row, names[row.path]), used))
    lines += ["", models_words(rows)]
    return "\n".join(lines) + "\n"


def models_words(rows: Sequence[ModelRow]) -> str:
    """'12 models: 9 entirely on the NPU, 2 need the CPU; 1 cannot be used'."""
    good = [row for row in rows if row.summary is not None]
    off = sum(row.summary is not None and row.summary.off_npu > 0 for row in good)
    parts = [f"{len(good) - off} entirely on the NPU", f"{off} need{'s' * (off == 1)} the CPU"]
    if full := sum(not row.fits for row in good):
        parts.append(f"{full} do not fit")
    if bad := len(rows) - len(good):
        parts.append(f"{bad} cannot be used")
    return f"{len(rows)} file{'s' if len(rows) != 1 else ''}: {', '.join(parts)}"


def _reason(row: ModelRow) -> str:
    """The error without the path, which the row begins with."""
    return row.error.removeprefix(f"{row.path}: ")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = cells
    sizes = widths[1:-1]
    return "  ".join(
        (first.ljust(widths[0]), *(text.rjust(size) for text, size in zip(middle, sizes, strict=True)), last)
    ).rstrip()


def _cells(row: ModelRow, name: str) -> tuple[str, ...]:
    summary = row.summary
    assert summary is not None, "only a model that was judged has figures"
    codes = list(row.codes) if row.fits else [*row.codes, "does not fit"]
    return (
        name,
        str(summary.on_cpu or "-"),
        str(summary.hybrid or "-"),
        str(summary.layers),
        table_ms(summary.milliseconds),
        _bytes(summary.weights_bytes),
        _bytes(summary.activations_bytes),
        " ".join(codes),
    )


def _bytes(count: int) -> str:
    return f"{thousands(round(count / (1 << 10)))} KiB"


def models_markdown(rows: Sequence[ModelRow]) -> str:
    """A table to paste into a review."""
    lines = [
        plain(models_words(rows)),
        "",
        "| file | on the CPU | hybrid | layers | ms | weights | activations | |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        cells = (
            (printable(row.path), "", "", "", "", "", "", _reason(row))
            if row.summary is None
            else _cells(row, printable(row.path))
        )
        lines.append("| " + " | ".join(plain(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def models_csv(rows: Sequence[ModelRow]) -> str:
    """One row a file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        summary = row.summary
        figures: tuple[object, ...] = ("",) * (len(COLUMNS) - 2)
        if summary is not None:
            figures = (
                summary.layers,
                summary.hw,
                summary.hybrid,
                summary.sw_int,
                summary.sw_float,
                summary.macs,
                summary.cycles,
                f"{summary.milliseconds:.6g}",
                summary.epochs,
                summary.weights_bytes,
                summary.activations_bytes,
                int(row.fits),
                " ".join(row.codes),
            )
        values = (printable(row.path), printable(_reason(row)), *figures)
        writer.writerow([spreadsheet_safe(value) for value in values])
    return text.getvalue()
