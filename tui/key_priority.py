"""Keys come first: work in threads leaves the interpreter to a key until its frame is drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic, sleep

FRAME = 0.04
"""Seconds that a key has for itself."""

SHARE = 0.01
"""Seconds that work goes on for between two keys that follow each other closely: a key held down does not stop it."""

SWITCH = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it; a key waits for it a few dozen times."""

_pressed = 0.0
"""When the last key was pressed."""


def prepare() -> None:
    """Let threads take turns often."""
    sys.setswitchinterval(SWITCH)


def key_pressed() -> None:
    """What the user did comes first."""
    global _pressed
    _pressed = monotonic()


def since_a_key() -> float:
    """Seconds since the user did something."""
    return monotonic() - _pressed


def pausing() -> Callable[[], None]:
    """What a thread calls often: it holds the thread up while a key is handled, but not for the one that began it."""
    began = monotonic()
    free_until = 0.0

    def pause() -> None:
        nonlocal free_until
        now = monotonic()
        if now >= _pressed + FRAME or now < free_until or _pressed <= began:
            return
        until = now + FRAME
        while now < min(_pressed + FRAME, until):
            sleep(0.002)
            now = monotonic()
        free_until = now + SHARE

    return pause
