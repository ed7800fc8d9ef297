"""What a terminal shows by now: cells that are there already need not be sent again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

BRIDGE = 4
"""Bytes of cells that are there already up to which sending them again is no longer than going past them."""

BLANKS = " " * 4
"""So many may be shorter to erase than to send."""

MOST_ROWS, MOST_COLUMNS = 2_000, 4_000
"""Beyond them nothing is remembered."""


@lru_cache(4096)
def is_narrow(text: str) -> bool:
    """Each letter fills one cell."""
    return text.isascii() or (cell_len(text) == len(text) and all(map(cell_len, text)))


class Run(NamedTuple):
    """Letters of one style to be sent; row and column from 1 on."""

    y: int
    x: int
    text: str
    style: int


class Row:
    """Letter and style of the cells of a row, '' and 0 for what is not known."""

    __slots__ = ("letters", "styles")

    def __init__(self, letters: list[str], styles: list[int]) -> None:
        self.letters, self.styles = letters, styles

    def put(self, x: int, text: str, styles: list[int]) -> None:
        """Write over some cells."""
        missing = x + len(text) - len(self.letters)
        if missing > 0:
            self.letters += [""] * missing
            self.styles += [0] * missing
        self.letters[x : x + len(text)] = text
        self.styles[x : x + len(text)] = styles


class SentCells:
    """All cells as last sent, and as they are to be.

    1. A style is any number but 0; `blank` has by style that of a blank drawn in it.
    2. `erases`: blanks cost next to nothing, so that those that are there already may be sent with others.
    """

    def __init__(self, blank: Sequence[int], erases: bool = False) -> None:
        self._blank, self._erases = blank, erases
        self._sent: dict[int, Row] = {}
        self._wanted: dict[int, Row] = {}

    def forget(self) -> None:
        """Nothing is known of what the terminal shows; nothing may be under way."""
        self._sent.clear()

    def forget_row(self, y: int) -> None:
        """The same of a row."""
        self._sent.pop(y, None)

    def put(self, y: int, x: int, text: str, styles: list[int]) -> bool:
        """Have text in some cells with the next `runs`; False where nothing is remembered of them."""
        end = x + len(text)
        if y > MOST_ROWS or end > MOST_COLUMNS:
            return False
        row = self._wanted.get(y)
        if row is None:
            sent = self._sent.get(y)
            if sent is not None and sent.styles[x:end] == styles and sent.letters[x:end] == list(text):
                return True
            row = self._wanted[y] = Row([], []) if sent is None else Row(sent.letters[:], sent.styles[:])
        row.put(x, text, styles)
        return True

    def runs(self) -> list[Run]:
        """What is not there yet, row by row; from now on it is."""
        found: list[Run] = []
        for y in sorted(self._wanted):
            row = self._wanted[y]
            found += self._changed(y, row, self._sent.get(y))
            self._sent[y] = row
        self._wanted.clear()
        return found

    def _changed(self, y: int, row: Row, sent: Row | None) -> Iterator[Run]:
        letters, styles = row.letters, row.styles
        if sent is None:
            changed = [x for x, style in enumerate(styles) if style]
        else:
            old_letters, old_styles = sent.letters, sent.styles
            known = len(old_letters)
            changed = [x for x in range(known) if styles[x] != old_styles[x] or letters[x] != old_letters[x]]
            changed += [x for x in range(known, len(styles)) if styles[x]]
        begin = end = style = 0
        for x in changed:
            if x == end and styles[x] in (style, self._blank[style]):
                end = x + 1
                continue
            if end and (joined := self._joined(style, row, end, x)):
                style, end = joined, x + 1
                continue
            if end:
                yield Run(y, begin, "".join(letters[begin:end]), style)
            begin, end, style = x, x + 1, styles[x]
        if end:
            if self._erases and self._is_blank(row, end - 1, len(letters)):
                end = len(letters)
            yield Run(y, begin, "".join(letters[begin:end]), style)

    def _is_blank(self, row: Row, begin: int, end: int) -> bool:
        """Nothing but blanks of one look."""
        if row.letters[begin] != " ":
            return False
        styles = row.styles[begin:end]
        alike = styles.count(styles[0]) == len(styles) and self._blank[styles[0]] == styles[0]
        return alike and not "".join(row.letters[begin:end]).strip(" ")

    def _joined(self, style: int, row: Row, end: int, x: int) -> int:
        """The style in which a run that ends before `end` and the cells up to `x` can be sent as one; 0 where they cannot."""
        if x > end:
            free = self._erases and (self._is_blank(row, end - 1, x) or self._is_blank(row, end, x + 1))
            if not free and (x - end > BRIDGE or len("".join(row.letters[end:x]).encode()) > BRIDGE):
                return 0
        blank = self._blank
        for other in row.styles[end : x + 1]:
            if other not in (style, blank[style]):
                if not other or blank[other] != style:
                    return 0
                style = other  # what came before were blanks
        return style
