"""Figures as bars of characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from npuscope.widgets.text.spans import Line, Span

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def bar(parts: Sequence[tuple[float, str]], total: float, width: int) -> Line:
    """A bar of `width` cells that stands for `total`; each part in its role; what is left is a rule.

    A part that is there but less than a cell takes one all the same.
    """
    spans: list[Span] = []
    room = width
    for value, role in parts:
        cells = min(max(round(width * value / total), 1), room) if value > 0 and total > 0 else 0
        if cells:
            spans.append(Span("▆" * cells, role))
            room -= cells
    return (*spans, Span("─" * room, "rule"))


def columns(values: Sequence[float], width: int, rows: int, marked: int = -1) -> list[Line]:
    """Values as columns `rows` lines high; the one that holds `marked` is set off.

    Where there are more values than cells, a column is the largest of its values; where there are fewer, columns
    are wider.
    """
    if not values or width < 1:
        return []
    cells = len(values) * max(width // len(values), 1) if len(values) <= width else width
    starts = [i * len(values) // cells for i in range(cells + 1)]
    heights = [max(values[a : max(b, a + 1)]) for a, b in pairwise(starts)]
    most = max(heights) or 1.0
    here = [a <= marked < max(b, a + 1) for a, b in pairwise(starts)]
    levels = [max(round(value / most * rows * 8), 1) if value > 0 else 0 for value in heights]
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        spans: list[Span] = []
        for level, is_marked in zip(levels, here, strict=True):
            text, role = _EIGHTHS[min(max(level - row * 8, 0), 8)], "attention" if is_marked else "accent"
            if spans and spans[-1].role == role:
                spans[-1] = Span(spans[-1].text + text, role)
            else:
                spans.append(Span(text, role))
        lines.append(tuple(spans))
    return lines
