"""What a plan does to the numbers: measured, and which of its steps are not made without being asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.edits.edit import Refusal
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.numbers.runner import Sample
from npuscope.planning.accuracy.loss_budget import kept_within, measured, without
from npuscope.planning.accuracy.set_aside import priced
from npuscope.planning.plan import Assessment, Plan, loss
from npuscope.session import Session

MOST_NODES = 3_000
"""Nodes up to which a model is run for it: onnxruntime needs a second or two to open so many."""


def assess(
    session: Session,
    plan: Plan,
    samples: Sequence[Sample],
    least: float = LEAST_DECIBELS,
    user_supplied: bool = False,
    job: Job = QUIET,
) -> Plan:
    """The plan with its `assessment`, and what its first edits left out would do; none where no step changes a number.

    1. Steps that take scales from random samples are held back: the ranges of real inputs may be others. With
       `user_supplied` samples they are not.
    2. Where some output keeps less than `least` decibels with all steps, those that bring the least are held back until
       it keeps as much.
    3. A model that does not run, or is too large to be run in passing, is not measured, and the assessment says so.
    4. Raises StoppedError where the job is stopped.
    """
    if samples and len(session.graph.nodes) <= MOST_NODES:
        known = {one.edit: one for one in priced(session, plan.set_aside, samples, user_supplied, job)}
        plan = replace(plan, set_aside=tuple(known.get(one.edit, one) for one in plan.set_aside))
    if not any(loss(step.exactness) for step in plan.steps):
        return plan
    uncalibrated = (
        set()
        if user_supplied
        else {i for i, step in enumerate(plan.steps) if step.edit.takes_scales(user_supplied)}
    )
    unknown = ""
    decibels: float | None = None
    lossy: set[int] = set()
    if len(session.graph.nodes) > MOST_NODES:
        unknown = f"the model has more than {MOST_NODES} nodes"
    else:
        try:
            everything = range(len(plan.steps))
            outcome = measured(session, plan, everything, samples, job, user_supplied)
            if isinstance(outcome, Refusal):
                unknown = str(outcome)
            else:
                decibels = outcome.sqnr_db_min
                if decibels is not None and decibels < least:
                    kept = kept_within(session, plan, least, samples, job, user_supplied)
                    lossy = set() if isinstance(kept, Refusal) else set(everything) - set(kept)
        except ModelError as error:
            unknown = str(error)
    held_back = set(range(len(plan.steps))) - set(without(plan, uncalibrated | lossy))
    return replace(
        plan,
        assessment=Assessment(
            decibels=decibels,
            least=least,
            uncalibrated=tuple(sorted(uncalibrated)),
            lossy=tuple(sorted(lossy)),
            held_back=tuple(sorted(held_back)),
            unknown=unknown,
        ),
    )
