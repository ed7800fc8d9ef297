"""What a terminal shows by now: cells that are there already need not be sent again."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

WORTH = 5
"""Equal cells in a row from which on going past them is shorter than sending them."""

MOST_ROWS, MOST_COLUMNS = 2_000, 4_000
"""Beyond them nothing is remembered."""


def is_narrow(text: str) -> bool:
    """Each letter fills one cell."""
    return text.isascii() or (cell_len(text) == len(text) and all(map(cell_len, text)))


class SentCells:
    """Letter and style of every cell as last sent, where that is known. A style is any number but 0."""

    def __init__(self) -> None:
        self._letters: dict[int, list[str]] = {}
        self._styles: dict[int, list[int]] = {}

    def forget(self) -> None:
        """Nothing is known of what the terminal shows."""
        self._letters.clear()
        self._styles.clear()

    def changed(self, y: int, x: int, text: str, styles: list[int]) -> Iterator[tuple[int, int]]:
        """(begin, end) of the parts of a text that are not there yet; from now on they are.

        A letter wider or narrower than a cell leaves the rest of its row unknown: terminals do not agree on their widths.
        """
        count = len(text)
        if not is_narrow(text) or y > MOST_ROWS or x + count > MOST_COLUMNS:
            self._letters.pop(y, None)
            self._styles.pop(y, None)
            yield 0, count
            return
        letters, known = self._letters.setdefault(y, []), self._styles.setdefault(y, [])
        missing = x + count - len(letters)
        if missing > 0:
            letters += [""] * missing
            known += [0] * missing
        new = list(text)
        if letters[x : x + count] == new and known[x : x + count] == styles:
            return
        begin = end = -1
        for at in range(count):
            if letters[x + at] == new[at] and known[x + at] == styles[at]:
                continue
            if begin < 0:
                begin = at
            elif at - end >= WORTH:
                yield begin, end
                begin = at
            end = at + 1
        letters[x : x + count] = new
        known[x : x + count] = styles
        if begin >= 0:
            yield begin, end
