"""The layer table of a report: the front end's operators, with their shapes, parameters and operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from npuscope.neural_art.artefacts.text.figures import integer
from npuscope.neural_art.artefacts.values import Content, LayerRow, Property

KIND = "report"
MAX_ROWS = 200_000
MAX_READS = 200

_ROW = re.compile(
    r"(\d{1,7})?\s{1,12}(\S.{0,160}?) \((\w{0,60})\)\s{1,80}\[((?:[a-z]\w?:\d{1,12}(?:,[a-z]\w?:\d{1,12}){0,8})?)\](.{0,400})"
)
_MORE = re.compile(r"\s{40,400}(\S{1,160})")
_TOTAL = re.compile(r"\s{0,8}model: (\w{1,20}=\S{1,40}(?: \w{1,20}=\S{1,40}){1,10})")
_PARAMETERS = re.compile(r"([\d,]{1,20})/([\d,]{1,20})")


def mentions(line: str) -> bool:
    """The heading of the table."""
    return "m_id" in line and "oshape" in line


def read_layer_table(lines: Iterable[str]) -> Content:
    """The first table of the text: `generate` prints it once, a capture of several runs more often."""
    rows: list[LayerRow] = []
    properties: tuple[Property, ...] = ()
    not_understood: dict[str, None] = {}
    number: int | None = None
    macc_ends = tables = 0
    for line in lines:
        if "m_id" in line and mentions(line):
            tables += 1
            macc_ends = line.find("macc") + 4 - line.find("m_id")
        elif tables == 1 and macc_ends and "  " in line:
            row = _ROW.fullmatch(line)
            if row is not None:
                number = int(row[1]) if row[1] else number
                if number is None or len(rows) >= MAX_ROWS:
                    not_understood.setdefault(
                        "a row of the layer table without a number, or too many of them"
                    )
                else:
                    rows.append(_row(row, number, macc_ends, not_understood))
            elif rows and (more := _MORE.fullmatch(line)) is not None and len(rows[-1].reads) < MAX_READS:
                rows[-1] = replace(rows[-1], reads=(*rows[-1].reads, more[1]))
        elif macc_ends and "macc=" in line and (total := _TOTAL.match(line)) is not None:
            pairs = (word.partition("=") for word in total[1].split())
            properties = properties or tuple(Property("model", name, text) for name, _, text in pairs)
            macc_ends = 0
    return Content(KIND, rows=tuple(rows), properties=properties, not_understood=tuple(not_understood))


def _row(row: re.Match[str], number: int, macc_ends: int, not_understood: dict[str, None]) -> LayerRow:
    """Parameters have a '/' in them. Of two numbers the first counts operations; one alone tells by its column."""
    words = [(match[0], match.end() + row.start(5)) for match in re.finditer(r"\S+", row[5])]
    parameters = _PARAMETERS.fullmatch(words[0][0]) if words else None
    if parameters is not None:
        words = words[1:]
    macc = None
    if words and integer(words[0][0]) is not None and (len(words) > 1 or words[0][1] <= macc_ends):
        macc = integer(words[0][0])
        words = words[1:]
    if len(words) > 1:
        not_understood.setdefault("a row of the layer table with more columns than known")
    return LayerRow(
        number,
        row[2],
        row[3],
        tuple(
            (axis, int(size)) for axis, _, size in (part.partition(":") for part in row[4].split(",") if part)
        ),
        integer(parameters[1]) if parameters is not None else None,
        integer(parameters[2]) if parameters is not None else None,
        macc,
        tuple(word for word, _ in words[:1]),
    )
