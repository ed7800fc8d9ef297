"""Marks: letters that stand for layers; the next letter sets one or goes to it."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.model.brief import Names
from npuscope.snapshot import Snapshot
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.bars.narrow_bar import NarrowBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.cells import left, right
from npuscope.widgets.text.layer_names import names_of_few, shown_layer, shown_of
from npuscope.widgets.text.spans import Line, Span, line, quiet, strong
from npuscope.widgets.text.words import where

_LETTER, _WHERE, _SHARE = 3, 7, 6


class MarksScreen(Dialog[str]):
    """Ends with a letter: one to go to, or, where a layer to mark is given, the one it is marked with."""

    DEFAULT_CSS = """
    MarksScreen > #box { width: 84; }
    MarksScreen Choices { height: auto; max-height: 14; margin: 1 1 1 1; }
    """

    # The letters belong to the marks, not to the list.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(letter, f"letter('{letter}')", show=False, priority=True)
            for letter in string.ascii_letters
        ),
        Binding("delete,backspace", "drop", show=False),
        Binding("apostrophe,semicolon", "leave", show=False),
    ]

    def __init__(self, marks: dict[str, str], snapshot: Snapshot, to_mark: str | None = None) -> None:
        super().__init__()
        self._marks, self._snapshot, self._to_mark = marks, snapshot, to_mark
        self._letters = sorted(marks)

    def heading(self) -> tuple[Line, Line]:
        """Which layer is marked, or that one goes to a mark."""
        if self._to_mark is None:
            return line(strong("Marks")), line(quiet("a letter goes to its layer"))
        return line(strong("Mark ")), line(
            shown_layer(self._snapshot, self._to_mark, 40), quiet("  with a letter")
        )

    def hints(self) -> tuple[KeyHint, ...]:
        """What the letters do here."""
        does = "go to" if self._to_mark is None else "mark"
        return (
            KeyHint("a-z A-Z", does, "screen.take", 9),
            KeyHint("↑↓ Enter", "choose", "screen.take", 6),
            KeyHint("Delete", "forget", "screen.drop", 5),
            KeyHint("/", "filter", "screen.narrow", 4),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """The marks there are."""
        yield Choices()

    def on_mount(self) -> None:
        """Letters count at once."""
        self.query_one(Choices).focus()
        self._show(0)

    def lay_out(self) -> None:
        """The names take the room there is."""
        self._show(self.query_one(Choices).cursor)

    def _show(self, cursor: int) -> None:
        choices = self.query_one(Choices)
        among, width = names_of_few(tuple(self._marks.values())), choices.line_width
        lines = [mark_line(one, self._marks[one], among, self._snapshot, width) for one in self._letters]
        choices.show(lines or [line(quiet("no marks yet"))], min(cursor, len(lines) - 1))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where one types a filter, a letter is a letter."""
        return action != "letter" or not self.query(NarrowBar)

    def action_letter(self, letter: str) -> None:
        """Mark with it, or go to what it stands for."""
        if self._to_mark is not None or letter in self._marks:
            self.dismiss(letter)
        else:
            self.show_message(f"No layer is marked {letter}.")

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()

    def action_take(self) -> None:
        """The letter of the line under the cursor."""
        if (letter := self._chosen_letter) is not None:
            self.dismiss(letter)

    def action_drop(self) -> None:
        """Forget the mark under the cursor."""
        if (letter := self._chosen_letter) is not None:
            del self._marks[letter]
            index = self._letters.index(letter)
            self._letters.remove(letter)
            self._show(index)

    @property
    def _chosen_letter(self) -> str | None:
        index = self.query_one(Choices).cursor
        return self._letters[index] if 0 <= index < len(self._letters) else None


def mark_line(letter: str, name: str, among: Names, snapshot: Snapshot, width: int) -> Line:
    """A letter and its layer: where it runs, what it takes."""
    start = Span(left(letter, _LETTER), "accent-strong")
    room = max(width - _LETTER - _WHERE - _SHARE, 8)
    report = snapshot.by_name.get(name)
    if report is None:
        removed = " not there as edited"
        return line(
            start, quiet(shown_of(among, name, max(width - _LETTER - len(removed), 8))), quiet(removed)
        )
    share = f"{snapshot.share(report) * 100:.0f} %"
    return line(
        start,
        where(report.placement),
        "  ",
        left(shown_layer(snapshot, name, room), room),
        quiet(right(share, _SHARE)),
    )
