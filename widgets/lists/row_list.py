"""A list whose lines are made when they come into view, for lists of any length."""

from __future__ import annotations

from collections.abc import Callable

from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import BLANK, Line

Paint = Callable[[int, int], Line]
"""Index and width -> a line."""


class RowList(Choices):
    """Choices that ask for each line as they draw it."""

    def __init__(self, paint: Paint, heading: Callable[[int], Line], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._paint = paint
        self._head = heading
        self.heading_lines = 1

    def heading(self, index: int, width: int) -> Line:
        """The names of the columns."""
        return self._head(width)

    def body(self, index: int, width: int) -> Line:
        """A line."""
        return self._paint(index, width)

    def show_rows(self, count: int, cursor: int = 0) -> None:
        """Another number of lines."""
        self.show([BLANK] * count, cursor)
        self.refresh()
