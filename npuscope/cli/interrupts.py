"""Ctrl+C while Python imports, or while it takes itself down: the process ends at once and says nothing.

An exception raised in there may be swallowed, wrapped or printed by whoever imports. Everywhere else it is an ordinary
KeyboardInterrupt, so that commands can clear away what they began.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

INTERRUPTED = 130


def quiet_imports() -> None:
    """From here on. A SIGINT that is ignored (`nohup`), or that somebody handles, stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)


def as_usual() -> None:
    """A KeyboardInterrupt everywhere: event loops replace Python's own handler only."""
    if signal.getsignal(signal.SIGINT) is _interrupted:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def at_once() -> None:
    """The work is done and said: an exception would only be printed by what is cleared away last."""
    if signal.getsignal(signal.SIGINT) in (_interrupted, signal.default_int_handler):
        signal.signal(signal.SIGINT, _leave)


def _interrupted(number: int, frame: FrameType | None) -> None:
    if importing(frame):
        _leave(number, frame)
    raise KeyboardInterrupt


def importing(frame: FrameType | None) -> bool:
    """Whether one of the callers is Python's import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
