"""When Python looks for garbage: not while a large model is built, of which every object stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """No garbage collection meanwhile: it would look through every object of a large graph again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def kept_for_good() -> Iterator[None]:
    """The same for what stays until the process ends: no later collection looks through it either."""
    with without_collections():
        yield
        gc.freeze()
