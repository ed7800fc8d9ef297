"""Channel counts of a layer, a line each: where it would run and what it would take."""

from __future__ import annotations

from collections.abc import Mapping

from npuscope.planning.channels import Row, Table
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import grouped, three, time_cell
from npuscope.widgets.text.spans import Line, Span, line, quiet
from npuscope.widgets.text.words import where

_COLUMNS = (
    ("channels", 9),
    ("where", 8),
    ("mode", 7),
    ("CAs", 5),
    ("MAC/c", 7),
    ("cycles", 11),
    ("time", 11),
)


def channels_heading(width: int) -> Line:
    """The names of the columns."""
    names = [left(f"  {name}" if name == "where" else name, size) if name in ("where", "mode") else right(name, size)
             for name, size in _COLUMNS]  # fmt: skip
    return line(Span("  " + "".join(names), "title"))


def beaten(table: Table) -> Mapping[int, int]:
    """Count -> a larger one that takes less time."""
    return {
        row.channels: better.channels
        for row, better in table.instead
        if better.milliseconds < row.milliseconds
    }


def channels_line(row: Row, larger: int | None, now: int, width: int) -> Line:
    """A count; the layer's own is marked, and so are those that a `larger` one beats."""
    cost, placed = row.cost, where(row.placement)
    tiling = cost.tiling if cost is not None else None
    mode = "" if tiling is None else "Deep1x1" if tiling.deep1x1 else tiling.simd
    sizes = dict(_COLUMNS)
    return (
        Span("▸ " if row.channels == now else "  ", "accent"),
        Span(right(str(row.channels), sizes["channels"]), "strong" if row.channels == now else "text"),
        Span("  " + left(placed.text, sizes["where"] - 2), placed.role),
        quiet(left(mode, sizes["mode"])),
        quiet(right(str(tiling.accelerators) if tiling else "", sizes["CAs"])),
        Span(right(three(cost.macs_per_cycle) if cost and tiling else "", sizes["MAC/c"])),
        quiet(right(_cycles(row), sizes["cycles"])),
        Span(right(time_cell(cost.milliseconds) if cost else "", sizes["time"])),
        Span(f"  {larger} is faster" if larger is not None else "", "attention"),
    )


def _cycles(row: Row) -> str:
    """NPU cycles; none where the CPU computes, whose cycles are others."""
    if row.cost is None:
        return ""
    return "·" if row.placement.on_cpu else grouped(row.cost.compute_cycles)


def about_row(row: Row, now: Row | None) -> list[Line]:
    """A count against the layer as it is."""
    if now is None or row.cost is None or now.cost is None or not now.milliseconds:
        return [line(quiet("The price of this count is not known."))]
    factor = now.milliseconds / row.milliseconds if row.milliseconds else 0.0
    if row.channels == now.channels:
        words = "as it is"
    elif factor >= 1.005:
        words = f"{factor:.2f} x faster than with {now.channels}"
    elif factor and factor <= 0.995:
        words = f"{1 / factor:.2f} x slower than with {now.channels}"
    else:
        words = f"as long as with {now.channels}"
    codes = f"  {' '.join(row.codes)}" if row.codes else ""
    return [line(f"{row.in_channels} → {row.out_channels} channels: ", Span(words, "strong"), quiet(codes))]
