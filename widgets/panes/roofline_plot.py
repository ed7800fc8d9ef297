"""A roofline in characters, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from npuscope.neural_art.price.roofline import Point, Roof
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import three, time_cell
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet

LETTERS = ascii_uppercase + ascii_lowercase
"""The slowest layers have a letter; all others are dots."""

_AXIS = 6


def roofline_plot(roofs: Sequence[Roof], points: Sequence[Point], width: int, height: int) -> list[Line]:
    """The picture, `height` lines with its axes."""
    columns, rows = max(width - _AXIS, 10), max(height - 2, 4)
    low, high = _range([p.macs_per_byte for p in points], 0.1, 1000.0)
    peak = max(roof.macs_per_cycle for roof in roofs)
    bottom, _ = _range([p.macs_per_cycle for p in points], 0.1, peak)
    top = math.log10(peak * 1.5)

    def row_of(rate: float) -> int:
        return round((top - math.log10(max(rate, 1e-9))) / (top - bottom) * (rows - 1))

    cells = [[(" ", "text")] * columns for _ in range(rows)]
    slope = max((roof.bytes_per_cycle for roof in roofs), default=0.0)
    for roof in roofs:
        for column in range(columns):
            intensity = 10 ** (low + (high - low) * column / (columns - 1))
            level = roof.macs_per_cycle or roof.bytes_per_cycle * intensity
            row = row_of(level)
            # A level begins where the faster memory reaches it, a slope ends at the highest level.
            if (
                not 0 <= row < rows
                or level > peak * 1.01
                or (roof.macs_per_cycle and slope * intensity < level)
            ):
                continue
            cells[row][column] = ("─", "rule") if roof.macs_per_cycle else ("·", "quiet")
    for roof, name in zip(roofs, listed((roof.name for roof in roofs), 12), strict=True):
        _name(cells, roof, name, row_of, low, high)
    for index in range(len(points) - 1, -1, -1):
        point = points[index]
        column = round((math.log10(point.macs_per_byte) - low) / (high - low) * (columns - 1))
        row = row_of(point.macs_per_cycle)
        if 0 <= row < rows and 0 <= column < columns:
            letter = LETTERS[index] if index < len(LETTERS) else "•"
            cells[row][column] = (letter, "accent-strong" if index < len(LETTERS) else "accent")
    lines = [_row(cells[row], _label(row, rows, bottom, top)) for row in range(rows)]
    return [*lines, _ticks(low, high, columns), line(quiet(right("MAC/byte, across; MAC/cycle, up", width)))]


def _range(values: Sequence[float], least: float, most: float) -> tuple[float, float]:
    """Whole decades that hold the values, as logarithms."""
    known = [value for value in values if value > 0]
    return (
        math.floor(math.log10(min([*known, 1.0]) if known else least)),
        math.ceil(math.log10(max([*known, 100.0]) if known else most)),
    )


def _name(
    cells: list[list[tuple[str, str]]], roof: Roof, name: str, row_of: object, low: float, high: float
) -> None:
    """Write a roof's name on it: a level's at its right end, a slope's where it enters."""
    assert callable(row_of)
    rows, columns = len(cells), len(cells[0])
    text = f" {name} "
    if roof.macs_per_cycle:
        row, start = row_of(roof.macs_per_cycle), columns - len(text)
    else:
        inside = [
            (row, column)
            for column in range(columns)
            if 0
            <= (row := row_of(roof.bytes_per_cycle * 10 ** (low + (high - low) * column / (columns - 1))))
            < rows
        ]
        if not inside:
            return
        row, start = inside[min(2, len(inside) - 1)]
        start += 1
    if 0 <= row < rows:
        for offset, character in enumerate(text):
            if 0 <= start + offset < columns:
                cells[row][start + offset] = (character, "quiet")


def _label(row: int, rows: int, bottom: float, top: float) -> str:
    """A decade's figure where its row is, else nothing."""
    for decade in range(math.ceil(bottom), math.floor(top) + 1):
        if round((top - decade) / (top - bottom) * (rows - 1)) == row:
            return three(10.0**decade)
    return ""


def _row(cells: list[tuple[str, str]], label: str) -> Line:
    spans = [quiet(right(label, _AXIS - 2) + " "), Span("│", "rule")]
    for text, role in cells:
        if spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + text, role)
        else:
            spans.append(Span(text, role))
    return tuple(spans)


def _ticks(low: float, high: float, columns: int) -> Line:
    text = [" "] * (columns + _AXIS)
    for decade in range(math.ceil(low), math.floor(high) + 1):
        column = _AXIS + round((decade - low) / (high - low) * (columns - 1))
        figure = three(10.0**decade)
        start = min(column, len(text) - len(figure))
        text[start : start + len(figure)] = figure
    return line(quiet("".join(text[: columns + _AXIS])))


def legend(points: Sequence[Point], width: int, most: int) -> list[Line]:
    """The layers behind the letters."""
    if not points:
        return []
    name = max(width - 42, 10)
    head = (
        left("layer", name)
        + right("MAC/byte", 10)
        + right("eff. MAC/c", 11)
        + right("SIMD", 6)
        + right("time", 11)
    )
    lines = [BLANK, line(Span("  " + head, "title"))]
    names = listed((point.layer for point in points[:most]), name - 1)
    for letter, point, layer in zip(LETTERS[:most], points, names, strict=False):
        lines.append(
            line(
                Span(f"{letter} ", "accent-strong"),
                left(layer, name),
                quiet(right(three(point.macs_per_byte), 10)),
                Span(right(three(point.macs_per_cycle), 11)),
                quiet(right(point.simd, 6)),
                quiet(right(time_cell(point.milliseconds), 11)),
            )
        )
    return lines
