"""From a float model to int8 ones: each setting made, judged for a target and verified against the float model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.jobs import QUIET, Job
from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError
from npuscope.model.layers import is_qdq
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.model.tensors import Constant
from npuscope.numbers.differences import SQNR_LIMIT_DB
from npuscope.numbers.quantize import METADATA, METHODS, Settings, quantize
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.loss_budget import without
from npuscope.planning.accuracy.most_exact import Repair
from npuscope.planning.assess import assess
from npuscope.planning.plan import Allowed, Budget, apply
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

KINDS = 3
"""Asymmetric, symmetric, and symmetric where it pays."""

FAST = (0, -128)
"""Zero points that need no subtraction before the products."""

ZERO_POINT = "_zero_point"
"""Ends the name onnxruntime's quantizer gives the zero point of a tensor."""


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
    edits: tuple[str, ...] = ()
    """What a plan changed in it, in words."""
    repairs: tuple[Repair, ...] = ()
    """What made it more exact."""


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


def where_it_pays(result: Quantized) -> tuple[str, ...]:
    """The float tensors of an asymmetric model whose zero points cost compute cycles, as the simulator has it."""
    graph, target = result.session.graph, result.session.target
    readers: dict[str, list[str]] = {}
    for report in result.snapshot.layers:
        source = report.layer.input
        if report.layer.weight is None or source is None or source.quant is None or source.quant.per_channel:
            continue
        writer = graph.producer(source.tensor)
        if writer is not None and is_qdq(writer) and source.quant.zero not in FAST:
            readers.setdefault(writer.input(2), []).append(report.name)
    zeros = {name: Constant.of(name, np.zeros_like(graph.constants[name].array())) for name in readers}
    if not zeros:
        return ()
    recentred = replace(graph, constants={**graph.constants, **zeros})
    best = analyse(Session.open(replace(result.session.source, graph=recentred), target)).by_name

    def saved(name: str) -> int:
        one, other = result.snapshot.by_name[name].cost, best[name].cost if name in best else None
        return one.compute_cycles - other.compute_cycles if one is not None and other is not None else 0

    paying = [zero for zero, layers in readers.items() if sum(map(saved, layers)) > 0]
    return tuple(sorted(zero.removesuffix(ZERO_POINT) for zero in paying if zero.endswith(ZERO_POINT)))


def quantize_where_it_pays(
    source: Source,
    target: Target,
    samples: Sequence[Sample],
    settings: Settings,
    drawn: str = "",
    job: Job = QUIET,
    plain: Quantized | None = None,
) -> Quantized:
    """Asymmetric, but for the tensors whose zero points cost compute cycles; `plain` is the asymmetric model, if made.

    Raises ModelError, StoppedError.
    """
    if plain is None:
        plain = quantize_for(source, target, samples, settings, drawn, job)
    paying = where_it_pays(plain)
    if not paying:
        return plain
    return quantize_for(source, target, samples, replace(settings, symmetric_tensors=paying), drawn, job)


def planned(source: Source, result: Quantized, samples: Sequence[Sample], job: Job = QUIET) -> Quantized:
    """The int8 model with the edits of a plan made, those that lose much left out, verified against the float model.

    1. Edits that take scales get them from the samples it was quantized on. Layers that were to stay float do. The
       edits are part of the model then: it is a new one, which says so in its metadata.
    2. Raises ModelError, StoppedError.
    """
    session = result.session
    result_plan = plan(session, result.snapshot, Budget(Allowed.ANY), job.reporting(None))
    result_plan = assess(session, result_plan, samples, user_supplied=True, job=job.reporting(None))
    kept_float = {
        index for index, step in enumerate(result_plan.steps) if step.layer in result.settings.exclude
    }
    taken = without(result_plan, kept_float | (set(range(len(result_plan.steps))) - set(result_plan.safe)))
    changed = apply(session, result_plan, taken, samples, job.reporting(None), user_supplied=True)
    if isinstance(changed, Refusal):
        raise ModelError(str(changed))
    if not changed.done:
        return result
    words = tuple(edit.describe() for edit in changed.done)
    model = to_model(changed.source, changed.graph)
    for entry in model.metadata_props:
        if entry.key == METADATA:
            entry.value += "; " + "; ".join(words)
    made = source_of(source.path, model)
    checked = verify(source, made, inputs=samples, job=job.reporting(None))
    opened = Session.open(made, session.target)
    return Quantized(result.settings, opened, analyse(opened), checked.sqnr_db_min, result.samples, words)


def try_settings(
    source: Source,
    target: Target,
    samples: Sequence[Sample],
    exclude: tuple[str, ...] = (),
    drawn: str = "",
    job: Job = QUIET,
) -> tuple[Quantized | Failed, ...]:
    """Every method, asymmetric, symmetric and symmetric where it pays: fewest layers on the CPU first, then the fastest,
    then the most exact.

    Times are compared to the microsecond and ratios to the dB, below which a few samples say nothing; the simpler
    method comes first then.
    """
    results: list[Quantized | Failed] = []
    quiet, total = job.reporting(None), KINDS * len(METHODS)
    for index, method in enumerate(METHODS):
        for kind, symmetric in enumerate((False, True)):
            job.check()
            job.report(KINDS * index + kind, total)
            settings = Settings(method, symmetric, exclude=exclude)
            try:
                results.append(quantize_for(source, target, samples, settings, drawn, quiet))
            except ModelError as error:
                results.append(Failed(settings, str(error)))
        plain = results[-2]
        job.report(KINDS * index + 2, total)
        if isinstance(plain, Quantized):
            try:
                mixed = quantize_where_it_pays(source, target, samples, plain.settings, drawn, quiet, plain)
            except ModelError as error:
                results.append(Failed(plain.settings, str(error)))
            else:
                results += [mixed] if mixed is not plain else []
    job.report(total, total)
    return tuple(sorted(results, key=_rank))


def _rank(result: Quantized | Failed) -> tuple[float, ...]:
    if isinstance(result, Failed):
        return (1,)
    summary = result.snapshot.summary
    exactness = SQNR_LIMIT_DB if result.sqnr_db is None else round(result.sqnr_db)
    return (0, summary.on_cpu, round(summary.milliseconds, 3), -exactness)
