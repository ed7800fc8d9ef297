"""What a plan leaves out that may still be wanted: edits that save time at a price it does not pay unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.numbers.price import price
from npuscope.numbers.runner import Sample
from npuscope.planning.candidates import candidates
from npuscope.planning.placement_fixes import propose_answers
from npuscope.planning.plan import Allowed, Budget, SetAside
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot
from npuscope.totals import totals

LAYERS = 12
"""Layers that are looked at: so many off the NPU, and so many on it, those that take the most time."""

PRICED = 4
"""How many are run: each takes two runs of the model."""

LEAST_GAIN = 0.01
"""The part of the model's time that an edit must save to be named."""


NOT_EXACT, NOT_NEEDED = "not bit-exact", "not bit-exact, and the layer stays where it is"
BUDGETED = frozenset((NOT_EXACT, NOT_NEEDED))
"""Reasons that another budget takes away; others are what the edit does."""


def set_aside(
    session: Session,
    snapshot: Snapshot,
    budget: Budget,
    late: Callable[[], bool] = lambda: False,
    job: Job = QUIET,
) -> tuple[SetAside, ...]:
    """For each layer the edit that saves most of what the planner did not try, the largest saving first.

    1. `session` is the model with all steps of the plan made, `snapshot` its analysis; savings are of that model.
    2. Raises StoppedError where the job is stopped. Where time is up, what was found until then.
    """
    least = LEAST_GAIN * snapshot.summary.milliseconds
    savings: list[SetAside] = []
    for report in _hottest(snapshot):
        if late():
            break
        try:
            best = _best(session, snapshot, report, budget, job)
        except ModelError:  # values that are not all there: the planner says so of the layer
            continue
        if best is not None and best.saved_milliseconds > least:
            savings.append(best)
    return tuple(sorted(savings, key=lambda one: -one.saved_milliseconds))


def priced(
    session: Session,
    savings: Sequence[SetAside],
    samples: Sequence[Sample],
    user_supplied: bool = False,
    job: Job = QUIET,
) -> Iterator[SetAside]:
    """The same with what each leaves of the numbers, made alone; those that cannot be run are left out.

    Raises StoppedError where the job is stopped.
    """
    for one in savings[:PRICED]:
        job.check()
        if one.edit.exactness is Exactness.BIT_EXACT:
            continue
        try:
            result = price(session, one.edit, samples, job.reporting(None), user_supplied)
        except ModelError:
            continue
        if not isinstance(result, Refusal) and result.decibels is not None:
            yield replace(one, sqnr_db=result.decibels)


def _hottest(snapshot: Snapshot) -> list[LayerReport]:
    ordered = sorted(snapshot.layers, key=lambda r: -r.line.milliseconds)
    off, there = [r for r in ordered if r.off_npu], [r for r in ordered if not r.off_npu]
    return [*off[:LAYERS], *there[:LAYERS]]


def _best(
    session: Session, snapshot: Snapshot, report: LayerReport, budget: Budget, job: Job
) -> SetAside | None:
    best: SetAside | None = None
    for edit, why in _untried(session, snapshot, report.name, budget):
        job.check()
        made = session.edit(edit)
        if isinstance(made, Refusal):
            continue
        saved = snapshot.summary.milliseconds - totals(made, snapshot).milliseconds
        if best is None or saved > best.saved_milliseconds:
            best = SetAside(edit, report.name, saved, why)
    return best


def _untried(session: Session, snapshot: Snapshot, layer: str, budget: Budget) -> Iterator[tuple[Edit, str]]:
    """Edits of a layer that the budget, or what they are, keeps out of a plan; and why."""
    proposed = candidates(session, snapshot, layer, _not_only_tried)
    for one in proposed:
        if one.exactness is Exactness.BIT_EXACT or not _promising(one):
            continue
        if budget.allowed is Allowed.EXACT:
            yield one.edit, NOT_EXACT
        elif budget.allowed is Allowed.NEEDED and one.after.rank >= one.before.rank:
            yield one.edit, NOT_NEEDED
    tried = {one.edit for one in proposed}
    for one in propose_answers(session, snapshot, layer):
        if one.edit not in tried and _promising(one):
            because = one.edit.declaration.because.rstrip(".")
            yield one.edit, f"{because[:1].lower()}{because[1:]}"


def _not_only_tried(edit: Edit) -> bool:
    """The planner has tried what is bit-exact: that is asked for only where it would also be proposed as an answer."""
    return edit.exactness is not Exactness.BIT_EXACT or bool(edit.declaration.answers)


def _promising(one: Preview) -> bool:
    return one.after.rank < one.before.rank or (one.saved_milliseconds or 0.0) > 0
