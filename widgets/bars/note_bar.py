"""A remark in one line."""

from __future__ import annotations

from textual.reactive import reactive

from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import BLANK, Line, fit


class NoteBar(Bar):
    """Whatever there is to say."""

    note: reactive[Line] = reactive(BLANK, init=False)

    def __init__(self, note: Line = BLANK, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.set_reactive(NoteBar.note, note)

    def bar(self, width: int) -> Line:
        """The line."""
        return fit(self.note, width)
