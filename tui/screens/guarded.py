"""GuardedScreen: left once, whatever arrives together with the key that leaves it."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.screen import Screen

from npuscope.tui.survival import SurvivingApp
from npuscope.widgets.guarded import Guarded

Result = TypeVar("Result")


class GuardedScreen(Guarded, Screen[Result]):
    """The base of every screen.

    1. `dismiss` works once, and only for the screen on top: a second key would leave the screen below it.
    2. What its widgets and workers still report once it is left is dropped: there is nothing to query any more.
    3. An error while it is drawn is survived, whoever asked for the picture.
    4. What shows through from behind it is drawn again only where that changed: it costs more than a dialog.
    """

    left = False
    """Dismissed; Textual takes it down while other messages are still on their way."""

    _changed_below = 0
    """How often something changed in it while it lay behind another screen."""

    _behind: object = None

    @property
    def ready(self) -> bool:
        """Its widgets can be queried."""
        return self.is_mounted and not self.left

    def show_message(self, text: str, severity: SeverityLevel = "information") -> None:
        """Say something for a few seconds."""
        app = self.app
        assert isinstance(app, SurvivingApp)
        app.show_message(text, severity)

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with a result; nothing where it is left already or lies below another screen."""
        stack = self.app.screen_stack
        if self.left or len(stack) < 2 or stack[-1] is not self:
            return AwaitComplete()
        self.left = True
        return super().dismiss(result)

    def _compositor_refresh(self) -> None:
        try:
            super()._compositor_refresh()
        except Exception as error:  # noqa: BLE001 - survive() decides
            self.app._handle_exception(error)
        if self is not self.app.screen:
            # What changed is drawn with the screen on top. Textual would draw both again, whole, with every message.
            self._repaint_required = False
            self._changed_below += 1

    def _render_content(self) -> None:
        behind = self._shows_through()
        if behind is None or behind != self._behind:
            super()._render_content()
            self._behind = behind
        else:
            self._dirty_regions.clear()

    def _shows_through(self) -> object:
        """What its background depends on; None where nothing is known of it."""
        stack = self.app.screen_stack
        at = stack.index(self) if self in stack else 0
        below = stack[at - 1] if at else None
        if not isinstance(below, GuardedScreen) or self.styles.background.a == 1:
            return None
        return below, below._changed_below, self.size, self.styles.background, self.app.theme

    async def _dispatch_message(self, message: Message) -> None:
        if self.left and type(message).__module__.startswith(_REPORTS):
            return
        await super()._dispatch_message(message)


_REPORTS = ("npuscope.", "textual.widgets")
"""Where messages come from that say something; the others are Textual's own, and take a screen down."""
