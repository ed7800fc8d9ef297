"""Search: what is typed is found from the cursor on, and shown at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npuscope.widgets.bars.search_bar import SearchBar
from npuscope.widgets.lists.layer_filter import FilterBy, LayerFilter

if TYPE_CHECKING:
    from npuscope.tui.screens.main.screen import MainScreen
    from npuscope.tui.screens.main.walk import Walk


SearchMessage = SearchBar.Typed | SearchBar.Stepped | SearchBar.Kept | SearchBar.Left


class Search:
    """Moves the cursor of the tree while a search goes on; given up, back to where it began."""

    def __init__(self, screen: MainScreen, walk: Walk) -> None:
        self._screen, self._walk = screen, walk
        self._began_at: str | None = None
        self._from: str | None = None
        self._origin = -1.0

    @property
    def _bar(self) -> SearchBar:
        return self._screen.query_one(SearchBar)

    def start(self) -> None:
        """Search from where the cursor is."""
        row = self._screen.graph_tree.row
        self._began_at = row.key if row is not None else None
        self._from = self._screen.graph_tree.layer_name
        self._origin = self._screen.graph_tree.place
        self._bar.open()

    def asked(self, message: SearchMessage) -> None:
        """What the line of the search says."""
        match message:
            case SearchBar.Typed(query=query):
                self.typed(query)
            case SearchBar.Stepped(step=step):
                self.step(step)
            case SearchBar.Kept():
                self.only()
            case SearchBar.Left(keep=keep):
                self.end(keep)

    def typed(self, query: str) -> None:
        """To the first layer found from the cursor on."""
        self._screen.query_text = query.strip()
        self.step(0)

    def step(self, step: int) -> None:
        """To the layer found before (-1) or after (1) the present one; 0: to the first from where the search began."""
        tree = self._screen.graph_tree
        names = tree.matching(self._screen.query_text)
        if not names:
            self._bar.show_found(0, 0)
            return
        position = tree.outline.position
        here = position.get(tree.layer_name or "", -1)
        if step < 0:
            index = max((i for i, name in enumerate(names) if position[name] < here), default=len(names) - 1)
        else:
            ahead = here + 1 if step else self._origin
            index = next((i for i, name in enumerate(names) if position[name] >= ahead), 0)
        tree.go_to_layer(names[index])
        self._bar.show_found(index, len(names))

    def only(self) -> None:
        """Show what is found alone; the line stays where nothing is."""
        query = self._screen.query_text
        if not self._screen.graph_tree.matching(query):
            return
        self.end(keep=True)
        self._screen.show_only(LayerFilter(FilterBy.QUERY, query, query))

    def end(self, keep: bool) -> None:
        """Put the line away; `keep` stays at the layer found."""
        self._bar.close()
        self._screen.query_text = ""
        tree = self._screen.graph_tree
        if not keep and self._began_at is not None:
            tree.go_to_key(self._began_at)
        else:
            self._walk.left(self._from)
        tree.focus()
