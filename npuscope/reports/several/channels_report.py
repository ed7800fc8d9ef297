"""The table of channel counts, to read and as "npuscope.channels/1"."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

from npuscope.machine.machine import Target
from npuscope.npu.figures import thousands
from npuscope.npu.ledger import line_alone
from npuscope.npu.times import in_ms, table_ms
from npuscope.npu.verdict import Placement
from npuscope.planning.channels import GEMM, Row, Shape, Table
from npuscope.reports.json_report import cost_json, target_json
from npuscope.reports.text_report import WORDS

SCHEMA = "npuscope.channels/1"

SHOWN = 24
"""Counts worth choosing in the short table, at most: the best of as many stretches of the range."""

WORST = 5
LISTED = 16
"""Counts on the CPU that are named, at most."""


def channels_json(table: Table) -> dict[str, Any]:
    """All rows; the figures of each have the names they have in "npuscope.check/1"."""
    shape, target = table.shape, table.target
    return {
        "schema": SCHEMA,
        "target": target_json(target),
        "layer": {
            "op": shape.op,
            "kernel": list(shape.kernel),
            "map": list(shape.size),
            "output_map": list(shape.output_size),
            "stride": list(shape.stride),
            "dilation": list(shape.dilation),
            "pads": list(shape.pads),
            "depthwise": shape.depthwise,
            "in_channels": shape.inputs,
            "out_channels": shape.outputs,
            "zero_point": shape.zero_point,
        },
        "rows": [_row(row, target) for row in table.rows],
        "good": [row.channels for row in table.good],
    }


def _row(row: Row, target: Target) -> dict[str, Any]:
    line = line_alone("", row.placement, row.cost, target.clocks.cpu_hz)
    return {
        "channels": row.channels,
        "in_channels": row.in_channels,
        "out_channels": row.out_channels,
        "placement": row.placement.value,
        "codes": list(row.codes),
        **({} if row.cost is None else cost_json(row.cost, line)),
    }


def channels_text(table: Table, everything: bool = False) -> str:
    """The counts that run on the CPU, those worth choosing and those that cost most; or every row."""
    target = table.target
    head = (
        f"{shape_words(table.shape)} · {target.title} · Core {target.toolchain.version} · "
        f"{target.clocks.npu_hz // 1_000_000} MHz"
    )
    lines = [head, _verdict(table)]
    if everything:
        return "\n".join((*lines, "", *_rows(table.rows))) + "\n"
    lines += _off(table)
    good = _best_of_stretches(table.good)
    lines += ["", "Worth choosing: any other count takes as long as the next larger one of these, or longer"]
    if len(good) < len(table.good):
        lines[-1] = f"Worth choosing: the {len(good)} best of {len(table.good)} that no larger count beats"
    lines += ["", *_rows(good)]
    lines += _worst(table)
    if len(table.rows) > len(good):
        lines += ["", f"{len(table.rows)} counts in all; --all shows each"]
    return "\n".join(lines) + "\n"


def shape_words(shape: Shape) -> str:
    """'3x3 Conv on 14x14, ? to 64 channels, input zero point -128'."""
    if shape.op == GEMM:
        rows = shape.size[1]
        what = f"Gemm of {rows} row{'s' if rows > 1 else ''}"
    else:
        kind = "depthwise Conv" if shape.depthwise else "Conv"
        what = f"{_pair(shape.kernel)} {kind} on {_pair(shape.size)}"
    sides = ["?" if side is None else str(side) for side in (shape.inputs, shape.outputs)]
    words = [what, "? channels" if shape.depthwise else f"{sides[0]} to {sides[1]} channels"]
    if shape.stride != (1, 1):
        words.append(f"stride {_pair(shape.stride)}")
    if shape.dilation != (1, 1):
        words.append(f"dilation {_pair(shape.dilation)}")
    return ", ".join((*words, f"input zero point {shape.zero_point}"))


def _pair(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}x{sizes[1]}"


def _verdict(table: Table) -> str:
    count, off = len(table.rows), [row for row in table.rows if row.placement is not Placement.HW]
    if not off:
        return f"all {count} counts run on the NPU"
    return f"{len(off)} of {count} counts do not run on the NPU"


def _off(table: Table) -> list[str]:
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for row in table.rows:
        if row.placement is not Placement.HW:
            groups.setdefault((WORDS[row.placement], row.codes), []).append(row.channels)
    lines = ["", "Not on the NPU"] if groups else []
    for (where, codes), counts in groups.items():
        shown = ", ".join(map(str, counts[:LISTED]))
        more = f" and {len(counts) - LISTED} more" if len(counts) > LISTED else ""
        lines.append(f"  {' '.join(codes)}  {where}: {shown}{more}")
    return lines


def _best_of_stretches(rows: Sequence[Row]) -> list[Row]:
    """At most SHOWN rows: of each stretch, which grow with the counts, the one with the most MAC in a millisecond."""
    if len(rows) <= SHOWN:
        return list(rows)
    low, high = rows[0].channels, rows[-1].channels
    best: dict[int, Row] = {}
    for row in rows:
        stretch = int((SHOWN - 1) * ((row.channels / low) ** 0.5 - 1) / ((high / low) ** 0.5 - 1))
        known = best.get(stretch)
        if known is None or _rate(row) >= _rate(known):
            best[stretch] = row
    return [best[stretch] for stretch in sorted(best)]


def _rate(row: Row) -> tuple[float, int, int]:
    """What is better: more MAC in a millisecond, by percents; then fewer passes through memory, then more channels."""
    cost = row.cost
    if cost is None or not cost.milliseconds or not cost.macs:
        return (0.0, 0, 0)
    iterations = cost.tiling.iterations if cost.tiling is not None else 0
    return (round(50 * log(cost.macs / cost.milliseconds)), -iterations, row.channels)


COLUMNS = ("channels", "where", "mode", "CAs", "iterations", "depth", "kernels", "MAC/cycle", "cycles", "ms")


def _rows(rows: Sequence[Row]) -> list[str]:
    cells = [COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(
            text.ljust(width) if COLUMNS[i] in ("where", "mode") else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _cells(row: Row) -> tuple[str, ...]:
    cost, where = row.cost, WORDS[row.placement]
    tiling = cost.tiling if cost is not None else None
    if cost is None or tiling is None:
        return (str(row.channels), where, *[""] * 7, table_ms(row.milliseconds) if cost is not None else "")
    modes = (tiling.simd, *(("Deep1x1",) if tiling.deep1x1 else ("DSS2",) if tiling.dss2 else ()))
    return (
        str(row.channels),
        where,
        " ".join(modes),
        str(tiling.accelerators),
        str(tiling.iterations),
        str(tiling.batch_depth),
        str(tiling.kernels_per_pass),
        f"{cost.macs_per_cycle:.3g}",
        thousands(cost.cycles),
        table_ms(row.milliseconds),
    )


def _worst(table: Table) -> list[str]:
    pairs = [(row, good) for row, good in table.instead if row.milliseconds > good.milliseconds * 1.05][
        :WORST
    ]
    if not pairs:
        return []
    lines = ["", "Worth avoiding"]
    for row, good in pairs:
        times = row.milliseconds / good.milliseconds
        longer = f"{times:.3g} times as long as" if times >= 2 else f"{(times - 1) * 100:.0f} % longer than"
        lines.append(
            f"  {row.channels}: {in_ms(row.milliseconds)} ms, {longer} {good.channels} ({in_ms(good.milliseconds)} ms)"
        )
    return lines
