"""The verdict on the selection in one line, for when its pane is out of view."""

from __future__ import annotations

from textual.reactive import reactive

from npuscope.widgets.panes.eligibility import one_line, verdict_line
from npuscope.widgets.panes.selection import NOTHING, Selection
from npuscope.widgets.text.drawing import Bar
from npuscope.widgets.text.spans import Line


class VerdictBar(Bar):
    """Placement and name; with `reason` also why."""

    DEFAULT_CSS = """
    VerdictBar { padding: 0 1; }
    """

    selection: reactive[Selection] = reactive(NOTHING, init=False)

    def __init__(self, *, reason: bool, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._reason = reason

    def bar(self, width: int) -> Line:
        """The line."""
        return (one_line if self._reason else verdict_line)(self.selection, width)
