"""What an edit does to the numbers, measured before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.differences import LEAST_DECIBELS, OutputDifference
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Sample
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.numbers.verify_models import Verification
from npuscope.numbers.verify_regions import verify_local
from npuscope.record import dataclass
from npuscope.session import Session

SAMPLES = 8
"""Random inputs a price is measured on, where none are given: those that an edit is calibrated on when it is made, and that
`verify` then compares, so that all three say the same."""


@dataclass(frozen=True, slots=True)
class Price:
    """How far an edit moves the numbers of the model as it is now.

    1. `here` is the worst of the tensors at which the changed part ends; None where it ends at none that stays.
    2. `outputs` compares the whole model, None where it is too large to be run in passing.
    """

    here: OutputDifference | None
    outputs: Verification | None
    samples: int

    @property
    def bit_exact(self) -> bool:
        """Something was compared, and nothing differs."""
        return (
            self.compared
            and (self.here is None or self.here.bit_exact)
            and (self.outputs is None or self.outputs.bit_exact)
        )

    @property
    def compared(self) -> bool:
        """There was something to compare."""
        return self.here is not None or self.outputs is not None

    @property
    def decibels(self) -> float | None:
        """Signal against difference at the layer, else at the worst output; None where nothing differs."""
        if self.here is not None:
            return self.here.sqnr_db
        return self.outputs.sqnr_db_min if self.outputs is not None else None

    @property
    def worst(self) -> float | None:
        """The same at the worst output, at the layer where the outputs were not compared."""
        return self.outputs.sqnr_db_min if self.outputs is not None else self.decibels

    @property
    def loses_too_much(self) -> bool:
        """Some output keeps less than a plan lets it keep without being asked."""
        return self.worst is not None and self.worst < LEAST_DECIBELS


def price(
    session: Session,
    edit: Edit,
    inputs: Sequence[Sample] | None = None,
    job: Job = QUIET,
    user_supplied: bool = False,
) -> Price | Refusal:
    """Make an edit, with scales from the inputs where it takes some, and compare with the model without it.

    `user_supplied`: the inputs are the user's own (see `calibrate_all`).

    Raises ModelError where a model does not run, StoppedError where the job is stopped.
    """
    samples = tuple(inputs) if inputs is not None else random_samples(session.source, SAMPLES)
    now = replace(session, states=session.states[-1:], done=(), undone=())
    changed = calibrate_all(now, (edit,), samples, job, user_supplied)
    if isinstance(changed, Refusal):
        return changed
    verification = verify_local(changed, inputs=samples, job=job)
    worst = [region.worst for region in verification.regions if region.worst is not None]
    here = min(worst, key=lambda o: o.sqnr_db if o.sqnr_db is not None else float("inf"), default=None)
    return Price(here, verification.whole_model, verification.samples)


def prices(
    session: Session, edits: Iterable[Edit], inputs: str | None, job: Job = QUIET
) -> Iterator[tuple[Edit, Price]]:
    """The prices of those that are not exact, one after the other, on samples of `inputs`, random ones where it is None.

    Without those that cannot be made or run: applying them says what is wrong.
    """
    samples = samples_or_random(inputs, session.source, SAMPLES)[:SAMPLES]
    for edit in edits:
        if edit.exactness is Exactness.BIT_EXACT:
            continue
        try:
            result = price(session, edit, samples, job, inputs is not None)
        except ModelError:
            continue
        if not isinstance(result, Refusal):
            yield edit, result
