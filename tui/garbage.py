"""When garbage is collected: what is made until the model is on the screen stays, looking there only delays it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.app import App

from npuscope.garbage import YOUNG, freeze
from npuscope.tui import key_priority

PAUSE = 1.0
"""Seconds from the start until garbage is collected, and from one look to the next."""

THRESHOLDS = 100_000, 20, 1_000
"""Objects that may come before Python looks by itself, and how often it looks at older ones: a look at those that an
analysis of 3,000 layers made takes 13 ms, in the middle of a key. While no key comes we look."""

FEW = 2_000
"""New objects that are not worth a look."""

PAUSED, RESTED = 0.1, 2.0
"""Seconds without a key after which there is time to look at what is new, and at all."""

APART = 10.0
"""Seconds at least from one full collection of ours to the next: one takes some 50 ms."""

_next = float("inf")
"""When the next may be: never where the program did not start with `pause`."""

_left = False
"""A screen was left since the last one."""


def pause() -> None:
    """Collect nothing while the program starts."""
    global _next
    gc.disable()
    _next = 0.0


def forget_pictures() -> None:
    """Textual keeps the pictures of a thousand widgets that are gone, some 40 MB in all, in a place of its own.

    Where another version has no such place there is nothing to do.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from textual._styles_cache import StylesCache

        StylesCache.get_inner_outer.cache_clear()


def after_a_screen() -> None:
    """Models and values that a screen held are few objects, which Python counts, and many bytes: all is looked through soon."""
    global _left
    _left = True


def look() -> None:
    """Collect while no key comes: what is new; all now and then, where a screen was left."""
    global _next, _left
    now = monotonic()
    rest = key_priority.since_a_key()
    if not gc.isenabled() or rest < PAUSED:
        return
    if _left and now >= _next and rest >= RESTED:
        _next, _left = now + APART, False
        gc.collect()
        _give_back()
    elif gc.get_count()[0] > FEW:
        gc.collect(YOUNG)


def _give_back() -> None:
    """What glibc's malloc keeps though nothing is in it, up to 35 MB after models were run; other systems have no such call."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)


def go_on_after(app: App[Any], opening: Callable[[], bool]) -> None:
    """Collect again a while after the start, but not what a model that is still being opened makes: that stays."""

    def begin() -> None:
        if opening() or any(w.group == "analysis" and not w.is_finished for w in app.workers):
            app.set_timer(PAUSE, begin)
        else:
            go_on()
            app.set_interval(PAUSE, look)

    app.set_timer(PAUSE, begin)


def go_on() -> None:
    """Collect from now on what is made from now on."""
    freeze()
    if _next < float("inf"):
        gc.set_threshold(*THRESHOLDS)
    gc.enable()
