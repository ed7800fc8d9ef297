"""Making edits, calibrated where they take scales, with a fallback where the model does not run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Refusal
from npuscope.jobs import QUIET, Job, Progress
from npuscope.model.errors import ModelError
from npuscope.numbers.calibrate_all import calibrate_all, takes_scales
from npuscope.numbers.runner import Sample
from npuscope.numbers.sample_sources import samples_or_random
from npuscope.record import dataclass
from npuscope.session import Session

SAMPLES = 8
"""Samples drawn where the user names none."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of edits; `warning` says where scales are not measured ones, '' where all is well."""

    session: Session | Refusal
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The samples to measure scales on: the user's own at a path, else so many random ones."""

    inputs: str | os.PathLike[str] | None = None
    samples: int = SAMPLES
    seed: int = 0

    def read(self, session: Session) -> tuple[Sample, ...]:
        """The samples. Raises ModelError where the path holds none that fit."""
        return samples_or_random(self.inputs, session.source, self.samples, self.seed)


def apply_edits(
    session: Session,
    edits: Sequence[Edit],
    calibration: Calibration | None = None,
    job: Job = QUIET,
    applying: Progress | None = None,
) -> Applied:
    """The session with all edits, or the first refusal.

    1. Edits that take scales get them from runs of the model. Where it does not run, partial sums keep the range
       of their weights, which holds any value, and the warning says so; of a model judged as if quantized they do.
    2. `job` is told of samples, `applying` of edits.
    3. Raises ModelError where samples that the user named cannot be read, StoppedError where the job is stopped.
    """
    chosen = calibration or Calibration()
    own = chosen.inputs is not None
    samples: Sequence[Sample] = chosen.read(session) if own else ()  # if only to say that they do not fit
    if session.graph.as_int8 or not any(takes_scales(edit, own) for edit in edits):
        return Applied(apply_all(session, edits, job.reporting(applying)))
    try:
        samples = samples or chosen.read(session)
        return Applied(calibrate_all(session, edits, samples, job, own, applying))
    except ModelError as error:
        warning = f"Partial sums keep the range of their weights: {error}"
        return Applied(apply_all(session, edits, job.reporting(applying)), warning)
