"""How much memory and time one file may take, how a user writes that down, and the deadline of work of our own."""

from __future__ import annotations

import contextlib
import math
import re
import threading
from collections.abc import Callable, Iterator
from time import monotonic

from npuscope.model.errors import ModelError
from npuscope.record import dataclass

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

MOST_SECONDS = 86_400
"""The longest time that can be stated for anything: a day."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits for work that the program does not do itself but hands to a library, in a process of its own.

    1. `memory` is in bytes, `seconds` is time on the clock.
    2. `stated_memory` and `stated_seconds`: a user gave the figure, which then does not grow with the model.
    """

    memory: int = 1 << 30
    seconds: float = 8.0
    stated_memory: bool = False
    stated_seconds: bool = False


DEFAULT = Budget()

_limits = (
    DEFAULT  # of the process, as its user set them: every file it opens is held to them, in every thread
)


def limits() -> Budget:
    """The budget of every file for which no other is given."""
    return _limits


@contextlib.contextmanager
def limited(budget: Budget) -> Iterator[None]:
    """Hold every file that the process opens meanwhile to a budget."""
    global _limits
    before, _limits = _limits, budget
    try:
        yield
    finally:
        _limits = before


OWN_WORK = 40
"""Opening, judging and planning may take so many times the seconds that a library may: so many nodes as are judged take
a minute."""

JUDGED_NODES = 250_000
"""Nodes up to which a model is judged: 63 s of the processor and 1.45 GB (docs/reliability.md)."""


class OutOfTimeError(ModelError):
    """Work of our own took longer than it may."""


class _Deadline(threading.local):
    end: float = math.inf
    words: str = ""
    pause: Callable[[], None] | None = None


_deadline = _Deadline()


@contextlib.contextmanager
def working(what: str, seconds: float | None = None) -> Iterator[None]:
    """Hold what this thread does meanwhile to a time, OWN_WORK times the budget's by default; the nearest deadline counts."""
    allowed = limits().seconds * OWN_WORK if seconds is None else seconds
    end = monotonic() + allowed
    before = _deadline.end, _deadline.words
    if end < _deadline.end:
        hint = f"--time-limit allows more ({OWN_WORK} times it)" if seconds is None else "it is left out"
        _deadline.end, _deadline.words = end, f"{what} took more than {allowed:.3g} s; {hint}"
    try:
        yield
    finally:
        _deadline.end, _deadline.words = before


@contextlib.contextmanager
def giving_way(pause: Callable[[], None]) -> Iterator[None]:
    """Let what this thread does meanwhile ask `pause` at every tick, which may hold it up for what is more urgent."""
    before, _deadline.pause = _deadline.pause, pause
    try:
        yield
    finally:
        _deadline.pause = before


def tick() -> None:
    """Asked in every loop over what a file holds. Raises OutOfTimeError behind the deadline."""
    if monotonic() > _deadline.end:
        raise OutOfTimeError(_deadline.words)
    if _deadline.pause is not None:
        _deadline.pause()


def budget_of(memory_limit: str | None = None, time_limit: str | None = None) -> Budget:
    """The budget for `--memory-limit` ('800M', '1.5GB', bytes) and `--time-limit` ('20', '90s', '2min').

    Raises ModelError for anything else, and for less than 64 MB or 0.1 s.
    """
    memory = (
        DEFAULT.memory
        if memory_limit is None
        else int(_read(memory_limit, _UNITS, "--memory-limit", "1.5GB"))
    )
    seconds = DEFAULT.seconds if time_limit is None else _read(time_limit, _SECONDS, "--time-limit", "20s")
    if memory < 64 << 20:
        raise ModelError(f"--memory-limit {memory_limit}: at least 64MB are needed")
    if seconds < 0.1:
        raise ModelError(f"--time-limit {time_limit}: at least 0.1s are needed")
    return Budget(memory, seconds, memory_limit is not None, time_limit is not None)


def _read(text: str, units: dict[str, int] | dict[str, float], option: str, example: str) -> float:
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)", text.strip().lower())
    unit = (
        match[2].removesuffix("ib").removesuffix("b")
        if match and units is _UNITS
        else match[2]
        if match
        else ""
    )
    if match is None or unit not in units:
        raise ModelError(f"{option} {text!r} is not understood; write it as {example}")
    value = float(match[1]) * units[unit]
    if not math.isfinite(value):
        raise ModelError(f"{option} {text!r} is not understood; write it as {example}")
    return value
