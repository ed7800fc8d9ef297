"""One model for many targets, a row each: as text, Markdown, CSV and "npuscope.sweep/1"."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from npuscope.model.load import Source
from npuscope.model.names import printable
from npuscope.npu.times import table_ms
from npuscope.record import dataclass
from npuscope.reports.json_report import build_json, summary_json
from npuscope.reports.tables import plain, spreadsheet_safe
from npuscope.services.sweep import Variant
from npuscope.snapshot import Snapshot, Summary

SCHEMA = "npuscope.sweep/1"

NO_BOARD = "-"

COLUMNS = (
    "toolchain",
    "board",
    "profile",
    "pools",
    "on the CPU",
    "hybrid",
    "ms",
    "epochs",
    "activations",
    "fits",
)


@dataclass(frozen=True, slots=True)
class SweepRow:
    """A target, and the model there; `too_small` are the memories that do not hold it."""

    variant: Variant
    summary: Summary
    too_small: tuple[str, ...]


def sweep_row(variant: Variant, snapshot: Snapshot) -> SweepRow:
    """The row of one analysis."""
    return SweepRow(variant, snapshot.summary, tuple(pool.name for pool in snapshot.memory.too_full))


def sweep_json(source: Source, rows: Sequence[SweepRow]) -> dict[str, Any]:
    """All rows. Keys may be added, none renamed."""
    return {
        "schema": SCHEMA,
        "model": {"path": str(source.path), "sha256": source.sha256},
        "rows": [
            {
                "toolchain": row.variant.build.toolchain,
                "board": row.variant.board or None,
                "profile": row.variant.build.profile,
                "pools": row.variant.pools,
                "build": build_json(row.variant.build),
                "summary": summary_json(row.summary),
                "fits": not row.too_small,
                "too_small": list(row.too_small),
            }
            for row in rows
        ],
    }


def best(rows: Sequence[SweepRow]) -> SweepRow | None:
    """The fastest that fits."""
    return min(
        (row for row in rows if not row.too_small), key=lambda row: row.summary.milliseconds, default=None
    )


def _cells(row: SweepRow) -> tuple[str, ...]:
    build, summary = row.variant.build, row.summary
    return (
        build.toolchain,
        printable(row.variant.board) or NO_BOARD,
        build.profile,
        row.variant.pools,
        str(summary.on_cpu or "-"),
        str(summary.hybrid or "-"),
        table_ms(summary.milliseconds),
        str(summary.epochs),
        f"{summary.activations_bytes / (1 << 10):.0f} KiB",
        f"no: {', '.join(map(printable, row.too_small))}" if row.too_small else "yes",
    )


def _lines(rows: Sequence[SweepRow]) -> list[tuple[str, ...]]:
    """The rows, those of versions that follow each other and differ in nothing as one: '2.0 to 2.2'."""
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    order = list(dict.fromkeys(row.variant.build.toolchain for row in rows))
    last: dict[tuple[str, ...], str] = {}
    for row in rows:
        version, *rest = _cells(row)
        place, cells = tuple(rest[:3]), tuple(rest)
        if last.get(place) == "\0".join(cells):
            groups[cells][-1].append(version)
        else:
            groups.setdefault(cells, []).append([version])
        last[place] = "\0".join(cells)
    lines = [(versions, cells) for cells, stretches in groups.items() for versions in stretches]
    lines.sort(key=lambda line: (_places(rows).index(line[1][:3]), order.index(line[0][0])))
    return [(_stretch(versions), *cells) for versions, cells in lines]


def _places(rows: Sequence[SweepRow]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(tuple(_cells(row)[1:4]) for row in rows))


def _stretch(versions: Sequence[str]) -> str:
    return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


def best_words(rows: Sequence[SweepRow]) -> str:
    """The fastest target in a line."""
    row = best(rows)
    if row is None:
        return "the model fits nowhere"
    cells = _cells(row)
    where = f"on {cells[1]}, " if row.variant.board else ""
    return (
        f"fastest where it fits: Core {cells[0]}, {where}{cells[2]} clocks, {cells[3]} pools, {cells[6]} ms"
    )


def sweep_text(source: Source, rows: Sequence[SweepRow]) -> str:
    """A line a target, then the fastest one."""
    cells = [COLUMNS, *_lines(rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = {0, 1, 2, 3, len(COLUMNS) - 1}
    lines = [
        "  ".join(
            text.ljust(width) if i in left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    rule = "  ".join("-" * width for width in widths)
    return (
        "\n".join((printable(source.path.name), "", lines[0], rule, *lines[1:], "", best_words(rows))) + "\n"
    )


def sweep_markdown(source: Source, rows: Sequence[SweepRow]) -> str:
    """A table to paste into a review."""
    lines = [f"## {plain(source.path.name)}", "", plain(best_words(rows)), ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(map(plain, line)) + " |" for line in _lines(rows)]
    return "\n".join(lines) + "\n"


def sweep_csv(rows: Sequence[SweepRow]) -> str:
    """One row a target."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("toolchain", "board", "profile", "pools", *_FIGURES, "too_small"))
    for row in rows:
        build, figures = row.variant.build, (getattr(row.summary, name) for name in _FIGURES.values())
        values = (
            build.toolchain, row.variant.board, build.profile, row.variant.pools, *figures, " ".join(row.too_small)
        )  # fmt: skip
        writer.writerow([spreadsheet_safe(value) for value in values])
    return text.getvalue()


_FIGURES = {
    "layers": "layers", "hybrid": "hybrid", "sw_int": "sw_int", "sw_float": "sw_float", "cycles": "cycles",
    "ms": "milliseconds", "epochs": "epochs", "weights_bytes": "weights_bytes", "activations_bytes": "activations_bytes",
}  # fmt: skip
