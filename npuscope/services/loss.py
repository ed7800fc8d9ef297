"""What the edits of a session do to the numbers, measured as soon as they are made."""

from __future__ import annotations

from npuscope.edits.edit import Exactness
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.numbers.verify_models import Verification
from npuscope.numbers.verify_regions import LocalVerification, verify_local
from npuscope.record import dataclass
from npuscope.services.apply import Calibration
from npuscope.session import Session


@dataclass(frozen=True, slots=True)
class Loss:
    """How far the numbers moved, and what every output is to keep.

    `checked` is None where the model does not run; `unknown` then says why.
    """

    checked: LocalVerification | None
    user_supplied: bool
    least: float = LEAST_DECIBELS
    unknown: str = ""
    asked: bool = False
    """`least` was asked for, so that not to know is not enough."""

    @property
    def whole_model(self) -> Verification | None:
        """The outputs before and after; None where the model was not run as a whole."""
        return self.checked.whole_model if self.checked is not None else None

    @property
    def decibels(self) -> float | None:
        """The least that an output keeps; None where nothing differs, or the model was not run as a whole."""
        return self.whole_model.sqnr_db_min if self.whole_model is not None else None

    @property
    def too_much(self) -> bool:
        """An output keeps less than it is to."""
        return self.decibels is not None and self.decibels < self.least

    @property
    def unproved(self) -> bool:
        """What was asked for may be so or not: the model was not run as a whole, and a part of it differs."""
        alike = self.checked is not None and self.checked.bit_exact
        return self.asked and self.whole_model is None and not alike

    @property
    def not_enough(self) -> bool:
        """An output keeps less than it is to, or nobody knows whether it keeps what was asked for."""
        return self.too_much or self.unproved


def loss_of(
    session: Session,
    calibration: Calibration | None = None,
    least: float = LEAST_DECIBELS,
    job: Job = QUIET,
    asked: bool = False,
) -> Loss | None:
    """Measured on the samples that the edits are calibrated on; None where no edit changes a number, or none can be run.

    Raises ModelError where samples that the user named cannot be read, StoppedError where the job is stopped.
    """
    if session.graph.as_int8 or all(edit.exactness is Exactness.BIT_EXACT for edit in session.done):
        return None
    chosen = calibration or Calibration()
    own = chosen.inputs is not None
    samples = chosen.read(session) if own else None
    try:
        checked = verify_local(session, chosen.samples, chosen.seed, inputs=samples, job=job)
    except ModelError as error:
        return Loss(None, own, least, str(error), asked)
    return Loss(checked, own, least, asked=asked)
