"""Leave with edits that are not written?"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.npu.figures import plural
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import BLANK, Line, line, quiet, strong, wrap


class Leave(Enum):
    """What to do with the edits."""

    EXPORT = "export"
    DROP = "drop"


class QuitScreen(Dialog[Leave]):
    """Says what would be lost; export, leave or stay."""

    DEFAULT_CSS = """
    QuitScreen > #box { width: 60; }
    QuitScreen Page { height: auto; max-height: 12; margin: 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,e,enter", "export", show=False),
        Binding("q", "drop", show=False),
    ]

    def __init__(self, edits: tuple[str, ...], verb: str = "quit") -> None:
        super().__init__()
        self._edits = edits
        self._verb = verb

    def hints(self) -> tuple[KeyHint, ...]:
        """Export, leave, stay."""
        return (
            KeyHint("y", "export first", "screen.export", short="export"),
            KeyHint("q", f"{self._verb} anyway", "screen.drop", short=self._verb),
            KeyHint("Esc", "stay", "screen.leave"),
        )

    def heading(self) -> tuple[Line, Line]:
        """How many edits."""
        return line(strong(f"{plural(len(self._edits), 'edit')} not exported")), BLANK

    def content(self) -> Iterable[Widget]:
        """The edits."""
        yield _Edits(self._text)

    def _text(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for edit in self._edits[:8]:
            lines += wrap(line(quiet("· "), edit), width, 2)
        if len(self._edits) > 8:
            lines.append(line(quiet(f"and {len(self._edits) - 8} more")))
        return lines

    def action_export(self) -> None:
        """Write them first."""
        self.dismiss(Leave.EXPORT)

    def action_drop(self) -> None:
        """Leave without them."""
        self.dismiss(Leave.DROP)


class _Edits(Page, can_focus=False):
    """The edits, one below the other."""
