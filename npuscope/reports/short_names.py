"""Names that fit a column and still tell one from another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from npuscope.model.brief import Names, brief_names

LEAST = 8
"""Characters below which nothing is cut."""


def short_names(names: Iterable[str], width: int) -> Mapping[str, str]:
    """Name -> a printable form in at most `width` characters, unlike every other one: what all names share goes first."""
    brief = brief_names(names)
    among, room = Names(brief.values()), max(width, LEAST)
    return {name: among.fit(short, room) for name, short in brief.items()}
