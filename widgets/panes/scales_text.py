"""Per-channel scales as text: figures, a histogram of characters, and the list."""

from __future__ import annotations

import math

from npuscope.model.layer import Operand
from npuscope.record import dataclass
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import column, three
from npuscope.widgets.text.spans import Line, Span, line, quiet

_BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Scales:
    """One tensor's scales, plain numbers."""

    label: str
    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    limits: tuple[int, int]
    axis: int | None
    dtype: str


def scales_of(label: str, operand: Operand) -> Scales | None:
    """The scales of an operand; None where it has fewer than two."""
    quant = operand.quant
    if quant is None or not quant.per_channel or not quant.scale_known:
        return None
    scales = tuple(float(s) for s in quant.scale.reshape(-1).tolist())
    zeros = tuple(int(z) for z in quant.zero_point.reshape(-1).tolist())
    return Scales(label, scales, zeros, quant.limits, quant.axis, quant.dtype)


def summary(shown: Scales, width: int) -> list[Line]:
    """Smallest, middle and largest scale, and how they are spread."""
    ordered = sorted(s for s in shown.scales if math.isfinite(s))
    if not ordered:
        return [line(quiet("no finite scale"))]
    low, high = ordered[0], ordered[-1]
    figures = [
        ("smallest", three(low)),
        ("median", three(ordered[len(ordered) // 2])),
        ("largest", three(high)),
        ("ratio", three(high / low) if low > 0 else "·"),
    ]
    lines: list[Line] = []
    parts: list[Span] = []
    for label, figure in figures:
        parts += [quiet(f"{label} "), Span(f"{figure}   ")]
    lines.append(tuple(parts))
    lines.append(())
    lines += histogram(ordered, width)
    return lines


def histogram(values: list[float], width: int, rows: int = 4) -> list[Line]:
    """How many values lie where between the smallest and the largest, as bars `rows` lines high."""
    low, high = values[0], values[-1]
    if not high > low:
        return [line(quiet(f"all {len(values)} are {three(low)}"))]
    columns = max(min(width - 2, 64), 8)
    counts = [0] * columns
    for value in values:
        counts[min(int((value - low) / (high - low) * columns), columns - 1)] += 1
    most = max(counts)
    heights = [max(round(count / most * rows * 8), 1) if count else 0 for count in counts]
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        lines.append(
            line(Span("".join(_BARS[min(max(height - row * 8, 0), 8)] for height in heights), "accent"))
        )
    ends = left(three(low), columns // 2) + right(three(high), columns - columns // 2)
    lines.append(line(quiet(ends)))
    return lines


def channel_line(shown: Scales, index: int) -> Line:
    """One channel: number, scale, zero point, range."""
    scale = shown.scales[index]
    zero = shown.zeros[index] if index < len(shown.zeros) else 0
    low, high = shown.limits
    return line(
        quiet(right(str(index), 8)),
        right(column(scale), 12),
        quiet(right(str(zero), 8)),
        right(column(scale * (low - zero)), 12),
        right(column(scale * (high - zero)), 12),
    )


CHANNELS = line(
    Span(
        right("channel", 8) + right("scale", 12) + right("zero", 8) + right("from", 12) + right("to", 12),
        "title",
    )
)
"""Heading of the list."""
