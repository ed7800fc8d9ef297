"""A roofline in characters, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_uppercase

from npuscope.neural_art.price.roofline import Point, Roof
from npuscope.record import dataclass
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.figures import three, time_cell
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet

_AXIS = 6

Cells = list[list[tuple[str, str]]]
"""Rows of a character and its role."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Where values lie in a picture of so many cells; the limits are logarithms."""

    columns: int
    rows: int
    low: float
    high: float
    bottom: float
    top: float

    def row(self, rate: float) -> int:
        """The row of MAC/cycle, from above; outside of the picture it is none of its rows."""
        return round((self.top - math.log10(max(rate, 1e-9))) / (self.top - self.bottom) * (self.rows - 1))

    def column(self, intensity: float) -> int:
        """The column of MAC/byte."""
        return round((math.log10(intensity) - self.low) / (self.high - self.low) * (self.columns - 1))

    def intensity(self, column: int) -> float:
        """The MAC/byte of a column."""
        return 10 ** (self.low + (self.high - self.low) * column / (self.columns - 1))


def roofline_plot(roofs: Sequence[Roof], points: Sequence[Point], width: int, height: int) -> list[Line]:
    """The picture, `height` lines with its axes, and below it the layers of its letters."""
    low, high = _range([p.macs_per_byte for p in points], 0.1, 1000.0)
    peak = max(roof.macs_per_cycle for roof in roofs)
    bottom, _ = _range([p.macs_per_cycle for p in points], 0.1, peak)
    field = _Field(max(width - _AXIS, 10), max(height - 2, 4), low, high, bottom, math.log10(peak * 1.5))
    cells: Cells = [[(" ", "text")] * field.columns for _ in range(field.rows)]
    slopes = [roof for roof in roofs if not roof.macs_per_cycle]
    for roof in roofs:
        if roof.macs_per_cycle:
            _level(cells, field, roof.macs_per_cycle, max((r.bytes_per_cycle for r in slopes), default=0.0))
    for roof in slopes:
        _slope(cells, field, roof.bytes_per_cycle, peak)
    for roof, name in zip(roofs, listed((roof.name for roof in roofs), 12), strict=True):
        _name(cells, field, roof, name)
    letters = _letters(field, points)
    for (row, column), letter in letters.items():
        cells[row][column] = (letter, "accent-strong" if letter in ascii_uppercase else "accent")
    lines = [_row(cells[row], _label(row, field)) for row in range(field.rows)]
    lines += [_ticks(field), line(quiet(right("MAC/byte, across; MAC/cycle, up", width)))]
    return [*lines, *_legend(field, letters, points, width)]


def _letters(field: _Field, points: Sequence[Point]) -> dict[tuple[int, int], str]:
    """Row and column of each place that has layers -> its letter, by its slowest layer; later ones are dots."""
    places = dict.fromkeys(
        place for point in points if (place := _place(field, point)) is not None
    )  # the slowest layer comes first
    return {
        place: ascii_uppercase[at] if at < len(ascii_uppercase) else "•" for at, place in enumerate(places)
    }


def _place(field: _Field, point: Point) -> tuple[int, int] | None:
    row, column = field.row(point.macs_per_cycle), field.column(point.macs_per_byte)
    return (row, column) if 0 <= row < field.rows and 0 <= column < field.columns else None


def _level(cells: Cells, field: _Field, rate: float, steepest: float) -> None:
    """A level, from where the fastest memory reaches it."""
    row = field.row(rate)
    if 0 <= row < field.rows:
        for column in range(field.columns):
            if steepest * field.intensity(column) >= rate:
                cells[row][column] = ("─", "quiet")


def _slope(cells: Cells, field: _Field, bytes_per_cycle: float, peak: float) -> None:
    """What a memory feeds, up to the highest level: a line that climbs in steps of a row."""
    before = None
    for column in range(field.columns):
        level = min(bytes_per_cycle * field.intensity(column), peak)
        row = field.row(level)
        if row >= field.rows:
            continue
        if before is not None and row < before:
            for between in range(row + 1, before):
                cells[between][column] = ("│", "quiet")
            cells[before][column] = ("╯", "quiet")
            cells[row][column] = ("╭", "quiet")
        else:
            cells[row][column] = ("─", "quiet")
        before = row
        if level >= peak:
            return


def _range(values: Sequence[float], least: float, most: float) -> tuple[float, float]:
    """Whole decades that hold the values, as logarithms."""
    known = [value for value in values if value > 0]
    return (
        math.floor(math.log10(min([*known, 1.0]) if known else least)),
        math.ceil(math.log10(max([*known, 100.0]) if known else most)),
    )


def _name(cells: Cells, field: _Field, roof: Roof, name: str) -> None:
    """Write a roof's name by it: on a level at its right end, beside a slope where it enters."""
    text = f" {name} "
    if roof.macs_per_cycle:
        row, start = field.row(roof.macs_per_cycle), field.columns - len(text)
    else:
        rows = [field.row(roof.bytes_per_cycle * field.intensity(c)) for c in range(field.columns)]
        inside = [column for column, row in enumerate(rows) if 0 <= row < field.rows]
        if not inside:
            return
        row = rows[inside[min(2, len(inside) - 1)]]
        start = max(column for column in inside if rows[column] == row) + 2  # behind its last step
    if 0 <= row < field.rows:
        for offset, character in enumerate(text):
            if 0 <= start + offset < field.columns:
                cells[row][start + offset] = (character, "quiet")


def _label(row: int, field: _Field) -> str:
    """A decade's figure where its row is, else nothing."""
    for decade in range(math.ceil(field.bottom), math.floor(field.top) + 1):
        if field.row(10.0**decade) == row:
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


def _ticks(field: _Field) -> Line:
    text = [" "] * (field.columns + _AXIS)
    for decade in range(math.ceil(field.low), math.floor(field.high) + 1):
        figure = three(10.0**decade)
        start = min(_AXIS + field.column(10.0**decade), len(text) - len(figure))
        text[start : start + len(figure)] = figure
    return line(quiet("".join(text[: field.columns + _AXIS])))


def _legend(
    field: _Field, letters: dict[tuple[int, int], str], points: Sequence[Point], width: int
) -> list[Line]:
    """The layers behind the letters, the slowest first; those at one place share its letter."""
    shown = [
        (letter, point)
        for point in points
        if (place := _place(field, point)) and (letter := letters[place]) in ascii_uppercase
    ]
    if not shown:
        return [BLANK, line(quiet("No layer multiplies on the NPU: nothing to place."))]
    name = max(width - 42, 10)
    head = left("layer", name) + "".join(
        right(title, room)
        for title, room in (("MAC/byte", 10), ("eff. MAC/c", 11), ("SIMD", 6), ("time", 11))
    )
    lines = [BLANK, line(Span("  " + head, "title"))]
    names = listed((point.layer for _, point in shown), name - 1)
    for (letter, point), layer in zip(shown, names, strict=True):
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
