"""JSON as ST's tools and their users write it: comments and trailing commas too. Bounded in size, depth and memory."""

from __future__ import annotations

import json
import re
from typing import Any

from npuscope.model.errors import ModelError

MAX_PARTS = 6_000_000
"""Objects, lists and values; the largest c_info.json seen has 250,000. Bounds the memory before anything is parsed."""

MAX_COMMENTED = 1 << 20
"""Characters of a file whose comments are looked for: configuration files have a few thousand."""

_START = re.compile(r'"|//|/\*')
_STRING = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"', re.DOTALL)
_NEEDLESS = re.compile(r"//|/\*|,\s*+[}\]]")
"""A comment or a comma too many may be in it."""
_COMMA = re.compile(r'"|,(?=\s*+[}\]])')


def parse(text: str, where: str) -> Any:
    """The document. Raises ModelError, in one line, where it is none."""
    if values_in(text) > MAX_PARTS:
        raise ModelError(f"{where}: holds more than {MAX_PARTS:,} values; is it a file of ST's tools?")
    try:
        return _load(text)
    except RecursionError:
        raise ModelError(f"{where}: is nested too deeply; it is not a file of ST's tools") from None
    except ValueError as error:
        if len(text) > MAX_COMMENTED or _NEEDLESS.search(text) is None:
            raise _invalid(where, error) from None
    try:
        return _load(_without(_COMMA, _without(_START, text)))
    except (ValueError, RecursionError) as error:
        raise _invalid(where, error) from None


def values_in(text: str, start: int = 0, end: int | None = None) -> int:
    """At least as many objects, lists and values as a document there can hold, but for one."""
    return sum(text.count(mark, start, end) for mark in ",{[")


def _invalid(where: str, error: Exception) -> ModelError:
    return ModelError(f"{where}: is not valid JSON ({error}); it may be cut short")


def _load(text: str) -> Any:
    return json.loads(text, parse_constant=lambda _word: None)


def _without(start: re.Pattern[str], text: str) -> str:
    """`text` without the comments, or without the trailing commas, that `start` finds outside strings.

    A scan that never looks at a character twice: a pattern for whole comments would, on a hostile file.
    """
    kept: list[str] = []
    position = 0
    while (match := start.search(text, position)) is not None:
        kept.append(text[position : match.start()])
        if match[0] == '"':
            string = _STRING.match(text, match.start())
            if string is None:
                return "".join((*kept, text[match.start() :]))
            kept.append(string[0])
            position = string.end()
        elif match[0] == ",":
            position = match.end()
        else:
            end = text.find("\n" if match[0] == "//" else "*/", match.end())
            if end < 0:
                return "".join(kept)
            position = end if match[0] == "//" else end + 2
    return "".join((*kept, text[position:]))


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object, an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A JSON list, an empty one where it is something else."""
    return value if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """A string, '' where it is something else."""
    return value if isinstance(value, str) else ""


def number_of(value: Any) -> float | None:
    """A finite number, None where it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def integer_of(value: Any) -> int | None:
    """A whole number of at most 63 bits, None where it is something else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def count_of(value: Any) -> int | None:
    """A whole number that counts something: not negative."""
    number = integer_of(value)
    return number if number is not None and number >= 0 else None
