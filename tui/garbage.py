"""When garbage is collected: what is made until the model is on the screen stays, looking there only delays it."""

from __future__ import annotations

import gc

PAUSE = 1.0
"""Seconds from the start until garbage is collected."""


def pause() -> None:
    """Collect nothing while the program starts."""
    gc.disable()


def go_on() -> None:
    """Collect from now on what is made from now on."""
    gc.freeze()
    gc.enable()
