"""Edits of a session that ended without an export: take them up again?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from npuscope.npu.figures import plural
from npuscope.tui.screens.dialog import Dialog
from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.cells import shown
from npuscope.widgets.text.spans import Line, line, quiet, strong, wrap

_INSIDE = 59
"""Cells of a heading, for a title and the names beside it."""


class Answer(Enum):
    """What to do with them."""

    RESTORE = "restore"
    DISCARD = "discard"


class RestoreScreen(Dialog[Answer]):
    """Names the edits. Esc leaves them in the journal, until an edit takes their place."""

    DEFAULT_CSS = """
    RestoreScreen > #box { width: 68; }
    RestoreScreen Page { height: auto; max-height: 14; margin: 1 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,r", "restore", show=False),
        Binding("d", "discard", show=False),
    ]
    HINTS = (
        KeyHint("Enter", "restore", "screen.restore", 9),
        KeyHint("d", "discard", "screen.discard", 8),
        KeyHint("Esc", "not now", "screen.leave", 7),
    )

    def __init__(self, file: str, edits: tuple[str, ...], since: datetime | None) -> None:
        super().__init__()
        self._file, self._edits, self._since = file, edits, since

    def heading(self) -> tuple[Line, Line]:
        """How many, of which file, and from when."""
        title = plural(len(self._edits), "unsaved edit")
        since = f", from {when(self._since, datetime.now())}" if self._since else ""
        return line(strong(title)), line(
            quiet(f"of {shown(self._file, _INSIDE - len(title) - len(since))}{since}")
        )

    def content(self) -> Iterable[Widget]:
        """The edits."""
        yield _Edits(self._text)

    def _text(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for edit in self._edits[:10]:
            lines += wrap(line(quiet("· "), edit), width, 2)
        if len(self._edits) > 10:
            lines.append(line(quiet(f"and {len(self._edits) - 10} more")))
        return lines

    def action_restore(self) -> None:
        """Make them again."""
        self.dismiss(Answer.RESTORE)

    def action_discard(self) -> None:
        """Forget them."""
        self.dismiss(Answer.DISCARD)


class _Edits(Page, can_focus=False):
    """The edits, one below the other."""


def when(then: datetime, now: datetime) -> str:
    """'12:40' for today, else with the day."""
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then:%Y-%m-%d %H:%M}"
