"""A page of text: given as a function of the width, so that it wraps again when the terminal changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.geometry import Size

from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.spans import Line

Text = Callable[[int], list[Line]]
"""Width -> lines of at most that width."""


class Page(Sheet):
    """Lines of text that scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", show=False),
        Binding("down,j,space", "scroll_down", show=False),
    ]

    heading_lines = 0

    def __init__(self, text: Text, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = text
        self._lines: list[Line] = []

    @property
    def count(self) -> int:
        """Lines of text."""
        return len(self._lines)

    def body(self, index: int, width: int) -> Line:
        """A line of text."""
        return self._lines[index]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """The lines the text takes, for a page that is as high as its text."""
        return len(self._text(max(width - self.scrollbar_size_vertical, 1)))

    def show(self, text: Text) -> None:
        """Other text."""
        self._text = text
        self._wrap()
        if self.styles.is_auto_height:
            self.refresh(layout=True)

    def on_resize(self) -> None:
        """Wrap the text again."""
        self._wrap()

    def _wrap(self) -> None:
        before, self._lines = self._lines, self._text(self.line_width)
        self.fit_to(len(self._lines))
        self.refresh_changed(before, self._lines)
