"""Names that fit a column and still tell one from another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from npuscope.model.brief import brief_names
from npuscope.model.names import printable

LEAST = 8
"""Characters below which nothing is cut."""


def short_names(names: Iterable[str], width: int) -> Mapping[str, str]:
    """Name -> a printable form, in `width` characters where that leaves it unlike every other one.

    1. Parts of a path that all names share are left out first.
    2. What is still too long loses its middle, else its start, else its end; where each of these would make two
       names alike, more is kept.
    """
    full = {name: printable(short) for name, short in brief_names(names).items()}
    shown = dict(full)
    room = max(width, LEAST)
    pending = [name for name in full if len(full[name]) > room]
    while pending:
        for cut in (_without_middle, _without_start, _without_end):
            for name in pending:
                shown[name] = cut(full[name], room)
            taken = Counter(shown.values())
            pending = [name for name in pending if taken[shown[name]] > 1]
        room += max(room // 4, 4)
        for name in pending:
            shown[name] = full[name]
        pending = [name for name in pending if len(full[name]) > room]
    return shown


def _without_middle(name: str, width: int) -> str:
    tail = (width - 1) * 2 // 3
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"


def _without_start(name: str, width: int) -> str:
    return f"…{name[-(width - 1) :]}"


def _without_end(name: str, width: int) -> str:
    return f"{name[: width - 1]}…"
