"""The values of a tensor over its quantization grid, in characters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from npuscope.npu.figures import plural
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import column, percent, three
from npuscope.widgets.text.spans import Line, Span, line, quiet, wrap

if TYPE_CHECKING:
    from npuscope.numbers.tensor_values import OnGrid

BARS = " ▁▂▃▄▅▆▇█"
TICK = 32
"""Levels between two marks of the grid's ruler."""

LEAST = 8
"""Cells of the narrowest histogram."""

_NUMBER, _STEP, _END, _USED = 7, 10, 9, 7
_FIXED = _NUMBER + _STEP + 2 * _END + _USED


def heading(width: int) -> Line:
    """The names of the columns."""
    text = right("channel", _NUMBER) + right("step", _STEP) + right("from", _END) + right("to", _END)
    return line(
        Span(text + right("used %", _USED) + "  values on the grid"[: max(width - _FIXED, 0)], "title")
    )


def rows(values: OnGrid, width: int) -> list[Line]:
    """All channels together, then each."""
    first = [_row(values, None, width)]
    return first + [_row(values, channel, width) for channel in range(values.channels)]


def _row(values: OnGrid, channel: int | None, width: int) -> Line:
    if channel is None:
        least, most = float(values.least.min()), float(values.most.max())
        step = column(float(values.scales[0])) if values.quant.scale.size == 1 else ""
    else:
        least, most = float(values.least[channel]), float(values.most[channel])
        step = column(float(values.scales[channel]))
    used, clipped = values.used(channel), values.clipped(channel)
    ends = (column(least), column(most)) if np.isfinite(least) and np.isfinite(most) else ("·", "·")
    room = max(width - _FIXED - 4, 0)
    drawn = _bars(_counts(values, channel), _across(room), 1)[0] if room >= LEAST else ""
    mark = "!" if clipped > 0.001 or _outlier(values, channel) else " "
    return line(
        quiet(right("all" if channel is None else str(channel), _NUMBER)),
        right(step, _STEP),
        quiet(right(ends[0], _END) + right(ends[1], _END)),
        Span(right(percent(used), _USED), "attention" if used < 0.25 else "text"),
        Span(f" {mark}", "attention"),
        Span("│", "rule"),
        Span(drawn, "accent"),
        Span("│" if drawn else "", "rule"),
    )


def picture(
    values: OnGrid, channel: int | None, inputs: str | None, width: int, height: int = 4
) -> list[Line]:
    """A histogram over the grid: what lies beyond its ends at both sides, the grid as a ruler, and what it comes to."""
    across = _across(width - 2)
    counts = _counts(values, channel)
    one = slice(None) if channel is None else slice(channel, channel + 1)
    sides = int(values.below[one].sum()), int(values.above[one].sum())
    most = max(int(counts.max()), 1)
    lines: list[Line] = []
    under, over = (_heights(np.array([side]), height, most)[0] for side in sides)
    bars = _bars(counts, across, height)
    for index, text in enumerate(bars):
        row = height - 1 - index
        lines.append(line(Span(_cell(under, row), "sw"), Span(text, "accent"), Span(_cell(over, row), "sw")))
    lines.append(_ruler(values, across))
    lines += _ends(values, channel, across)
    lines += _words(values, channel, inputs, width)
    return lines


def _across(room: int) -> int:
    """As many cells as there is room for, of which each stands for as many levels."""
    cells = 64
    while cells > max(room, LEAST):
        cells //= 2
    return cells


def _counts(values: OnGrid, channel: int | None) -> np.ndarray:
    counts: np.ndarray = values.counts.sum(axis=0) if channel is None else values.counts[channel]
    return counts


def _heights(counts: np.ndarray, height: int, most: int) -> np.ndarray:
    eighths = np.ceil(counts / most * height * 8).astype(np.int64)
    return np.minimum(eighths, height * 8)


def _cell(eighths: int, row: int) -> str:
    return BARS[min(max(int(eighths) - row * 8, 0), 8)]


def _bars(counts: np.ndarray, across: int, height: int) -> list[str]:
    """Counts as so many lines of `across` cells."""
    starts = [index * counts.size // across for index in range(across + 1)]
    pooled = np.array([counts[a : max(b, a + 1)].sum() for a, b in pairwise(starts)])
    eighths = _heights(pooled, height, max(int(pooled.max()), 1))
    return ["".join(_cell(value, row) for value in eighths) for row in range(height - 1, -1, -1)]


def _ruler(values: OnGrid, across: int) -> Line:
    """The grid: its ends, a mark every TICK levels, 0 where the zero point is."""
    low, high = values.quant.limits
    levels = high - low + 1
    cells = ["─"] * across
    for level in range(TICK, levels, TICK):
        cells[min(level * across // levels, across - 1)] = "┬"
    cells[min(max((values.quant.zero - low) * across // levels, 0), across - 1)] = "0"
    return line(Span("├" + "".join(cells) + "┤", "rule"))


def _ends(values: OnGrid, channel: int | None, across: int) -> list[Line]:
    low, high = values.quant.limits
    zero = values.quant.zero
    if channel is None and values.quant.scale.size > 1:
        ends = f"level {low}", f"level {high}"
    else:
        step = float(values.scales[channel or 0])
        ends = column((low - zero) * step).strip(), column((high - zero) * step).strip()
    return [line(quiet(left(ends[0], max(across + 2 - len(ends[1]), 0)) + ends[1]))]


def _words(values: OnGrid, channel: int | None, inputs: str | None, width: int) -> list[Line]:
    whose = "all channels" if channel is None else f"channel {channel}"
    low, high = values.quant.limits
    parts = [f"{whose}: {percent(values.used(channel))} % of {high - low + 1} levels spanned"]
    if values.samples:
        parts.append(f"{percent(values.clipped(channel))} % of the values clipped")
        parts.append(f"on {plural(values.samples, 'sample')}{'' if inputs else ' of random values'}")
    lines = list(wrap(line(quiet(", ".join(parts))), width))
    outlier = _outlier(values, channel)
    if outlier:
        text = f"channel {outlier[0]}: one weight is {three(outlier[1])} times the next largest and sets the scale"
        lines += wrap(line(Span("! ", "attention"), text), width, 2)
    return lines


def _outlier(values: OnGrid, channel: int | None) -> tuple[int, float] | None:
    """(channel, times) of the weight that stands out most."""
    if channel is None:
        return max(values.outliers.items(), key=lambda one: one[1], default=None)
    return (channel, values.outliers[channel]) if channel in values.outliers else None
