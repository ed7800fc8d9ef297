"""From a float model to int8 ones: each setting made, judged for a target and verified against the float model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npuscope.jobs import QUIET, Job
from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.numbers.differences import SQNR_LIMIT_DB
from npuscope.numbers.quantize import METHODS, Settings, quantize
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


@dataclass(frozen=True, eq=False)
class Quantized:
    """An int8 model: its verdict, and its smallest SQNR at an output, in dB, against the float model.

    `sqnr_db` is None where no output differs.
    """

    settings: Settings
    session: Session
    snapshot: Snapshot
    sqnr_db: float | None
    samples: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Settings that could not be made, and why."""

    settings: Settings
    reason: str


def quantize_for(
    source: Source,
    target: Target,
    samples: Sequence[Sample],
    settings: Settings,
    drawn: str = "",
    job: Job = QUIET,
) -> Quantized:
    """One setting, judged and verified on the samples it was calibrated on. Raises ModelError, StoppedError."""
    made = quantize(source, samples, settings, drawn, job)
    job.check()
    session = Session.open(made, target)
    result = verify(source, made, inputs=samples, job=job.reporting(None))
    return Quantized(settings, session, analyse(session), result.sqnr_db_min, len(samples))


def try_settings(
    source: Source,
    target: Target,
    samples: Sequence[Sample],
    exclude: tuple[str, ...] = (),
    drawn: str = "",
    job: Job = QUIET,
) -> tuple[Quantized | Failed, ...]:
    """Every method, symmetric or not: fewest layers on the CPU first, then the fastest, then the most exact.

    Times are compared to the microsecond and ratios to the dB, below which a few samples say nothing; the simpler
    method comes first then.
    """
    choices = [
        Settings(method, symmetric, exclude=exclude) for method in METHODS for symmetric in (False, True)
    ]
    results: list[Quantized | Failed] = []
    for settings in job.each(choices):
        try:
            results.append(quantize_for(source, target, samples, settings, drawn, job.reporting(None)))
        except ModelError as error:
            results.append(Failed(settings, str(error)))
    return tuple(sorted(results, key=_rank))


def _rank(result: Quantized | Failed) -> tuple[float, ...]:
    if isinstance(result, Failed):
        return (1,)
    summary = result.snapshot.summary
    exactness = SQNR_LIMIT_DB if result.sqnr_db is None else round(result.sqnr_db)
    return (0, summary.on_cpu, round(summary.milliseconds, 3), -exactness)
