"""The steps of a plan that keep a limit: the least time that keeps so many dB, or the most dB within a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from npuscope.edits.edit import Refusal
from npuscope.jobs import QUIET, Job
from npuscope.numbers.runner import Sample
from npuscope.planning.accuracy.loss_budget import kept_within, measured
from npuscope.planning.accuracy.time_budget import within_time
from npuscope.planning.plan import Plan, apply
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import analyse

_LIMIT = re.compile(r"\s*(\d{1,9}(?:[.,]\d{1,9})?)\s*(ms|db)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """What the user asks to be kept: dB at every output, or milliseconds of the model; one of them."""

    decibels: float | None = None
    milliseconds: float | None = None

    def __str__(self) -> str:
        return f"{self.decibels:g} dB" if self.decibels is not None else f"{self.milliseconds:g} ms"


@dataclass(frozen=True, slots=True)
class LimitedSteps:
    """Steps of a plan, counted from 0, and what the model is with them; `sqnr_db` None where no output differs."""

    limit: Limit
    taken: tuple[int, ...]
    milliseconds: float
    sqnr_db: float | None

    @property
    def met(self) -> bool:
        """The limit is kept."""
        if self.limit.milliseconds is not None:
            return self.milliseconds <= self.limit.milliseconds
        return self.sqnr_db is None or self.sqnr_db >= (self.limit.decibels or 0.0)


def limit_of(text: str) -> Limit | Refusal:
    """What a user typed: '30 dB' or '4.5 ms'."""
    match = _LIMIT.fullmatch(text[:40])
    value = float(match[1].replace(",", ".")) if match is not None else 0.0
    if match is None or value <= 0:
        return Refusal(f"{text[:40]!r} is no limit", "give a number with its unit: 30 dB, or 4.5 ms")
    return Limit(milliseconds=value) if match[2].lower() == "ms" else Limit(decibels=value)


def steps_within(
    session: Session,
    plan: Plan,
    limit: Limit,
    samples: Sequence[Sample],
    user_supplied: bool = False,
    job: Job = QUIET,
) -> LimitedSteps | Refusal:
    """The steps that keep a limit, as near as any come to it.

    Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    if limit.milliseconds is not None:
        fitted = within_time(session, plan, limit.milliseconds, samples, None, user_supplied, job)
        if isinstance(fitted, Refusal):
            return fitted
        part, within = fitted
        edits = [step.edit for step in part.steps]
        taken = tuple(index for index, step in enumerate(plan.steps) if step.edit in edits)
        return LimitedSteps(limit, taken, within.milliseconds, within.sqnr_db)
    kept = kept_within(session, plan, limit.decibels or 0.0, samples, job, user_supplied)
    if isinstance(kept, Refusal):
        return kept
    outcome = measured(session, plan, kept, samples, job, user_supplied)
    changed = apply(session, plan, kept)
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(changed, Refusal):
        return changed
    return LimitedSteps(limit, kept, analyse(changed).summary.milliseconds, outcome.sqnr_db_min)
