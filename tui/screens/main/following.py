"""Following: the panes show a single step of the cursor at once, and wait while it runs."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from textual.timer import Timer

from npuscope.widgets.lists.outline import Row

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen

DELAY = 0.07
"""Seconds the panes wait while the cursor runs."""


class Following:
    """Brings the panes to where the cursor is."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.pending: Timer | None = None
        self._last_move = 0.0
        self._held = ""

    def moved(self, row: Row | None) -> None:
        """Show a single step at once; while the cursor runs, wait until it rests."""
        now = monotonic()
        running = now - self._last_move < DELAY
        self._last_move = now
        self._stop()
        if running:
            self.pending = self._screen.set_timer(DELAY, lambda: self._screen.select(row))
        else:
            self._screen.select(row)

    def catch_up(self, key: str) -> None:
        """A key that is no more of the same run acts on what the cursor is on: the panes wait no longer.

        Nor do they where they have the keys, or are clicked ('').
        """
        tree = self._screen.graph_tree
        if self.pending is not None and (key != self._held or not tree.has_focus):
            self._stop()
            self._screen.select(tree.row)
        self._held = key

    def _stop(self) -> None:
        if self.pending is not None:
            self.pending.stop()
            self.pending = None
