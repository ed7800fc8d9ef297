"""A line to type in that narrows the list above it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from npuscope.widgets.bars.search_bar import Slash
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line, Span, quiet


class NarrowCount(Bar):
    """How many lines are left, and the keys."""

    DEFAULT_CSS = """
    NarrowCount { width: auto; min-width: 34; max-width: 60%; padding: 0 1; }
    """

    counted = ""
    none = False

    def bar(self, width: int) -> Line:
        """The line."""
        count = Span(self.counted, "attention" if self.none else "text")
        return (count, quiet("   Enter keep  Esc all"))


class NarrowBar(Horizontal):
    """Narrows a list as one types. Enter keeps what is left, Esc shows all again; both give the keys back."""

    DEFAULT_CSS = """
    NarrowBar {
        dock: bottom;
        height: 1;
        background: $surface;
        & Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $surface; }
        & Slash { width: 2; color: $changed; padding: 0 0 0 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+tab", "step(-1)", show=False, priority=True),
        Binding("down,tab", "step(1)", show=False, priority=True),
        Binding("escape", "close(False)", show=False, priority=True),
        Binding("enter", "close(True)", show=False, priority=True),
    ]

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self._choices = choices

    def compose(self) -> ComposeResult:
        """A slash, the input, the count."""
        yield Slash()
        yield Input(
            self._choices.words, placeholder=self._choices.sought_by, compact=True, select_on_focus=False
        )
        yield NarrowCount()

    def on_mount(self) -> None:
        """Type at once."""
        entry = self.query_one(Input)
        entry.cursor_blink = False
        entry.focus()
        self._count()

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._choices.narrow(message.value)
        self._count()

    def _count(self) -> None:
        count = self.query_one(NarrowCount)
        count.counted = f"{self._choices.seen} of {self._choices.count}"
        count.none = not self._choices.seen
        count.refresh()

    def action_step(self, step: int) -> None:
        """Another of the lines that are left."""
        self._choices.action_move(step)

    def action_close(self, keep: bool) -> None:
        """The keys go back to the list."""
        if not keep:
            self._choices.narrow("")
        self._choices.focus()
        self.remove()
