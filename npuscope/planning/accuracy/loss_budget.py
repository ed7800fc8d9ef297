"""A plan within a loss in decibels, measured by running the model before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.edits.edit import Refusal
from npuscope.jobs import QUIET, Job
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import Verification, verify
from npuscope.planning.outcome import stated
from npuscope.planning.plan import Plan, apply, left_off, loss
from npuscope.session import Session
from npuscope.snapshot import analyse


def trimmed_to(
    session: Session,
    plan: Plan,
    decibels: float,
    samples: Sequence[Sample],
) -> Plan | Refusal:
    """The plan, less the steps with which some output keeps a smaller ratio of signal to difference.

    Raises ModelError where the model does not run.
    """
    kept = kept_within(session, plan, decibels, samples)
    return kept if isinstance(kept, Refusal) else part(session, plan, kept)


def kept_within(
    session: Session,
    plan: Plan,
    decibels: float,
    samples: Sequence[Sample],
    job: Job = QUIET,
    user_supplied: bool = False,
) -> tuple[int, ...] | Refusal:
    """The steps with which every output keeps so many decibels.

    1. Steps that lose nothing stay. Of the others those that bring the least go first.
    2. Raises ModelError where the model does not run, StoppedError where the job is stopped.
    """
    steps = range(len(plan.steps))
    inexact = sorted((i for i in steps if loss(plan.steps[i].exactness)), key=lambda i: _gain(plan, i))
    dropped: set[int] = set()
    while inexact:
        kept = without(plan, dropped)
        outcome = measured(session, plan, kept, samples, job, user_supplied)
        if isinstance(outcome, Refusal):
            return outcome
        if outcome.sqnr_db_min is None or outcome.sqnr_db_min >= decibels:
            break
        dropped.add(inexact.pop(0))
    return without(plan, dropped)


def measured(
    session: Session,
    plan: Plan,
    taken: Sequence[int],
    samples: Sequence[Sample],
    job: Job = QUIET,
    user_supplied: bool = False,
) -> Verification | Refusal:
    """What some steps of a plan do to the outputs."""
    changed = apply(session, plan, taken, samples, job, user_supplied)
    if isinstance(changed, Refusal):
        return changed
    return verify(session, changed, inputs=samples, job=job)


def without(plan: Plan, dropped: set[int]) -> tuple[int, ...]:
    """The steps that do not need a dropped one."""
    kept: list[int] = []
    for index, step in enumerate(plan.steps):
        if index not in dropped and all(needed in kept for needed in step.needs):
            kept.append(index)
    return tuple(kept)


def part(session: Session, plan: Plan, kept: Sequence[int], job: Job = QUIET) -> Plan | Refusal:
    """The plan of some of its steps only; those they need must be among them."""
    if len(kept) == len(plan.steps):
        return plan
    changed = apply(session, plan, kept)
    if isinstance(changed, Refusal):
        return changed
    place = {old: new for new, old in enumerate(kept)}
    steps = tuple(
        replace(plan.steps[old], needs=tuple(place[needed] for needed in plan.steps[old].needs))
        for old in kept
    )
    snapshot = analyse(changed.bare())
    steps = stated(session, analyse(session), steps, snapshot, job=job)
    return replace(plan, steps=steps, after=snapshot.summary, left=left_off(snapshot))


def _gain(plan: Plan, index: int) -> tuple[int, float]:
    step = plan.steps[index]
    before, after = step.placement
    return before.rank - after.rank, step.saved_milliseconds
