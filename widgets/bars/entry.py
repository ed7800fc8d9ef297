"""A line to type in, with a label before it and a remark behind it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input

from npuscope.widgets.bars.note_bar import NoteBar
from npuscope.widgets.text.spans import Line, line, quiet


class Entry(Horizontal):
    """One line high; the cursor does not blink, so an idle screen sends nothing."""

    DEFAULT_CSS = """
    Entry {
        height: 1;
        & #label { width: auto; }
        & Input {
            border: none; height: 1; padding: 0 1; width: 2fr; background: $surface;
            &:focus { border: none; background: $surface; }
        }
        & #note { width: 1fr; padding: 0 0 0 2; }
    }
    """

    def __init__(self, label: str, value: str = "", placeholder: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label
        self.input = Input(value, placeholder, compact=True, select_on_focus=False)
        self.input.cursor_blink = False
        self._note = NoteBar(id="note")

    def compose(self) -> ComposeResult:
        """Label, input, remark."""
        if self._label:
            label = NoteBar(line(quiet(self._label)), id="label")
            label.styles.width = len(self._label)
            yield label
        yield self.input
        yield self._note

    def on_mount(self) -> None:
        """No remark, no room for one."""
        self._note.display = bool(self._note.note)

    @property
    def note(self) -> Line:
        """The remark."""
        return self._note.note

    @note.setter
    def note(self, note: Line) -> None:
        self._note.note = note
        self._note.display = bool(note)

    @property
    def value(self) -> str:
        """What is typed."""
        return self.input.value

    def put(self, value: str) -> None:
        """Type something for the user, as if it had always been there."""
        with self.input.prevent(Input.Changed):
            self.input.value = value
        self.input.cursor_position = len(value)
