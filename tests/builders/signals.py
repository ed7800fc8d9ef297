"""Signals as a process at a terminal gets them: one that was started in the background ignores some of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def as_at_a_terminal() -> Iterator[None]:
    """For this process, and those that it starts."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, action in before.items():
        if action is signal.SIG_IGN:
            python = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, python)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
