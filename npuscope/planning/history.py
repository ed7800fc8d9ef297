"""The edits of a session as a list: what each one gave, and the session with others, or in another order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.numbers.differences import OutputDifference
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.price import SAMPLES
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_regions import verify_local
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot, Summary, analyse


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An edit in force: the model before and after it."""

    edit: Edit
    before: Summary
    after: Summary

    @property
    def milliseconds(self) -> float:
        """What it adds to the model's time; negative where it saves some."""
        return self.after.milliseconds - self.before.milliseconds


def remade(
    session: Session, edits: Sequence[Edit], off: Sequence[Edit] = (), job: Job = QUIET
) -> Session | Refusal:
    """The session with these edits in this order and no others; `off` are those that redo would bring back.

    Scales that an edit was given stay. A refusal names the edit that cannot be made without the others.
    """
    bare = replace(session, states=session.states[:1], done=(), undone=())
    kept = 0
    while kept < min(len(edits), len(session.done)) and edits[kept] == session.done[kept]:
        kept += 1
    bare = replace(bare, states=session.states[: kept + 1], done=session.done[:kept])
    for edit in edits[kept:]:
        job.check()
        result = apply_all(bare, (edit,))
        if isinstance(result, Refusal):
            return Refusal(f"{edit.describe()}: {result}", "it needs an edit that was removed or comes later")
        bare = result
    return replace(bare, undone=tuple(off))


def opened(session: Session) -> Snapshot:
    """The model as it was opened, judged for the session's target."""
    return analyse(replace(session, states=session.states[:1], done=(), undone=()))


def steps(session: Session, job: Job = QUIET) -> Iterator[Step]:
    """What each edit in force changes, judged one after the other. Raises StoppedError where the job is stopped."""
    snapshot = opened(session)
    for count, edit in enumerate(session.done, 1):
        job.check()
        before = snapshot.summary
        then = replace(session, states=session.states[: count + 1], done=session.done[:count], undone=())
        snapshot = analyse(then, snapshot)
        yield Step(edit, before, snapshot.summary)


def losses(
    session: Session, inputs: Sequence[Sample] | None = None, job: Job = QUIET
) -> Iterator[OutputDifference | str]:
    """How far each edit in force moves the tensors at which it ends, on the model as it was when it was made.

    A reason, where that model does not run. Raises StoppedError where the job is stopped.
    """
    samples = tuple(inputs) if inputs is not None else random_samples(session.source, SAMPLES)
    for index, edit in enumerate(session.done):
        job.check()
        pair = replace(session, states=session.states[index : index + 2], done=(edit,), undone=())
        try:
            verification = verify_local(pair, inputs=samples, job=job)
        except ModelError as error:
            yield str(error)
            continue
        worst = [region.worst for region in verification.regions if region.worst is not None]
        outputs = worst or (
            list(verification.whole_model.outputs) if verification.whole_model is not None else []
        )
        if outputs:
            yield min(outputs, key=lambda o: o.sqnr_db if o.sqnr_db is not None else float("inf"))
        else:
            yield "nothing to compare"
