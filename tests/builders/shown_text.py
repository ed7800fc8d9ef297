"""What widgets show, as text."""

from __future__ import annotations

from typing import Any

from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain


def lines(screen: Any) -> list[str]:
    """The rows of the list on a screen."""
    rows = screen.query_one(RowList)
    return [plain(rows.body(i, rows.line_width)) for i in range(rows.count)]


def text(pane: Any) -> str:
    """The lines of a pane or a page."""
    return "\n".join(plain(pane.body(i, pane.line_width)) for i in range(pane.count))


def page_text(screen: Any) -> str:
    """The page of a screen."""
    return text(screen.query_one(Page))
