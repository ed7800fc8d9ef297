"""What edits make of the ledger: the whole model is analysed with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.npu.figures import thousands
from npuscope.npu.times import change_in_ms, change_sign, in_ms
from npuscope.npu.verdict import Placement
from npuscope.planning.plan import Step
from npuscope.planning.proposals import Preview
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

ANALYSED = 20_000
"""Layers that are analysed again at most to state what the steps of a plan save one by one: 62 steps of a model of 322 layers."""

HALVES = 2
"""Groups that are stated where that is too much."""


class Outcome(NamedTuple):
    """What stands in the ledger once an edit is made: the layers put in place, with their part of epochs, and the whole model."""

    milliseconds: float
    cycles: int | None
    """With memory; None where one of the layers is on the CPU, 0 where they run beside layers that take longer."""
    model_before: float
    model: float
    """Milliseconds of the whole model."""

    @property
    def change(self) -> float:
        """Milliseconds that the model takes more; negative where it takes less."""
        return self.model - self.model_before


def outcome(session: Session, before: Snapshot, edit: Preview) -> Outcome | None:
    """What an edit makes of a model that was analysed as `before`; None where it is refused. Raises ModelError."""
    edited = session.edit(edit.edit)
    if isinstance(edited, Refusal):
        return None
    after = analyse(edited, before)
    lines = [after.by_name[name].line for name in edit.added if name in after.by_name]
    return Outcome(
        sum(line.milliseconds for line in lines),
        _cycles(after.by_name[line.layer] for line in lines),
        before.summary.milliseconds,
        after.summary.milliseconds,
    )


def slower_words(fix: Preview, before: LayerReport, made: Outcome) -> str:
    """Why nobody should make an edit for its time; '' where it does not slow the model."""
    if change_sign(made.change) != "+":
        return ""
    own = made.milliseconds - before.line.milliseconds
    parts = [f"the layer itself {change_in_ms(own)} ms"] if before.cost is not None else []
    if parts and change_sign(made.change - own):
        parts.append(f"what lies around it {change_in_ms(made.change - own)} ms")
    if fix.after is Placement.HYBRID and fix.before is not Placement.HYBRID:
        parts.append("the CPU drives a part of it")
    why = f": {', '.join(parts)}" if parts else ""
    return f"slows the model by {in_ms(made.change)} ms{why}"


# -- steps of a plan


def step_of(edit: Edit, before: Snapshot, after: Snapshot, why: str = "") -> Step:
    """An edit with what it makes of a model, or of a window of one."""
    was, stands = before.by_name.get(edit.layer), standing(edit, before, after)
    return Step(
        edit=edit,
        layer=edit.layer,
        exactness=edit.exactness,
        placement=(was.placement if was is not None else Placement.NONE, worst_placement(stands)),
        cycles=(_cycles([was] if was is not None else []), _cycles(stands)),
        saved_milliseconds=before.summary.milliseconds - after.summary.milliseconds,
        why=why,
    )


def standing(edit: Edit, before: Snapshot, after: Snapshot) -> list[LayerReport]:
    """The layers after an edit that stand for its layer: itself where it keeps its name, and the new ones."""
    return [
        report for report in after.layers if report.name == edit.layer or report.name not in before.by_name
    ]


def stated(
    session: Session,
    before: Snapshot,
    steps: Sequence[Step],
    after: Snapshot,
    most: int = ANALYSED,
    job: Job = QUIET,
    first: Callable[[int], Session | None] = lambda _: None,
) -> tuple[Step, ...]:
    """The steps with what each saves of the whole model, made in this order: their sum is what all of them save.

    1. `before` is the analysis of the session as it is, `after` that with all steps made.
    2. Where more than `most` layers were analysed for it, what each half of the steps saves together is known (with a
       `most` of 0, all of them): it is divided by what each saves around its layer, the rest evenly; these are
       `approximate`.
    3. `first` may know the model with so many of the first steps made.
    4. Raises StoppedError where the job is stopped.
    """
    enough = len(steps) * len(before.layers) <= most
    together = 1 if enough else -(-len(steps) // (HALVES if most else 1))
    done: list[Step] = []
    model = before
    for start in range(0, len(steps), together):
        job.check()
        few = steps[start : start + together]
        then = after
        if start + together < len(steps):
            known = first(together) if start == 0 and together > 1 else None
            edited = known or apply_all(session, [step.edit for step in few])
            if isinstance(edited, Refusal):  # what several make at once, one alone cannot
                few = steps[start:]
            else:
                session = edited.bare()
                then = analyse(session, model, keep=True)
        done += _stated_together(few, model, then)
        if then is after:
            break
        model = then
    return tuple(replace(step, why=step.why or _figures(step)) for step in done)


def _stated_together(few: Sequence[Step], before: Snapshot, after: Snapshot) -> list[Step]:
    if len(few) == 1:
        (step,) = few
        return [replace(step_of(step.edit, before, after, step.why), needs=step.needs)]
    saved = before.summary.milliseconds - after.summary.milliseconds
    rest = (saved - sum(step.saved_milliseconds for step in few)) / len(few)
    return [
        replace(step, saved_milliseconds=step.saved_milliseconds + rest, approximate=True) for step in few
    ]


def _figures(step: Step) -> str:
    """What a step is for that brings no layer anywhere."""
    was, now = step.cycles
    if was is not None and now is not None and now < was and step.saved_milliseconds > 0:
        return f"{thousands(now)} cycles with memory, down from {thousands(was)}"
    faster = change_sign(-step.saved_milliseconds) == "-"
    return "saves time in the layers around it" if faster else "prepares the next step"


def worst_placement(reports: Iterable[LayerReport]) -> Placement:
    """Of the layers that stand for one."""
    return max((report.placement for report in reports), key=lambda p: p.rank, default=Placement.NONE)


def _cycles(reports: Iterable[LayerReport]) -> int | None:
    """NPU cycles with memory; None where one of the layers is on the CPU."""
    cycles = [report.line.cycles for report in reports]
    known = [count for count in cycles if count is not None]
    return sum(known) if known and len(known) == len(cycles) else None
