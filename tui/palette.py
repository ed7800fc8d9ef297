"""Textual's command palette, made safe for keys that come before its list is laid out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from textual.app import App, SystemCommand
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.errors import NoWidget
from textual.events import Click
from textual.screen import Screen
from textual.types import CallbackType
from textual.widgets import LoadingIndicator

from npuscope.tui.actions import Action
from npuscope.tui.screens.guarded import GuardedScreen


class Palette(CommandPalette, GuardedScreen[CallbackType]):
    """All actions by name. A page key before the list has a size, and a click where nothing is drawn yet, would end the
    program (Textual 8.2)."""

    def _on_click(self, event: Click) -> None:  # type: ignore[override]
        try:
            self.get_widget_at(event.screen_x, event.screen_y)
        except NoWidget:
            event.prevent_default()

    async def _watch__show_busy(self) -> None:
        if self.query(LoadingIndicator):  # taken away while its search still ran
            await super()._watch__show_busy()

    DEFAULT_CSS = """
    Palette SearchIcon { display: none; }
    Palette CommandList { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)


class ActionProvider(Provider):
    """Actions, a line each: label, key, what it does."""

    async def discover(self) -> Hits:
        """All, by label."""
        for name, about, callback, _ in sorted(self.app.get_system_commands(self.screen)):
            yield DiscoveryHit(_entry(name, about), callback, text=name)

    async def search(self, query: str) -> Hits:
        """Those whose label or key the letters are in, the best match first."""
        matcher = self.matcher(query)
        for name, about, callback, _ in self.app.get_system_commands(self.screen):
            if (match := matcher.match(name)) > 0:
                yield Hit(match, _entry(name, about, matcher.highlight), callback, text=name)


_LABEL, _KEY = 16, 8


def _entry(name: str, about: str, highlight: Callable[[str], Content] = Content) -> Content:
    label, _, key = name.rpartition("  ")
    return Content.assemble(
        highlight(label).pad_right(max(_LABEL - len(label), 1)),
        key.ljust(_KEY),  # in no colour of its own: of sixteen none is sure to be readable on the cursor's
        (about, "dim not bold"),
    )


def commands(app: App[int], main: Screen[object], actions: Sequence[Action]) -> Iterator[SystemCommand]:
    """What the keys of the main screen do, by name."""

    def runner(action: str) -> Callable[[], Awaitable[bool]]:
        return lambda: app.run_action(action, namespaces={"screen": main})

    for action in actions:
        label = action.label[:1].upper() + action.label[1:]
        yield SystemCommand(f"{label}  {action.key}", _about(action), runner(action.name))


def _about(action: Action) -> str:
    """What it does, without the name above it: 'Plan: edits for the whole model' -> 'Edits for the whole model'."""
    name, colon, rest = action.help.partition(": ")
    if not colon or name.split()[0].lower() != action.label.split()[0].lower().rstrip(","):
        return action.help
    return rest[:1].upper() + rest[1:]
