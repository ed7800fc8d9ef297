"""When garbage is collected: what is made until the model is on the screen stays, looking there only delays it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable
from time import monotonic
from typing import Any

from textual.app import App

from npuscope.garbage import freeze

PAUSE = 1.0
"""Seconds from the start until garbage is collected, and from one look whether a model is being opened to the next."""


APART = 10.0
"""Seconds at least from one full collection of ours to the next: one takes some 50 ms."""

_next = float("inf")
"""When the next may be: never where the program did not start with `pause`."""


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
    """Collect all now and then: models and values that a screen held are few objects, which Python counts, and many bytes."""
    global _next
    now = monotonic()
    if gc.isenabled() and now >= _next:
        _next = now + APART
        gc.collect()
        _give_back()


def _give_back() -> None:
    """What glibc's malloc keeps though nothing is in it, up to 35 MB after models were run; other systems have no such call."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)


def go_on_after(app: App[Any], opening: Callable[[], bool]) -> None:
    """Collect again a while after the start, but not what a model that is still being opened makes: that stays."""

    def look() -> None:
        if opening() or any(w.group == "analysis" and not w.is_finished for w in app.workers):
            app.set_timer(PAUSE, look)
        else:
            go_on()

    app.set_timer(PAUSE, look)


def go_on() -> None:
    """Collect from now on what is made from now on."""
    freeze()
    gc.enable()
