"""The first line of a dialog."""

from __future__ import annotations

from textual.reactive import reactive

from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import BLANK, Line, spread


class TitleBar(Bar):
    """What the dialog is, a `note` that stays, and at the right what it is about."""

    DEFAULT_CSS = """
    TitleBar { padding: 0 1; background: $surface; }
    """

    title: reactive[Line] = reactive(BLANK, init=False)
    about: reactive[Line] = reactive(BLANK, init=False)

    def __init__(
        self,
        title: Line,
        about: Line = BLANK,
        note: Line = BLANK,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._note = note
        self.set_reactive(TitleBar.title, title)
        self.set_reactive(TitleBar.about, about)

    def bar(self, width: int) -> Line:
        """The line."""
        return spread((*self._note, *self.title), self.about, width)
