"""Drawings of the page: time by epoch, the roofline, memory pools and activations over time, as SVG without style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from npuscope.model.brief import fitted
from npuscope.model.layers import Layers
from npuscope.model.names import printable
from npuscope.neural_art.price.roofline import points, roofs
from npuscope.neural_art.schedule.buffer_lifetimes import buffer_lifetimes
from npuscope.npu.figures import size_words
from npuscope.npu.times import in_ms
from npuscope.npu.verdict import Placement
from npuscope.reports.text_report import WORDS
from npuscope.snapshot import Snapshot

WIDTH = 720
CLASSES = {
    Placement.HW: "hw",
    Placement.HYBRID: "hybrid",
    Placement.SW_INT: "sw",
    Placement.SW_FLOAT: "sw",
    Placement.NONE: "none",
}
MOST_POINTS = 400
MOST_STEPS = 360
"""Columns of activations over time: a longer schedule has the largest of several epochs in each."""


def svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """One drawing that fits the page."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """A line of text, inert."""
    of_kind = f' class="{kind}"' if kind else ""
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{of_kind}>{escape(printable(words))}</text>'


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> str:
    shape = f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(height)}" class="{kind}"'
    return f"{shape}><title>{escape(printable(title))}</title></rect>" if title else f"{shape}/>"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# -- time


def timeline(snapshot: Snapshot) -> str:
    """The epochs of an inference from left to right, as long as they take; neighbours of a kind are one bar."""
    total = sum(epoch.milliseconds for epoch in snapshot.epochs)
    if not total:
        return ""
    runs: list[tuple[Placement, float, int, int]] = []
    for epoch in snapshot.epochs:
        if runs and runs[-1][0] is epoch.placement:
            kind, time, first, _ = runs[-1]
            runs[-1] = (kind, time + epoch.milliseconds, first, epoch.index)
        else:
            runs.append((epoch.placement, epoch.milliseconds, epoch.index, epoch.index))
    parts, elapsed = [], 0.0
    for kind, time, first, last in runs:
        words = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        title = f"{words}, {WORDS[kind]}: {in_ms(time)} ms"
        parts.append(_rect(elapsed / total * WIDTH, 4, time / total * WIDTH, 34, CLASSES[kind], title))
        elapsed += time
    parts += [text(0, 54, "0"), text(WIDTH, 54, f"{in_ms(total)} ms", "end")]
    return svg(WIDTH, 60, "time by epoch", parts)


# -- roofline


def roofline(snapshot: Snapshot) -> str:
    """MAC/cycle over MAC/byte of the layers that multiply, under the accelerators' and the memories' limits."""
    costs = {report.name: report.cost for report in snapshot.layers}
    lines = {report.name: report.line for report in snapshot.layers}
    dots = points((report.layer for report in snapshot.layers), costs, lines)[:MOST_POINTS]
    if not dots:
        return ""
    limits = roofs(snapshot.target)
    peak = max(roof.macs_per_cycle for roof in limits)
    left, top, width, height = 46, 12, WIDTH - 60, 270
    low, high = _decades([point.macs_per_byte for point in dots], 1.0, 100.0)
    bottom, _ = _decades([point.macs_per_cycle for point in dots], 1.0, peak)
    ceiling = math.log10(peak * 1.6)

    def x(value: float) -> float:
        return left + (math.log10(value) - low) / (high - low) * width

    def y(value: float) -> float:
        return top + (ceiling - math.log10(value)) / (ceiling - bottom) * height

    parts = [f'<path class="axis" d="M{left} {top}V{top + height}H{left + width}"/>']
    for decade in range(low, high + 1):
        parts.append(text(x(10.0**decade), top + height + 16, f"{10.0**decade:g}", "middle"))
    for decade in range(bottom, math.floor(ceiling) + 1):
        parts.append(text(left - 6, y(10.0**decade) + 4, f"{10.0**decade:g}", "end"))
    steepest = max((roof.bytes_per_cycle for roof in limits), default=0.0)
    for roof, name in zip(limits, fitted((roof.name for roof in limits), 20), strict=True):
        if roof.macs_per_cycle:
            start = max(low, math.log10(roof.macs_per_cycle / steepest)) if steepest else low
            parts.append(
                f'<path class="roof" d="M{_n(x(10**start))} {_n(y(roof.macs_per_cycle))}H{left + width}"/>'
            )
            parts.append(text(left + width, y(roof.macs_per_cycle) - 4, name, "end"))
        elif roof.bytes_per_cycle:
            first = max(10.0**low, 10.0**bottom / roof.bytes_per_cycle)
            last = min(10.0**high, peak / roof.bytes_per_cycle)
            if first < last:
                ends = [(x(value), y(value * roof.bytes_per_cycle)) for value in (first, last)]
                parts.append(f'<path class="roof" d="M{_pair(ends[0])}L{_pair(ends[1])}"/>')
                parts.append(text(ends[0][0] + 8, ends[0][1] - 4, name))
    slowest = max((point.milliseconds for point in dots), default=0.0) or 1.0
    for point in reversed(dots):
        radius = 2.5 + 6 * math.sqrt(point.milliseconds / slowest)
        title = (
            f"{printable(point.layer)}: {point.macs_per_byte:.3g} MAC/byte, "
            f"{point.macs_per_cycle:.3g} MAC/cycle, {in_ms(point.milliseconds)} ms, {point.simd}"
        )
        parts.append(
            f'<circle cx="{_n(x(point.macs_per_byte))}" cy="{_n(y(point.macs_per_cycle))}" r="{_n(radius)}" '
            f'class="point"><title>{escape(title)}</title></circle>'
        )
    parts.append(
        text(left + width, top + height + 34, "MAC/byte across, MAC/cycle up; larger takes longer", "end")
    )
    return svg(WIDTH, top + height + 42, "roofline", parts)


def _pair(point: tuple[float, float]) -> str:
    return f"{_n(point[0])} {_n(point[1])}"


def _decades(values: Sequence[float], least: float, most: float) -> tuple[int, int]:
    known = [value for value in values if value > 0]
    low, high = math.floor(math.log10(min([*known, least]))), math.ceil(math.log10(max([*known, most])))
    return low, max(high, low + 1)


# -- memory


def pools(snapshot: Snapshot) -> str:
    """A bar a pool: weights, activations, and the room that is left."""
    drawn = [pool for pool in snapshot.memory.pools if pool.size or pool.used]
    parts = []
    names = fitted((pool.name for pool in drawn), 16)
    for row, (pool, name) in enumerate(zip(drawn, names, strict=True)):
        y = row * 26
        total = max(pool.size, pool.used, 1)
        room, left = WIDTH - 330, 120
        parts.append(text(0, y + 15, name))
        parts.append(_rect(left, y + 3, room, 16, "free"))
        weights, activations = pool.weights / total * room, pool.activations / total * room
        parts.append(_rect(left, y + 3, weights, 16, "weights", f"weights {size_words(pool.weights)}"))
        parts.append(
            _rect(
                left + weights,
                y + 3,
                activations,
                16,
                "activations",
                f"activations {size_words(pool.activations)}",
            )
        )
        over = pool.used > pool.size
        words = f"{size_words(pool.used)} of {size_words(pool.size)}{', does not fit' if over else ''}"
        parts.append(text(left + room + 10, y + 15, words, kind="bad" if over else ""))
    return svg(WIDTH, len(drawn) * 26 + 2, "memory pools", parts) if drawn else ""


def over_time(layers: Layers, snapshot: Snapshot) -> str:
    """Bytes of activations that live in each epoch."""
    costs = {report.name: report.cost for report in snapshot.layers}
    alive = buffer_lifetimes(snapshot.graph, layers, costs, snapshot.epochs, snapshot.target).alive
    if not alive or not max(alive):
        return ""
    step = -(-len(alive) // MOST_STEPS)
    columns = [max(alive[first : first + step]) for first in range(0, len(alive), step)]
    most, height, wide = max(columns), 120, WIDTH / len(columns)
    path = "".join(
        f"V{_n(height - value / most * (height - 20))}H{_n((index + 1) * wide)}"
        for index, value in enumerate(columns)
    )
    parts = [
        f'<path class="activations" d="M0 {height}{path}V{height}Z"/>',
        text(0, 12, f"activations at once: at most {size_words(most)}"),
        text(0, height + 14, "epoch 1"),
        text(WIDTH, height + 14, f"epoch {len(alive)}", "end"),
    ]
    return svg(WIDTH, height + 20, "activations over time", parts)
