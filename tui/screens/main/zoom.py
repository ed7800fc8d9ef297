"""Zoom: one pane over the whole screen, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.pane import Pane

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen

TREE, PANES = "-zoom-tree", "-zoom-panes"


class Zoom:
    """Enlarges the tree or the pane that has the keys."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen

    @property
    def on(self) -> bool:
        """Something is enlarged."""
        return self._screen.has_class(TREE) or self._screen.has_class(PANES)

    def toggle(self) -> None:
        """Enlarge what has the keys; enlarged already, show all again."""
        screen, focused = self._screen, self._screen.focused
        if self.on:
            self.end()
        elif isinstance(focused, Pane):
            details = screen.query_one(Details)
            details.current = details.panes.index(focused)
            details.stacked = True
            screen.add_class(PANES)
            focused.focus()
        elif isinstance(focused, GraphTree):
            screen.add_class(TREE)

    def end(self) -> None:
        """All panes, as the layout has them."""
        if self.on:
            self._screen.remove_class(TREE, PANES)
            self._screen.fit(self._screen.app.size)

    def stacks(self, stacked: bool) -> bool:
        """Whether one pane is in view at a time: by the layout, or since one is enlarged."""
        return stacked or self._screen.has_class(PANES)
