"""TargetScreens: the screens that end with another target to judge the model for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.machine.machine import Target
    from npuscope.tui.app import Npuscope

# Screens are imported where they are shown: the first paint needs none.


class TargetScreens:
    """Shows them, and hands the target that was chosen to the editor."""

    def __init__(self, app: Npuscope) -> None:
        self._app, self._document = app, app.document

    def _judge_for(self, target: Target | None) -> None:
        if target is not None:
            self._app.editor.judge_for(target)

    def toolchain(self) -> None:
        """Other versions of the tools."""
        from npuscope.tui.screens.toolchain.screen import ToolchainScreen

        if self._document.session is not None:
            self._app.push_screen(ToolchainScreen(self._document.session), self._judge_for)

    def build(self) -> None:
        """Other build options."""
        from npuscope.tui.screens.build_options.screen import BuildScreen

        if self._document.session is not None:
            self._app.push_screen(BuildScreen(self._document.session), self._judge_for)

    def memory(self) -> None:
        """Other pools and clocks."""
        from npuscope.tui.screens.memory.screen import MemoryScreen

        session, snapshot = self._document.session, self._document.snapshot
        if session is not None and snapshot.layers:
            self._app.push_screen(MemoryScreen(session, snapshot), self._judge_for)
