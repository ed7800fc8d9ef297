"""A plan with the most dB within a time: lossy steps left out, and, against a float model, repairs added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.clip_range import ClipRange
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.npu.verdict import Placement
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.layer_accuracy import LayerAccuracy, layer_accuracy
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.loss_budget import without
from npuscope.planning.accuracy.most_exact import Repair, Trial, most_exact
from npuscope.planning.accuracy.repair_edits import bias_edits, narrower, worst
from npuscope.planning.plan import Plan, Step, left_off, loss
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

MOST_TRIED = 6
"""Steps a round whose leaving out is tried: those that save least."""

ROUNDS = 12


@dataclass(frozen=True, slots=True)
class TimeBudgetResult:
    """What came of a time budget; `sqnr_db` is None where no output differs."""

    most_milliseconds: float
    milliseconds: float
    sqnr_db: float | None
    changes: tuple[Repair, ...]
    reference: str
    """The float model that dB are measured against, '' for the model before the plan."""

    @property
    def met(self) -> bool:
        """The time is kept."""
        return self.milliseconds <= self.most_milliseconds


@dataclass(frozen=True, slots=True, eq=False)
class _Partial:
    """Some steps of the plan made, then repairs."""

    taken: tuple[int, ...]
    repairs: tuple[tuple[str, tuple[Edit, ...]], ...]
    session: Session
    snapshot: Snapshot
    sqnr_db: float | None


class _Making:
    """Makes and measures parts of a plan."""

    def __init__(
        self,
        session: Session,
        plan: Plan,
        samples: Sequence[Sample],
        reference: Source | None,
        user_supplied: bool,
        job: Job,
    ) -> None:
        self.session, self.plan, self.reference = session, plan, reference
        self.samples, self.user_supplied, self.job = samples, user_supplied, job
        self.own = tuple(adapt_inputs(session.source.graph, sample) for sample in samples)
        self.before = analyse(session)

    def make(
        self, taken: Sequence[int], repairs: tuple[tuple[str, tuple[Edit, ...]], ...] = ()
    ) -> _Partial | Refusal:
        """Raises ModelError where a model does not run."""
        edits = [self.plan.steps[index].edit for index in taken]
        edits += [edit for _, group in repairs for edit in group]
        changed = calibrate_all(self.session, edits, self.own, self.job, self.user_supplied)
        if isinstance(changed, Refusal):
            return changed
        wanted = self.reference if self.reference is not None else self.session
        inputs = self.samples if self.reference is not None else self.own
        ratio = verify(wanted, changed, inputs=inputs, job=self.job).sqnr_db_min
        return _Partial(tuple(taken), repairs, changed, analyse(changed, self.before), ratio)

    def trials(self, now: _Partial) -> Iterator[Trial[_Partial]]:
        """Each step that loses something left out, then what repairs."""
        steps = self.plan.steps
        lossy = [index for index in now.taken if loss(steps[index].exactness)]
        for index in sorted(lossy, key=lambda one: steps[one].saved_milliseconds)[:MOST_TRIED]:
            removed = set(range(len(steps))) - set(now.taken) | {index}
            words = f"leave out: {steps[index].edit.describe()}"
            yield self._trial(words, without(self.plan, removed), now.repairs)
        if self.reference is not None:
            for words, edits in self._repairs(now, self.reference):
                yield self._trial(words, now.taken, (*now.repairs, (words, edits)))

    def _trial(
        self, words: str, taken: tuple[int, ...], repairs: tuple[tuple[str, tuple[Edit, ...]], ...]
    ) -> Trial[_Partial]:
        def make() -> _Partial | None:
            try:
                made = self.make(taken, repairs)
            except ModelError:
                return None
            return None if isinstance(made, Refusal) else made

        return Trial(words, make)

    def _repairs(self, now: _Partial, reference: Source) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        known = {words for words, _ in now.repairs}
        model = source_of(now.session.source.path, to_model(now.session.source, now.session.graph))
        try:
            accuracy = layer_accuracy(reference, model, self.samples, self.job, inputs_apart=False)
        except ModelError:  # no layer is in both under one name, or the inputs are others
            return
        for layer in worst(accuracy):
            for reader in _readers(now.session, layer)[:1]:
                for low, high, _ in narrower(reference, layer.tensor, self.samples, self.job):
                    edit = ClipRange(reader, low, high)
                    if edit.describe() not in known and not _refused(now.session, edit):
                        yield edit.describe(), (edit,)
        biases = bias_edits(now.session, accuracy)
        if biases and BIASES not in known:
            yield BIASES, biases


BIASES = "correct the biases"


def _readers(session: Session, measured: LayerAccuracy) -> list[str]:
    """The layers that read what a layer writes."""
    layer = session.layers.by_name.get(measured.name)
    written = {operand.tensor for operand in layer.outputs} if layer is not None else set()
    return [
        one.name for one in session.layers.layers if any(operand.tensor in written for operand in one.inputs)
    ]


def _refused(session: Session, edit: Edit) -> bool:
    return isinstance(edit.apply(session.graph, session.layers), Refusal)


def within_time(
    session: Session,
    plan: Plan,
    most_milliseconds: float,
    samples: Sequence[Sample],
    reference: Source | None = None,
    user_supplied: bool = False,
    job: Job = QUIET,
) -> tuple[Plan, TimeBudgetResult] | Refusal:
    """The plan with the most dB that runs within a time; its repairs are its last steps.

    1. It begins with all steps, as the fastest, and leaves out lossy ones as long as the time allows. With a `reference`,
       dB are measured against that float model, `samples` are its inputs, and ranges and biases are repaired as well.
    2. A plan that is slower than that with all steps gets what costs no time. Raises ModelError, StoppedError.
    """
    making = _Making(session, plan, samples, reference, user_supplied, job.reporting(None))
    start = making.make(range(len(plan.steps)))
    if isinstance(start, Refusal):
        return start
    best, changes = most_exact(start, making.trials, most_milliseconds, ROUNDS, job)
    time = best.snapshot.summary.milliseconds
    place = {old: new for new, old in enumerate(best.taken)}
    steps = [
        replace(plan.steps[old], needs=tuple(place[needed] for needed in plan.steps[old].needs))
        for old in best.taken
    ]
    gained = {change.words: change for change in changes}
    for words, edits in best.repairs:
        steps += [_step(edit, gained[words], len(edits)) for edit in edits]
    return (
        replace(
            plan, steps=tuple(steps), after=best.snapshot.summary, left=left_off(best.snapshot), cut=None
        ),
        TimeBudgetResult(
            most_milliseconds, time, best.sqnr_db, changes, str(reference.path) if reference else ""
        ),
    )


def _step(edit: Edit, change: Repair, together: int) -> Step:
    whose = "" if together == 1 else f" ({together} layers together)"
    why = f"gains {change.decibels:.1f} dB at the worst output{whose}"
    same = (Placement.HW, Placement.HW)
    return Step(
        edit, edit.layer, Exactness.APPROXIMATE, same, (None, None), -change.milliseconds / together, why
    )
