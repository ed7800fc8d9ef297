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
    if gc.isenabled() and not _frozen:
        gc.collect(YOUNG)
    with _uncollected():
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    enabled = gc.isenabled()
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
    """The same for what stays until the process ends: no later collection looks through it either.

    Nor does one before: what a command has left so far is little, and stays with it.
    """
    with _uncollected():
        yield
        freeze()


_stays: list[object] = []
_one_command = False
"""The process runs one command and ends."""


def one_command() -> None:
    """Say that it does."""
    global _one_command
    _one_command = True
    _stays.append(_stays)  # a ring, which nobody takes apart that is frozen at the end


def stays(*values: object) -> None:
    """Let values live until a process of one command ends, rather than take them apart one by one before."""
    if _one_command:
        _stays.extend(values)


def freeze() -> None:
    """No later collection looks through what is there now."""
    global _frozen
    _frozen = True
    gc.freeze()
