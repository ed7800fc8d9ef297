"""Keys that show the model from another side: fixes of a layer, the table of layers, bounds, memory."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.edits.edit import Edit
from npuscope.machine.machine import Target
from npuscope.tui.suggesting import Suggesting
from npuscope.tui.walking import Walking


class Views(Suggesting, Walking):
    """The explorer with its views."""

    def apply(self, edits: Sequence[Edit], text: str) -> None:
        """Make edits."""
        raise NotImplementedError

    def action_fixes(self) -> None:
        """Edits that help the selected layer, or the whole model where none is selected."""
        from npuscope.tui.screens.fixes.screen import FixesScreen

        session, report = self.session, self.report
        if session is None:
            return

        def chosen(edit: Edit | None) -> None:
            if edit is not None:
                self.apply([edit], edit.describe())

        if report is not None:
            self.push_screen(FixesScreen(session, self.snapshot, report, self.inputs), chosen)
        elif self.snapshot.layers:
            from npuscope.tui.screens.model_fixes.screen import ModelFixesScreen

            self.push_screen(ModelFixesScreen(session, self.snapshot), chosen)

    def action_layers(self) -> None:
        """All layers in a table."""
        from npuscope.tui.screens.layers.screen import LayersScreen

        if self.snapshot.layers:
            self.push_screen(LayersScreen(self.snapshot), self._go_to)

    def action_blocks(self) -> None:
        """The model as blocks with the edges between them."""
        from npuscope.tui.screens.blocks.screen import BlocksScreen

        def chosen(name: str | None) -> None:
            if name is not None:
                self.jump(name)

        if self.snapshot.layers:
            here = self.report.name if self.report is not None else None
            self.push_screen(BlocksScreen(self.snapshot, self.size.height, here), chosen)

    def action_bounds(self) -> None:
        """What sets the model's time."""
        from npuscope.tui.screens.bounds.screen import BoundsScreen

        if self.snapshot.layers:
            self.push_screen(BoundsScreen(self.snapshot), self._go_to)

    def _go_to(self, name: str | None) -> None:
        if name is not None:
            self.go_to(name)

    def action_memory(self) -> None:
        """Pools, activations over time, and what other memories or clocks would change."""
        from npuscope.tui.screens.memory.screen import MemoryScreen

        session = self.session
        if session is None or not self.snapshot.layers:
            return

        def chosen(found: Target | None) -> None:
            if found is not None and self.session is not None and found is not self.session.target:
                self.target = found
                self.become(self.session.with_target(found))

        self.push_screen(MemoryScreen(session, self.snapshot), chosen)
