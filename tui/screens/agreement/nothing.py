"""Nothing to compare with yet: which files of ST's tools could be opened, and how."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import left
from npuscope.widgets.text.keys import keyed
from npuscope.widgets.text.spans import BLANK, Line, Span, line, quiet, strong, wrap

FILES = (
    ("report of generate, analyze", "where each epoch runs; the layers as built"),
    ("report of validate on a board", "the measured time of each epoch"),
    ("c_info.json", "epochs, cycles, power, traffic; shapes and scales"),
    ("tmp.dot", "the compiler's graph: OPS/cycle and mode of each node"),
    ("log of --d-lower", "why the compiler found no kernel"),
    ("network.c, network.csv", "epochs and their estimated cycles"),
)
"""What ST's tools write, and what each says of the model."""

_FILE = 31


class Next(Enum):
    """How to come by something to compare with."""

    OPEN = "open"
    COMPILE = "compile"


class NothingToCompare(Dialog[Next]):
    """Ends with what to do about it."""

    DEFAULT_CSS = """
    NothingToCompare > #box { width: 92; }
    NothingToCompare Page { height: auto; max-height: 100%; margin: 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o,enter", "open", show=False),
        Binding("E", "compile", show=False),
        Binding("a,q", "leave", show=False),
    ]

    def __init__(self, with_model: bool) -> None:
        super().__init__()
        self._with_model = with_model

    def heading(self) -> tuple[Line, Line]:
        """What is missing."""
        return line(strong("Agreement")), line(quiet("nothing to compare with yet"))

    def hints(self) -> tuple[KeyHint, ...]:
        """Open, compile, back."""
        compile_ = (KeyHint("E", "compile", "screen.compile"),) if self._with_model else ()
        return (
            KeyHint("o", "open a file", "screen.open"),
            *compile_,
            KeyHint("Esc", "back", "screen.leave"),
        )

    def content(self) -> Iterable[Widget]:
        """What can be opened."""
        yield Page(self.text)

    def on_mount(self) -> None:
        """The text scrolls where it does not fit."""
        self.query_one(Page).focus()

    def text(self, width: int) -> list[Line]:
        """Which files, what they tell, how to open them."""
        lines = [
            *wrap(line("This screen compares the prediction with what ST's tools made of the model."), width),
            BLANK,
        ]
        for file, what in FILES:
            lines += wrap(line(left(file, _FILE), quiet(what)), width, _FILE)
        lines.append(BLANK)
        ways = [("{o}", "opens one or several, beside the model; the list marks them with their kind")]
        if self._with_model:
            ways.append(
                ("{E}", "exports the model, compiles it with ST's compiler and reads what that writes")
            )
        for key, does in ways:
            lines += wrap(line(Span(left(keyed(key), 3), "accent-strong"), does), width, 3)
        lines += wrap(line(quiet("   on the command line:  "), "npuscope MODEL REPORT..."), width, 3)
        return lines

    def action_open(self) -> None:
        """Choose a file."""
        self.dismiss(Next.OPEN)

    def action_compile(self) -> None:
        """Compile the model."""
        if self._with_model:
            self.dismiss(Next.COMPILE)
