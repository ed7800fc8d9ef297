"""Search: a line to type in, over the last line; what it finds is shown at once."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input

from npuscope.record import dataclass
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line, Span, length, quiet

EXAMPLES = "name, op=Conv, kernel=7, >1ms"
"""What can be looked for; `?` explains it."""


class SearchCount(Bar):
    """How many layers were found, and the keys."""

    DEFAULT_CSS = """
    SearchCount { width: auto; min-width: 46; max-width: 60%; padding: 0 1; }
    """

    place: reactive[tuple[int, int] | None] = reactive(None, init=False)
    """(which one, of how many), None while nothing is asked for."""

    def bar(self, width: int) -> Line:
        """The line."""
        count: Line = ()
        if self.place is not None:
            number, of = self.place
            count = (
                Span(f"{number + 1} of {of}") if of else Span("nothing found", "attention"),
                quiet("   "),
            )
        # The keys give way where the line is short: what is typed must be seen.
        room = width - length(count)
        return (*count, quiet(next((keys for keys in _KEYS if len(keys) <= room), "")))


_KEYS = (
    "↑↓ other  Enter go  Tab only these  Esc back",
    "Tab only these  Esc back",
    "Esc back",
)


class SearchBar(Horizontal):
    """Says what is typed and where the user wants to go; finds nothing itself."""

    DEFAULT_CSS = """
    SearchBar {
        display: none;
        dock: bottom;
        height: 1;
        background: $surface;
        &.-open { display: block; }
        & Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $surface; }
        & #slash { width: 2; color: $changed; padding: 0 0 0 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,ctrl+p,shift+tab", "step(-1)", show=False, priority=True),
        Binding("down,ctrl+n", "step(1)", show=False, priority=True),
        Binding("tab", "only", show=False, priority=True),
        Binding("escape", "leave(False)", show=False, priority=True),
        Binding("enter", "leave(True)", show=False, priority=True),
    ]

    @dataclass
    class Typed(Message):
        """The search has other words."""

        query: str

    @dataclass
    class Stepped(Message):
        """The next (1) or previous (-1) place is asked for."""

        step: int

    class Kept(Message):
        """What is found is to be shown alone."""

    @dataclass
    class Left(Message):
        """The search is over; `keep` says whether to stay at the place found."""

        keep: bool

    def compose(self) -> ComposeResult:
        """A slash, the input, the count."""
        yield Slash(id="slash")
        yield Input(placeholder=EXAMPLES, id="query", compact=True, select_on_focus=False)
        yield SearchCount()

    def open(self) -> None:
        """Start a search."""
        entry = self.query_one(Input)
        entry.cursor_blink = False
        entry.value = ""
        self.query_one(SearchCount).place = None
        self.add_class("-open")
        entry.focus()

    def close(self) -> None:
        """Put the line away."""
        self.remove_class("-open")

    @property
    def is_open(self) -> bool:
        """Whether a search goes on."""
        return self.has_class("-open")

    def show_found(self, number: int, of: int) -> None:
        """Say how many places there are."""
        self.query_one(SearchCount).place = (number, of) if self.query_one(Input).value.strip() else None

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        if self.is_open:
            self.post_message(self.Typed(message.value))

    def action_step(self, step: int) -> None:
        """Another of the places found."""
        self.post_message(self.Stepped(step))

    def action_only(self) -> None:
        """Show what is found alone."""
        self.post_message(self.Kept())

    def action_leave(self, keep: bool) -> None:
        """End the search."""
        self.post_message(self.Left(keep))

    def on_descendant_blur(self, _event: events.DescendantBlur) -> None:
        """A click elsewhere ends the search where it is."""
        if self.is_open:
            self.post_message(self.Left(True))


class Slash(Bar):
    """The sign of a search."""

    def bar(self, width: int) -> Line:
        """A slash."""
        return (Span("/", "accent-strong"),)
