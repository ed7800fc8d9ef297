"""Two models side by side: the layers of both, paired, in one list that scrolls both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.services.diff import Difference, Pair
from npuscope.tui.screens.difference.rows import (
    about_pair,
    difference_heading,
    difference_summary,
    difference_verdict,
    pair_line,
)
from npuscope.tui.screens.listing import Listing
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.layer_names import listed
from npuscope.widgets.text.spans import Line, line, quiet, strong


class DifferenceScreen(Listing[str]):
    """Ends with the name of a layer of the second model, to go to."""

    DEFAULT_CSS = """
    DifferenceScreen > #box { width: 100%; max-width: 170; height: auto; }
    DifferenceScreen #summary { height: auto; max-height: 3; margin: 1 0 0 1; }
    DifferenceScreen RowList { height: 1fr; min-height: 4; margin: 1 0 0 1; }
    DifferenceScreen #about { height: 3; margin: 1 0 0 1; }
    """

    ABOUT = "#about"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "narrow_to_changes", show=False, priority=True),
        Binding("n", "next_change(1)", show=False),
        Binding("N", "next_change(-1)", show=False),
        Binding("D,q", "leave", show=False),
    ]

    def __init__(self, difference: Difference, before: str, after: str) -> None:
        super().__init__()
        self._found, self._names = difference, (before, after)
        self.only_changes = False
        self.pairs: tuple[Pair, ...] = difference.pairs

    def heading(self) -> tuple[Line, Line]:
        """Which two."""
        before, after = listed(self._names, 48)
        return line(strong("Difference"), "  ", before, quiet(" → "), after), line(
            quiet(f"{len(self._found.touched)} differ")
        )

    def hints(self) -> tuple[KeyHint, ...]:
        """What the keys do on this row."""
        pair = self.pair
        return (
            KeyHint("Enter", "go to layer", "screen.take", 9, pair is not None and pair.after is not None),
            KeyHint("n", "next change", "screen.next_change(1)", 8, bool(self._found.touched)),
            KeyHint(
                "Tab", "all layers" if self.only_changes else "changes alone", "screen.narrow_to_changes", 7
            ),
            KeyHint("/", "filter", "screen.narrow", 5),
            KeyHint("Esc", "back", "screen.leave", 9),
        )

    def content(self) -> Iterable[Widget]:
        """Both models in two lines, their layers, the one under the cursor."""
        yield Page(
            lambda width: [*difference_summary(self._found, width), difference_verdict(self._found)],
            id="summary",
        )
        yield RowList(self._line, difference_heading)
        yield Page(self.about, id="about")

    def on_mount(self) -> None:
        """Start at the first layer that changed."""
        self.query_one(RowList).focus()
        self._show(next((index for index, pair in enumerate(self.pairs) if pair.touched), 0))

    @property
    def pair(self) -> Pair | None:
        """The pair under the cursor."""
        index = self.cursor
        return self.pairs[index] if 0 <= index < len(self.pairs) else None

    def _line(self, index: int, width: int) -> Line:
        return pair_line(self.pairs[index], self._found.before, self._found.after, width)

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        if self.pair is None:
            return [line(quiet("No layer differs."))]
        return about_pair(self.pair, self._found.before, self._found.after, width)

    def _show(self, cursor: int) -> None:
        self.show_rows(len(self.pairs), cursor)

    def action_take(self) -> None:
        """Go to the layer of the second model."""
        pair = self.pair
        if pair is not None and pair.after is not None:
            self.dismiss(pair.after.name)

    def action_narrow_to_changes(self) -> None:
        """Only layers that differ, or all."""
        here = self.pair
        self.only_changes = not self.only_changes
        self.pairs = self._found.touched if self.only_changes else self._found.pairs
        self._show(next((index for index, pair in enumerate(self.pairs) if pair is here), 0))

    def action_next_change(self, step: int) -> None:
        """To the next layer that differs; behind the last one the first again."""
        self.move_on([index for index, pair in enumerate(self.pairs) if pair.touched], step)
