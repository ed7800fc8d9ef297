"""Textual's command palette, made safe for keys that come before its list is laid out."""

from __future__ import annotations

from textual.command import CommandList, CommandPalette
from textual.types import CallbackType

from npuscope.tui.screens.guarded import GuardedScreen


class Palette(CommandPalette, GuardedScreen[CallbackType]):
    """All actions by name. A page key before the list has a size would end the program (Textual 8.2)."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
