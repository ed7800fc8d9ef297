"""GuardedScreen: left once, whatever arrives together with the key that leaves it."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from textual._context import visible_screen_stack
from textual.await_complete import AwaitComplete
from textual.await_remove import AwaitRemove
from textual.events import Idle
from textual.geometry import Size
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import UPDATE_PERIOD, Screen
from textual.strip import Strip
from textual.widget import _RenderCache

from npuscope.tui import garbage
from npuscope.tui.screens.composition import Composition
from npuscope.tui.survival import SurvivingApp
from npuscope.widgets.guarded import Guarded

if TYPE_CHECKING:
    from textual._types import IgnoreReturnCallbackType

Result = TypeVar("Result")

TURNS = 24
"""Turns of the event loop in which the messages of a key reach all widgets: one goes up the tree of widgets and down
again, a few turns each step. A turn in which nothing happens takes microseconds."""


class GuardedScreen(Guarded, Screen[Result]):
    """The base of every screen.

    1. `dismiss` works once, and only for the screen on top: a second key would leave the screen below it.
    2. What its widgets and workers still report once it is left is dropped, and what it meant to do itself after the
       next frame: there is nothing to query any more.
    3. An error while it is drawn is survived, whoever asked for the picture.
    4. What shows through from behind it is drawn again only where that changed: it costs more than a dialog.
    5. All that a key changes is drawn in one frame, as soon as it is known; the next frame a period later.
    6. What shows through is the screen below it, never one above.
    7. Where little changed only the widgets that hold it are asked.
    8. A screen that opens is drawn once, with all its widgets; those behind it are not laid out for it.
    """

    left = False
    """Dismissed; Textual takes it down while other messages are still on their way."""

    _changed_below = 0
    """How often something changed in it while it lay behind another screen."""

    _behind: object = None

    _begun = False
    """Drawn at least once. Textual draws what is behind a screen first, then the screen."""

    _gathering = _drawing_due = False
    """What changed is still being found; something did."""

    _frame_due = False
    """A frame will be drawn."""

    _frame_at = 0.0
    """The earliest time of the next frame."""

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name, id, classes)
        self._compositor = Composition()

    @property
    def ready(self) -> bool:
        """Its widgets can be queried."""
        return self.is_mounted and not self.left

    def show_message(self, text: str, severity: SeverityLevel = "information") -> None:
        """Say something for a few seconds."""
        app = self.app
        assert isinstance(app, SurvivingApp)
        app.show_message(text, severity)

    def refusal(self, action: str) -> str:
        """Why a key can do nothing yet, in a sentence; '' where it can."""
        return ""

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Leave with a result; nothing where it is left already or lies below another screen."""
        stack = self.app.screen_stack
        if self.left or len(stack) < 2 or stack[-1] is not self:
            return AwaitComplete()
        self.left = True
        return super().dismiss(result)

    def remove(self) -> AwaitRemove:
        """Taken down, it leaves the screens below as they are: Textual would lay out and draw the next one anew, twice."""
        return self.app._prune(self)

    def on_unmount(self) -> None:
        """Let go of its last pictures, and of what else it held."""
        garbage.forget_pictures()
        garbage.after_a_screen()

    def call_after_refresh(self, callback: IgnoreReturnCallbackType, *args: Any, **kwargs: Any) -> bool:
        """Once what changed is drawn; not where the screen is left by then: there is nothing to query any more."""

        def if_ready() -> object:
            return callback(*args, **kwargs) if self.ready else None

        return super().call_after_refresh(if_ready)

    async def _on_idle(self, event: Idle) -> None:
        # Textual draws at the next tick of a timer: first what changed first, the rest up to two periods later.
        if not self.app._batch_count and self.is_current and self._changed:
            event.prevent_default()
            if not self._frame_due:
                self._frame_due = True
                wait = self._frame_at - monotonic()
                if wait > 0:
                    asyncio.get_running_loop().call_later(wait, self._gather, TURNS)
                else:
                    self._gather(TURNS)

    @property
    def _changed(self) -> bool:
        return bool(
            self._dirty_widgets
            or self._layout_required
            or self._scroll_required
            or self._repaint_required
            or self._recompose_required
        )

    def _gather(self, turns: int) -> None:
        """Draw, once messages under way have arrived."""
        if turns:
            asyncio.get_running_loop().call_soon(self._gather, turns - 1)
            return
        self._frame_due = False
        if self._closing or self._closed:
            return
        try:
            self._on_timer_update()
        except Exception as error:  # noqa: BLE001 - survive() decides
            self.app._handle_exception(error)
        self._frame_at = monotonic() + UPDATE_PERIOD

    def _on_timer_update(self) -> None:
        if self._layout_required or self._repaint_required:
            # Textual forgets what else changed where a layout is due, or a part of the screen below to be drawn.
            self._compositor.update_widgets(self._dirty_widgets)
        # Textual draws once for a new layout, and again for what else changed.
        self._begun = self._gathering = True
        try:
            super()._on_timer_update()
        finally:
            self._gathering = False
        if self._drawing_due:
            self._drawing_due = False
            self._compositor_refresh()

    def _screen_resized(self, size: Size) -> None:
        # The size of a dialog that opens is told to the screens behind it, too.
        if self is self.app.screen or self.size != size:
            super()._screen_resized(size)

    def _compositor_refresh(self) -> None:
        if self._gathering or not self._begun:
            self._drawing_due = self._gathering
            return
        try:
            super()._compositor_refresh()
        except Exception as error:  # noqa: BLE001 - survive() decides
            self.app._handle_exception(error)
        if self is not self.app.screen:
            # What changed is drawn with the screen on top. Textual would draw both again, whole, with every message.
            self._repaint_required = False
            self._changed_below += 1

    def render(self) -> RenderableType:
        """What shows through: the screen below it. Textual takes the next of a list, which another screen may have taken
        from, and keeps it: two screens that each take the other are drawn as deep as Python goes."""
        below = self._below
        if below is not None and self.styles.background.a < 1:
            return BackgroundScreen(below, self.styles.background)
        visible_screen_stack.set([])
        return super().render()

    @property
    def _below(self) -> Screen[object] | None:
        stack = self.app.screen_stack
        index = stack.index(self) if self in stack else 0
        return stack[index - 1] if index else None

    def _render_content(self) -> None:
        behind = self._shows_through()
        if behind is None or behind != self._behind:
            picture = self.render() if behind is not None else None
            if isinstance(picture, BackgroundScreen):
                self._render_cache = _RenderCache(self.size, self._tinted(picture))
                self._dirty_regions.clear()
            else:
                super()._render_content()
            self._behind = behind
        else:
            self._dirty_regions.clear()

    def _tinted(self, picture: BackgroundScreen) -> list[Strip]:
        """What lies behind as it shows through: line by line, each style formed once."""
        base = self.visual_style.rich_style
        tinted: dict[Style | None, Style] = {}

        def line(strip: Strip) -> Strip:
            segments = []
            for text, style, _ in strip:
                if style not in tinted:
                    (one,) = picture.process_segments((Segment(" ", style),), picture.color)
                    tinted[style] = base + one.style
                segments.append(Segment(text, tinted[style]))
            return Strip(segments, strip.cell_length)

        return [line(strip) for strip in picture.screen._compositor.render_strips()]

    def _shows_through(self) -> object:
        """What its background depends on; None where nothing is known of it."""
        below = self._below
        if not isinstance(below, GuardedScreen) or self.styles.background.a == 1:
            return None
        return below, below._changed_below, self.size, self.styles.background, self.app.theme

    async def _dispatch_message(self, message: Message) -> None:
        if self.left and type(message).__module__.startswith(_REPORTS):
            return
        await super()._dispatch_message(message)


_REPORTS = ("npuscope.", "textual.widgets")
"""Where messages come from that say something; the others are Textual's own, and take a screen down."""
