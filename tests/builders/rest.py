"""When an application under test has come to rest: nothing in its event loop can run, and no message is unfinished.

Textual's pilot takes a process that computes little for an idle one, and sleeps to find out: that is slow, and wrong
beside others on a busy machine. Here nothing is guessed, and nothing is slept through but a message that waits.

Behind a key the screen is laid out, not drawn: it is drawn where a test waits for more than the key, and where it looks.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from weakref import WeakKeyDictionary, WeakSet

import pytest
import textual.app
import textual.pilot
import textual.screen
from textual._context import active_app
from textual.app import App
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import Screen

from npuscope.tui.screens import guarded
from npuscope.tui.screens.guarded import GuardedScreen

SECONDS = 300.0
"""What a message may take that waits for something else."""

BETWEEN_PICTURES = 0.5
"""Seconds between two pictures that the application draws by itself: what comes before the next rest is drawn once."""

PICTURES = 50
"""So many pictures in a row: what is shown changes without end."""


_held: list[None] = []
"""As many as there are waits for a key under way."""

_undrawn: WeakSet[Screen[object]] = WeakSet()
"""Screens on top that are laid out and would have been drawn."""

_drawn_at: WeakKeyDictionary[Screen[object], Size] = WeakKeyDictionary()
"""What each screen was drawn at, where it was."""


async def rest(*_: float) -> None:
    """Until the application is at rest. A worker in a thread may still compute, a timer may still run."""
    try:
        app = active_app.get()
    except LookupError:
        return
    await _rest(app)
    for screen in [screen for screen in app._screen_stack if screen in _undrawn]:
        _undrawn.discard(screen)
        if screen.is_running:
            screen._compositor_refresh()


async def rest_drawn_once(*_: float) -> None:
    """The same, and a screen that was drawn at its size before is drawn by a later rest, or where a test looks."""
    try:
        app = active_app.get()
    except LookupError:
        return
    await rest_behind_a_key()
    for screen in [screen for screen in app._screen_stack if screen in _undrawn]:
        if screen.is_running and _drawn_at.get(screen) != screen.size:
            _drawn_at[screen] = screen.size
            _undrawn.discard(screen)
            screen._compositor_refresh()


async def rest_behind_a_key(*_: float) -> None:
    """The same, with nothing drawn."""
    try:
        app = active_app.get()
    except LookupError:
        return
    _held.append(None)
    try:
        await _rest(app)
    finally:
        _held.pop()


def _refresh(screen: GuardedScreen[object]) -> None:
    if _held and screen is screen.app.screen and screen._begun and not screen._gathering:
        _undrawn.add(screen)
        screen._dirty_widgets.clear()
    else:
        _drawn_by_itself(screen)


_drawn_by_itself = GuardedScreen._compositor_refresh


async def _rest(app: App[object]) -> None:
    until = monotonic() + SECONDS
    pictures = 0
    while monotonic() < until:
        await asyncio.sleep(0)
        if asyncio.get_running_loop()._ready:  # type: ignore[attr-defined]
            continue
        if _unfinished(app):
            await asyncio.sleep(0.001)
        elif pictures < PICTURES and _drawn(app):
            pictures += 1
        else:
            return


def _unfinished(app: App[object]) -> bool:
    """Whether a message is being handled: who handles none waits for the next."""
    for pump in (app, *app._registry):
        if pump._running and not pump._closing and not pump._message_queue.ready_event._waiters:  # type: ignore[attr-defined]
            return True
    return False


def _drawn(app: App[object]) -> bool:
    """Draw what waits for its turn, from the back to the front; whether there was something."""
    due = (
        [screen for screen in app._screen_stack if screen.is_running and _due(screen)]
        if not app._exit
        else []
    )
    for screen in due:
        try:
            screen._on_timer_update()
        except Exception as error:  # noqa: BLE001 - as Textual does where it draws by itself
            app._handle_exception(error)
    return bool(due)


def _due(screen: Screen[object]) -> bool:
    waits = getattr(screen, "_frame_due", False) or screen._update_timer._active.is_set()
    return waits and bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
    )


async def _rested(_: Pilot[object], timeout: float = 0) -> bool:
    await rest_behind_a_key()
    return True


def use(patch: pytest.MonkeyPatch) -> None:
    """Have Textual's pilot wait for it."""
    patch.setattr(textual.app, "wait_for_idle", rest_behind_a_key)
    patch.setattr(textual.pilot, "wait_for_idle", rest)
    patch.setattr(GuardedScreen, "_compositor_refresh", _refresh)
    patch.setattr(Pilot, "_wait_for_screen", _rested)
    for screens in (textual.screen, guarded):
        patch.setattr(screens, "UPDATE_PERIOD", BETWEEN_PICTURES)
