"""TOML that somebody else wrote: read without the time and memory that a few odd lines of it can take."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MOST_KEY_PARTS = 1000

_BETWEEN_NUMBERS = re.compile(r"[0-9_eE+-]*\s*,\s*[+-]?[0-9_]*")
"""What stands between two decimal points of a list of numbers."""


def loads(text: str) -> dict[str, Any]:
    """What the text holds. Raises ValueError for what is not TOML, and for keys and brackets that no person writes."""
    if any(_key_parts(line) > MOST_KEY_PARTS for line in text.splitlines()):
        raise ValueError(f"it has a key of more than {MOST_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it has too many nested brackets") from error


def _key_parts(line: str) -> int:
    """At least the parts of the longest dotted key in a line: tomllib's time and memory grow with their square."""
    if line.count(".") <= MOST_KEY_PARTS:
        return 0
    return sum(_BETWEEN_NUMBERS.fullmatch(piece) is None for piece in line.split("."))
