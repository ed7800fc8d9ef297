"""Narrowed: a list that shows only the lines that hold some words; the lines keep their numbers."""

from __future__ import annotations

from bisect import bisect_left

from textual.strip import Strip

from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.spans import plain

WHOLE = 400
"""Cells in which a line is looked through: names stand there in full."""


class Narrowed(Sheet):
    """The base of lists. `count` and `body` speak of all lines; what is seen is `kept`, all of them where it is None."""

    sought_by = "words in a line"
    """What can be typed to narrow it."""

    words: str = ""
    kept: list[int] | None = None

    def narrow(self, words: str) -> None:
        """Show the lines that hold all of these words, in any case; all lines for none."""
        self.words = words.strip().lower()
        wanted = self.words.split()
        self.kept = None if not wanted else [i for i in range(self.count) if self._holds(i, wanted)]
        self.fit_to(self.seen)
        self.refresh()

    def _holds(self, index: int, words: list[str]) -> bool:
        text = plain(self.body(index, WHOLE)).lower()
        return all(word in text for word in words)

    @property
    def seen(self) -> int:
        """Lines that are shown."""
        return self.count if self.kept is None else len(self.kept)

    def line_at(self, place: int) -> int:
        """The line at a place among those shown, -1 where none is."""
        if self.kept is None:
            return place
        return self.kept[min(max(place, 0), len(self.kept) - 1)] if self.kept else -1

    def place_of(self, line: int) -> int:
        """The place of a line among those shown, or that of the next one shown."""
        return line if self.kept is None else bisect_left(self.kept, line)

    def refresh_body(self, index: int, lines: int = 1) -> None:
        """Draw some lines again."""
        if self.kept is None:
            super().refresh_body(index, lines)
        elif lines == 1:
            super().refresh_body(self.place_of(index))
        else:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the screen."""
        if self.kept is None or y < self.heading_lines:
            return super().render_line(y)
        place = y - self.heading_lines + self.scroll_offset.y
        if place >= len(self.kept):
            return Strip.blank(self.size.width, self.rich_style)
        line = self.kept[place]
        return self.strip(self.body(line, self.line_width), self.line_role(line))
