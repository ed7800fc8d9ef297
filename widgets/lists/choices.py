"""A list of lines to choose one from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from npuscope.record import dataclass
from npuscope.widgets.lists.narrowed import Narrowed
from npuscope.widgets.text.spans import BLANK, Line


class Choices(Narrowed):
    """Lines with a cursor. Says where it is, and what was taken."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "edge(-1)", show=False),
        Binding("end", "edge(1)", show=False),
        Binding("enter", "take", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another line."""

        index: int

    @dataclass
    class Chosen(Message):
        """A line was chosen."""

        index: int

    def __init__(self, lines: Sequence[Line] = (), heading: Line = BLANK, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines = list(lines)
        self._heading = heading
        self.heading_lines = 1 if heading else 0
        self.cursor = 0
        """-1 where no line is chosen."""

    @property
    def count(self) -> int:
        """Lines to choose from."""
        return len(self._lines)

    def heading(self, index: int, width: int) -> Line:
        """The line that does not scroll."""
        return self._heading

    def body(self, index: int, width: int) -> Line:
        """A line."""
        return self._lines[index]

    def line_role(self, index: int) -> str | None:
        """The cursor's line."""
        return "cursor" if index == self.cursor else None

    def head(self, heading: Line) -> None:
        """Another line above the list."""
        if heading != self._heading:
            self._heading = heading
            self.refresh()

    def show(self, lines: Sequence[Line], cursor: int = 0) -> None:
        """Other lines."""
        if len(lines) != len(self._lines) and self.styles.is_auto_height:
            self.refresh(layout=True)
        before, self._lines = self._lines, list(lines)
        if self.words:
            self.narrow(self.words)
        self.fit_to(self.seen)
        self.refresh_changed(before, self._lines)
        self.move_to(cursor)

    def set_line(self, index: int, line: Line) -> None:
        """Another text for one line."""
        self._lines[index] = line
        self.refresh_body(index)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.fit_to(self.seen)
        self._show_cursor()

    def move_to(self, index: int) -> None:
        """Put the cursor on a line, -1 for none."""
        index = min(index, self.count - 1)
        if index == self.cursor:
            self._show_cursor()
            return
        before, self.cursor = self.cursor, index
        if before >= 0:
            self.refresh_body(before)
        if index >= 0:
            self.refresh_body(index)
            self._show_cursor()

    def narrow(self, words: str) -> None:
        """Show the lines that hold all of these words; the cursor goes to the first of them if its own is not among them."""
        super().narrow(words)
        place = self.place_of(self.cursor)
        if self.kept and (place >= len(self.kept) or self.kept[place] != self.cursor):
            self._go(self.line_at(place))
        self._show_cursor()

    def action_move(self, step: int) -> None:
        """One line up or down."""
        self._go(self.line_at(self.place_of(self.cursor) + step))

    def action_page(self, step: int) -> None:
        """One page up or down."""
        self._go(self.line_at(self.place_of(self.cursor) + step * max(self.page - 1, 1)))

    def action_half_page(self, step: int) -> None:
        """Half a page up or down."""
        self._go(self.line_at(self.place_of(self.cursor) + step * max(self.page // 2, 1)))

    def action_edge(self, side: int) -> None:
        """To the first or the last line."""
        self._go(self.line_at(0 if side < 0 else self.seen - 1))

    def action_take(self) -> None:
        """Choose the line under the cursor."""
        if 0 <= self.cursor < self.count and self.seen:
            self.post_message(self.Chosen(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """Move to a line; a second click takes it."""
        index = event.y - self.heading_lines + self.scroll_offset.y
        if event.y >= self.heading_lines and 0 <= index < self.seen:
            self._go(self.line_at(index))
            if event.chain == 2:
                self.action_take()

    def _go(self, index: int) -> None:
        index = min(max(index, 0), self.count - 1)
        if index >= 0 and index != self.cursor:
            self.move_to(index)
            self.post_message(self.Moved(index))

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        place = self.place_of(self.cursor)
        wanted = min(max(top, place - self.page + 1), max(place, 0))
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)
