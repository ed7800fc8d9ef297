"""From a float model to int8 ones: each setting made, judged for a target and verified against the float model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.files.temporary import sweep_folders
from npuscope.jobs import QUIET, Job
from npuscope.machine.machine import Target
from npuscope.model.errors import ModelError
from npuscope.model.layers import is_qdq
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.model.tensors import Constant
from npuscope.numbers.differences import SQNR_LIMIT_DB
from npuscope.numbers.quantize import FOLDERS, METADATA, METHODS, Settings, quantize
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.loss_budget import without
from npuscope.planning.accuracy.most_exact import Repair
from npuscope.planning.assess import assess
from npuscope.planning.plan import TOLERANCE, Allowed, Budget, apply
from npuscope.planning.planner import plan
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot, analyse

KINDS = 3
"""Asymmetric, symmetric, and symmetric where it pays."""

FAST = (0, -128)
"""Zero points that need no subtraction before the products."""

WEIGHED = 64
"""Zero points that are weighed one by one, at most: each takes an analysis of the model."""

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
    sweep_folders(FOLDERS)
    made = quantize(source, samples, settings, drawn, job)
    job.check()
    session = Session.open(made, target)
    result = verify(source, made, inputs=samples, job=job.reporting(None))
    return Quantized(settings, session, analyse(session), result.sqnr_db_min, len(samples))


def where_it_pays(result: Quantized) -> tuple[str, ...]:
    """The float tensors of an asymmetric model whose zero points cost time, or compute cycles but no time, as simulated.

    Those without negative values keep their -128: 0 would leave half of the codes unused.
    """
    snapshot, constants = result.snapshot, result.session.graph.constants
    touched: dict[str, list[str]] = {}
    for report in snapshot.layers:
        for zero in _movable(report, result.session):
            touched.setdefault(zero, []).append(report.name)
    if not touched:
        return ()

    def recentred(zeros: Collection[str]) -> Snapshot:
        at_0 = {name: Constant.of(name, np.zeros_like(constants[name].array())) for name in zeros}
        graph = replace(result.session.graph, constants={**constants, **at_0})
        return analyse(Session.open(replace(result.session.source, graph=graph), result.session.target))

    best = recentred(touched)
    gaining = {r.name for r in snapshot.layers if r.name in best.by_name and _gains(best.by_name[r.name], r)}
    paying = [zero for zero, layers in touched.items() if not gaining.isdisjoint(layers)]
    if len(paying) <= WEIGHED:
        best = recentred(paying)
        paying = [zero for zero in paying if _gains(best, recentred([z for z in paying if z != zero]))]
    return tuple(sorted(zero.removesuffix(ZERO_POINT) for zero in paying))


def _movable(report: LayerReport, session: Session) -> set[str]:
    """The zero points at a layer's ends that a setting of the quantizer could make 0."""
    graph, movable = session.graph, set[str]()
    for end in (*report.layer.inputs, *report.layer.outputs):
        writer = graph.producer(end.tensor)
        if end.quant is None or end.quant.per_channel or end.quant.zero in FAST or writer is None:
            continue
        if is_qdq(writer) and writer.input(2).endswith(ZERO_POINT) and writer.input(2) in graph.constants:
            movable.add(writer.input(2))
    return movable


def _gains(after: Snapshot | LayerReport, before: Snapshot | LayerReport) -> bool:
    """It takes less time, or the same in fewer compute cycles."""
    (milliseconds, cycles), (earlier, more) = _spent(after), _spent(before)
    if abs(milliseconds - earlier) > TOLERANCE:
        return milliseconds < earlier
    return cycles < more


def _spent(what: Snapshot | LayerReport) -> tuple[float, int]:
    """Milliseconds and compute cycles."""
    if isinstance(what, Snapshot):
        return what.summary.milliseconds, what.summary.compute_cycles
    return what.line.milliseconds, what.cost.compute_cycles if what.cost is not None else 0


def quantize_where_it_pays(
    source: Source,
    target: Target,
    samples: Sequence[Sample],
    settings: Settings,
    drawn: str = "",
    job: Job = QUIET,
    plain: Quantized | None = None,
) -> Quantized:
    """Asymmetric, but for the tensors whose zero points cost time or cycles; `plain` is the asymmetric model, if made.

    It is the result where the other is no gain: scales differ with the zero points, which may cost more than these.
    Raises ModelError, StoppedError.
    """
    if plain is None:
        plain = quantize_for(source, target, samples, settings, drawn, job)
    paying = where_it_pays(plain)
    if not paying:
        return plain
    mixed = quantize_for(source, target, samples, replace(settings, symmetric_tensors=paying), drawn, job)
    return mixed if _gains(mixed.snapshot, plain.snapshot) else plain


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
