"""The most decibels within a time: one change after the other, what costs nothing first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Generic, Protocol, TypeVar

from npuscope.jobs import QUIET, Job
from npuscope.record import dataclass
from npuscope.snapshot import Snapshot

LEAST_GAIN_DB = 0.2
"""What a change must gain: a few samples tell no less."""

EQUAL_MS = 1e-9


class Scored(Protocol):
    """A model that was judged and run: `sqnr_db` is that of its worst output, None where nothing differs."""

    @property
    def sqnr_db(self) -> float | None:
        """In dB, against what it is to be like."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """Its verdict, with its time."""
        ...


Model = TypeVar("Model", bound=Scored)


@dataclass(frozen=True, slots=True, eq=False)
class Trial(Generic[Model]):
    """A change in words, and what makes it; `make` gives None where it cannot be made."""

    words: str
    make: Callable[[], Model | None]


@dataclass(frozen=True, slots=True)
class Repair:
    """What makes a model more exact: in words, dB it gains at the worst output, and what it costs (less than 0: saves)."""

    words: str
    decibels: float
    milliseconds: float
    compute_cycles: int


def most_exact(
    start: Model,
    trials: Callable[[Model], Iterable[Trial[Model]]],
    most_milliseconds: float,
    rounds: int,
    job: Job = QUIET,
) -> tuple[Model, tuple[Repair, ...]]:
    """The best model that is found within a time, and the changes that led to it.

    1. In each round all trials are made; the one that gains most of those that cost no time is kept, else the one that
       gains most within the time.
    2. A start that takes longer than that already gets changes that cost nothing. Raises StoppedError.
    """
    best, changes = start, list[Repair]()
    most = max(most_milliseconds, milliseconds(start))
    for number in range(rounds):
        job.check()
        job.report(number, rounds)
        tried: list[tuple[str, Model]] = []
        for trial in trials(best):
            job.check()
            made = trial.make()
            if made is not None and gain(best, made) >= LEAST_GAIN_DB:
                tried.append((trial.words, made))
        paid = [one for one in tried if milliseconds(one[1]) <= most + EQUAL_MS]
        free = [one for one in paid if milliseconds(one[1]) <= milliseconds(best) + EQUAL_MS]
        if not paid:
            break
        words, chosen = max(free or paid, key=lambda one: ratio(one[1]))
        changes.append(priced(words, best, chosen))
        best = chosen
    job.report(rounds, rounds)
    return best, tuple(changes)


def milliseconds(model: Scored) -> float:
    """Its simulated time."""
    return model.snapshot.summary.milliseconds


def ratio(model: Scored) -> float:
    """dB at its worst output, inf where nothing differs."""
    return inf if model.sqnr_db is None else model.sqnr_db


def gain(before: Scored, after: Scored) -> float:
    """dB at the worst output; outputs that are exact already gain nothing."""
    return 0.0 if before.sqnr_db is None else ratio(after) - before.sqnr_db


def priced(words: str, before: Scored, after: Scored) -> Repair:
    """A change with what it gains and costs."""
    old, new = before.snapshot.summary, after.snapshot.summary
    return Repair(
        words,
        gain(before, after),
        new.milliseconds - old.milliseconds,
        new.compute_cycles - old.compute_cycles,
    )
