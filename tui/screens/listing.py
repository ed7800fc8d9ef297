"""Listing: a screen around one list, with what is behind the row under the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual import on

from npuscope.tui.screens.dialog import Dialog, Result
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import Line


class Listing(Dialog[Result]):
    """Its `content` yields one RowList and the Page that ABOUT selects: that text and the keys follow the cursor."""

    ABOUT: ClassVar[str] = "Page"

    def about(self, width: int) -> list[Line]:
        """What is behind the row under the cursor."""
        raise NotImplementedError

    def action_take(self) -> None:
        """Enter, or a click on the row."""
        raise NotImplementedError

    @property
    def cursor(self) -> int:
        """The row under the cursor, -1 where there is none or the list is not there yet."""
        lists = self.query(RowList)
        return lists.first().cursor if lists else -1

    def show_rows(self, count: int, cursor: int = 0) -> None:
        """Fill the list anew."""
        self.query_one(RowList).show_rows(count, cursor)
        self.follow_cursor()

    def move_to(self, row: int) -> None:
        """Set the cursor on a row."""
        self.query_one(RowList).move_to(row)
        self.follow_cursor()

    def move_on(self, rows: list[int], step: int) -> None:
        """To the next of some rows, or the previous one; after the last comes the first."""
        here = self.cursor
        ahead = [row for row in rows if (row > here if step > 0 else row < here)]
        if rows:
            self.move_to((ahead or rows)[0 if step > 0 else -1])

    def follow_cursor(self) -> None:
        """Show what is behind the row, and the keys that do something there."""
        self.query_one(self.ABOUT, Page).show(self.about)
        self.query_one(KeyBar).hints = self.hints()

    def renew_heading(self) -> None:
        """The title bar, where what it says has changed."""
        bar = self.query_one(TitleBar)
        bar.title, bar.about = self.heading()

    @on(Choices.Moved)
    def _moved(self, message: Choices.Moved) -> None:
        message.stop()
        self.follow_cursor()

    @on(Choices.Chosen)
    def _row_chosen(self, message: Choices.Chosen) -> None:
        message.stop()
        self.action_take()
