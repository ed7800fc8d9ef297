"""The application: what each key does."""

from __future__ import annotations

from textual import on

from npuscope.themes import THEMES
from npuscope.tui.explorer import Explorer
from npuscope.tui.messages import NotOpened
from npuscope.widgets.details import Details
from npuscope.widgets.graph_tree import GraphTree
from npuscope.widgets.search_bar import SearchBar


class Npuscope(Explorer):
    """The explorer with its commands."""

    def on_mount(self) -> None:
        """Open the file, or ask for one."""
        super().on_mount()
        if self.path is None:
            self.action_open_file()
        else:
            self.open(self.path)

    @on(NotOpened)
    def _not_opened(self, message: NotOpened) -> None:
        self.say()
        self.ask_for_file(message.reason)

    # -- moving

    def action_off_npu(self, step: int) -> None:
        """To the next or previous layer that is not on the NPU."""
        tree = self.query_one(GraphTree)
        name = tree.next_off_npu(step)
        if name is not None:
            tree.go_to_layer(name)
        elif self.session is not None:
            self.notify("Every layer is on the NPU.", timeout=3)

    def action_pane(self, index: int) -> None:
        """Bring a pane into view."""
        screen = self.screen
        if screen.has_class("-tiny"):
            screen.add_class("-details")
        self.query_one(Details).show(index, focus=screen.has_class("-tiny"))

    def action_back(self) -> None:
        """The keys go to the tree again."""
        self.screen.remove_class("-details")
        self.query_one(GraphTree).focus()

    # -- searching

    def action_search(self) -> None:
        """Start a search from where the cursor is."""
        tree = self.query_one(GraphTree)
        self._before_search = tree.row.key if tree.row is not None else None
        self.query_one(SearchBar).open()

    # -- editing

    def action_undo(self) -> None:
        """Take the last edit back."""
        if self.session is not None and self.session.done:
            edit = self.session.done[-1]
            self.become(self.session.undo())
            self.notify(f"Undone: {edit.describe()}", timeout=3, markup=False)

    def action_redo(self) -> None:
        """Make the edit undone last again."""
        if self.session is not None and self.session.undone:
            edit = self.session.undone[-1]
            self.become(self.session.redo())
            self.notify(f"Redone: {edit.describe()}", timeout=3, markup=False)

    # -- look

    def action_theme(self) -> None:
        """The next of our themes."""
        names = [theme.name for theme in THEMES]
        here = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(here + 1) % len(names)]
        self.notify(f"Theme: {self.theme.removeprefix('npuscope-')}", timeout=2)

    def action_open_file(self) -> None:
        self.ask_for_file()

    def ask_for_file(self, reason: str = "") -> None:
        self.notify(reason or "picker", markup=False)


def run(path: str | None, toolchain: str, profile: str) -> int:
    """Run the application; the process's exit status."""
    return Npuscope(path, toolchain, profile).run() or 0
