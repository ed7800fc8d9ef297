"""When Python looks for garbage: not while a large model is built, of which every object stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_frozen = False
"""Something of ours stays until the process ends."""

YOUNG = 1
"""The generation that holds what was made last, and all younger ones."""


@contextmanager
def without_collections() -> Iterator[None]:
    """No garbage collection meanwhile: it would look through every object of a large graph again and again.

    What is made meanwhile is old at once, so that only a full collection looks through it. What was young before may be
    garbage: that is collected first.
    """
    enabled = gc.isenabled()
    if enabled and not _frozen:
        gc.collect(YOUNG)
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if not _frozen and not gc.get_freeze_count():
                gc.freeze()  # puts all beside the generations
                gc.unfreeze()  # and that in the oldest one, without a look at any
            gc.enable()


@contextmanager
def kept_for_good() -> Iterator[None]:
    """The same for what stays until the process ends: no later collection looks through it either."""
    with without_collections():
        yield
        freeze()


def freeze() -> None:
    """No later collection looks through what is there now."""
    global _frozen
    _frozen = True
    gc.freeze()
