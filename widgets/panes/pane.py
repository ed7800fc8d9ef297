"""A pane of text about the selection: redrawn line by line, only where a line changed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive

from npuscope.widgets.panes.selection import NOTHING, Selection
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.keys import key
from npuscope.widgets.text.spans import Line, Span, length

WORKING: list[Line] = [(Span("Still computing …", "quiet"),)]
"""What a pane says of a layer that is not judged yet."""


class Pane(Sheet):
    """The base of the three panes. A subclass names itself and turns a selection into lines."""

    # The bar is always there and draws nothing where all is seen: texts of other lengths need no new layout.
    DEFAULT_CSS = """
    Pane { overflow-y: scroll; }
    """

    TITLE = ""
    SHOWS_FIXES = False
    """What it says depends on the fixes that are known."""

    HINT: tuple[str, str] | None = None
    """A key and what it does here, at the right of the heading."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", show=False),
        Binding("down,j", "scroll_down", show=False),
    ]

    selection: reactive[Selection] = reactive(NOTHING, init=False, repaint=False)

    headless: reactive[bool] = reactive(False, init=False, repaint=False)
    """The verdict and the pane's name stand elsewhere."""

    class Wrapped(Message):
        """The text has another number of lines, as it was wrapped again."""

    def __init__(self, *, id: str | None = None, headless: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self._lines: list[Line] = []
        self.set_reactive(Pane.headless, headless)
        self.heading_lines = 0 if headless else 1

    def lines(self, selection: Selection, width: int) -> list[Line]:
        """The text, each line in at most `width` cells."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """Lines of text."""
        return len(self._lines)

    def body(self, index: int, width: int) -> Line:
        """A line of text."""
        return self._lines[index]

    def heading(self, index: int, width: int) -> Line:
        """The pane's name on a rule."""
        hint: Line = ()
        if self.HINT is not None and self.hinted(self.selection):
            pressed, text = self.HINT
            pressed = " ".join(key(default) for default in pressed.split(" "))
            hint = (Span(f" {pressed} ", "accent"), Span(text, "quiet"))
        title = self.title(self.selection)
        rest = width - length(hint) - len(title) - 1
        return (Span(title + " ", "title"), Span("─" * max(rest, 0), "rule"), *hint)

    def title(self, selection: Selection) -> str:
        """The pane's name for this selection."""
        return self.TITLE

    def hinted(self, selection: Selection) -> bool:
        """Whether the key in the heading does something for this selection."""
        return selection.report is not None

    def watch_selection(self, before: Selection, selection: Selection) -> None:
        """Show another selection, from its first line where it is about something else."""
        moved = before.title != selection.title or before.part != selection.part
        if moved and self.scroll_offset.y:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self._set(self.lines(selection, self.line_width))
        hint_changed = self.HINT is not None and self.hinted(before) != self.hinted(selection)
        if (hint_changed or self.title(before) != self.title(selection)) and not self.headless:
            self.refresh(Region(0, 0, self.size.width, 1))

    def watch_headless(self, headless: bool) -> None:
        """Leave out what stands elsewhere."""
        self.heading_lines = 0 if headless else 1
        self._set(self.lines(self.selection, self.line_width))
        self.refresh()

    def on_resize(self) -> None:
        """Wrap the text again."""
        before = self.count
        self._set(self.lines(self.selection, self.line_width))
        if self.count != before:
            self.post_message(self.Wrapped())

    def _set(self, lines: list[Line]) -> None:
        before, self._lines = self._lines, lines
        self.fit_to(len(lines))
        self.refresh_changed(before, lines)
