"""Names that fit a column and still tell one from another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from npuscope.model.brief import Names, brief_names

LEAST = 8
"""Characters below which nothing is cut."""


class ShortNames:
    """What all names share goes first; each is shortened when it is asked for, as a page shows few of them."""

    def __init__(self, names: Iterable[str]) -> None:
        self.brief = brief_names(names)
        self.among = Names(self.brief.values())

    def within(self, width: int) -> Mapping[str, str]:
        """Name -> a printable form in at most `width` characters, unlike every other one."""
        return _Within(self, max(width, LEAST))


class _Within(Mapping[str, str]):
    def __init__(self, names: ShortNames, room: int) -> None:
        self._names, self._room = names, room

    def __getitem__(self, name: str) -> str:
        return self._names.among.fit(self._names.brief[name], self._room)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.brief)

    def __len__(self) -> int:
        return len(self._names.brief)


def short_names(names: Iterable[str], width: int) -> Mapping[str, str]:
    """The same for one width."""
    return ShortNames(names).within(width)
