"""Keys that show the model from another side: fixes of a layer, the table of layers, bounds, memory."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.edits.edit import Edit
from npuscope.tui.explorer import Explorer
from npuscope.tui.screens.fixes import FixesScreen
from npuscope.tui.screens.layers import LayersScreen


class Views(Explorer):
    """The explorer with its views."""

    def apply(self, edits: Sequence[Edit], text: str) -> None:
        """Make edits."""
        raise NotImplementedError

    def action_fixes(self) -> None:
        """Edits that help the selected layer."""
        session, report = self.session, self.report
        if session is None:
            return
        if report is None:
            self.tell("Fixes are for a layer: choose one. p plans for the whole model.")
            return

        def chosen(edit: Edit | None) -> None:
            if edit is not None:
                self.apply([edit], edit.describe())

        self.push_screen(FixesScreen(session, self.snapshot, report), chosen)

    def action_layers(self) -> None:
        """All layers in a table."""
        if not self.snapshot.layers:
            return

        def chosen(name: str | None) -> None:
            if name is not None:
                self.graph_tree.go_to_layer(name)

        self.push_screen(LayersScreen(self.snapshot), chosen)
