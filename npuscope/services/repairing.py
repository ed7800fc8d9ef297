"""Accuracy of a quantized model repaired: what helps the layers that lose most, each with its price and its gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.correct_bias import CorrectBias
from npuscope.edits.kinds.equalize import Equalize
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.layer_accuracy import Accuracy, LayerAccuracy, layer_accuracy
from npuscope.numbers.quantize import METADATA, Settings
from npuscope.numbers.runner import Runner, Sample
from npuscope.numbers.verify_models import verify
from npuscope.services.quantizing import Quantized, Repair, quantize_for
from npuscope.session import Session
from npuscope.snapshot import analyse

ROUNDS = 6
WORST = 2
"""Layers a round that something is tried for: each trial calibrates the model again."""

LEAST_GAIN_DB = 0.2
"""What a repair must gain: a few samples tell no less."""

PERCENTILES = (99.99, 99.5)
"""Shares of an activation's values, in %, that a narrower range of it holds."""

MOST_SHIFT = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    words: str
    source: Source
    settings: Settings


def repair(
    source: Source,
    start: Quantized,
    samples: Sequence[Sample],
    drawn: str = "",
    most_milliseconds: float = inf,
    job: Job = QUIET,
) -> Quantized:
    """The int8 model with the most dB at its worst output that runs within a time, by one repair after the other.

    1. Tried in each round: a scale a channel for weights; channels equalized in the float model; of the layers with the
       largest own error, each left in float, or its output's outliers clipped. At last the biases are corrected.
    2. `start` is the model to repair. What costs no time comes first, and is all that a model gets which takes longer
       than that already.
    3. Measured against the float model on the samples it is calibrated on. Raises ModelError, StoppedError.
    """
    quiet = job.reporting(None)
    most = max(most_milliseconds, start.snapshot.summary.milliseconds)
    best, floats = start, source
    for number in range(ROUNDS):
        job.check()
        job.report(number, ROUNDS + 1)
        tried: list[tuple[_Trial, Quantized]] = []
        for trial in _trials(floats, best, samples, quiet):
            job.check()
            made = _made(source, trial, best, samples, drawn, quiet)
            if made is not None and _gain(best, made) >= LEAST_GAIN_DB:
                tried.append((trial, made))
        time = best.snapshot.summary.milliseconds
        free = [one for one in tried if one[1].snapshot.summary.milliseconds <= time + 1e-9]
        paid = [one for one in tried if one[1].snapshot.summary.milliseconds <= most + 1e-9]
        if not paid:
            break
        chosen, repaired = max(free or paid, key=lambda one: _ratio(one[1]))
        best = replace(repaired, repairs=(*best.repairs, _priced(chosen.words, best, repaired)))
        floats = chosen.source
    corrected = _with_biases(source, floats, best, samples, quiet)
    if corrected is not None and _gain(best, corrected) >= LEAST_GAIN_DB:
        words = "correct the biases"
        best = replace(corrected, repairs=(*best.repairs, _priced(words, best, corrected)))
    job.report(ROUNDS + 1, ROUNDS + 1)
    return best


def _ratio(result: Quantized) -> float:
    return inf if result.sqnr_db is None else result.sqnr_db


def _gain(before: Quantized, after: Quantized) -> float:
    """dB at the worst output; outputs that are exact already gain nothing."""
    return 0.0 if before.sqnr_db is None else _ratio(after) - before.sqnr_db


def _priced(words: str, before: Quantized, after: Quantized) -> Repair:
    old, new = before.snapshot.summary, after.snapshot.summary
    return Repair(
        words,
        _gain(before, after),
        new.milliseconds - old.milliseconds,
        new.compute_cycles - old.compute_cycles,
    )


def _made(
    source: Source, trial: _Trial, best: Quantized, samples: Sequence[Sample], drawn: str, job: Job
) -> Quantized | None:
    try:
        made = quantize_for(trial.source, best.session.target, samples, trial.settings, drawn, job)
        ratio = verify(source, made.session, inputs=samples, job=job).sqnr_db_min
    except ModelError:
        return None
    return replace(made, sqnr_db=ratio)


def _trials(floats: Source, best: Quantized, samples: Sequence[Sample], job: Job) -> Iterator[_Trial]:
    settings = best.settings
    if not settings.per_channel:
        yield _Trial("a scale a channel for weights", floats, replace(settings, per_channel=True))
    equal, count = _equalized(floats, best)
    if count:
        pairs = "1 pair of layers" if count == 1 else f"{count} pairs of layers"
        yield _Trial(f"equalize the channels between {pairs}", equal, settings)
    nodes = {node.name for node in floats.graph.nodes}
    known = {name for name, *_ in settings.ranges}
    for layer in _worst(layer_accuracy(floats, best.session.source, samples, job)):
        if layer.name in nodes and layer.name not in settings.exclude:
            exclude = (*settings.exclude, layer.name)
            yield _Trial(f"leave {layer.name} in float", floats, replace(settings, exclude=exclude))
        if layer.tensor not in known:
            for low, high, percent in _narrower(floats, layer.tensor, samples):
                words = f"clip the output of {layer.name} to {low:.4g} to {high:.4g} ({percent:g} % of its values)"
                ranges = (*settings.ranges, (layer.tensor, low, high))
                yield _Trial(words, floats, replace(settings, ranges=ranges))


def _worst(accuracy: Accuracy) -> tuple[LayerAccuracy, ...]:
    return tuple(layer for layer in accuracy.layers if layer.own_sqnr_db is not None)[:WORST]


def _equalized(floats: Source, best: Quantized) -> tuple[Source, int]:
    """The float model with every pair of layers equalized that can be, and how many those are."""
    session = Session.open(floats, best.session.target)
    for layer in session.layers.layers:
        if layer.weight is not None:
            edited = session.edit(Equalize(layer.name))
            session = session if isinstance(edited, Refusal) else edited
    if not session.done:
        return floats, 0
    return source_of(floats.path, to_model(session.source, session.graph)), len(session.done)


def _narrower(floats: Source, tensor: str, samples: Sequence[Sample]) -> Iterator[tuple[float, float, float]]:
    """Ranges that leave out the outliers of a tensor: (low, high, percentile)."""
    if floats.graph.type(tensor).dtype != "float32":
        return
    runner = Runner(floats, replace(floats.graph, outputs=(tensor,)))
    values = np.concatenate(
        [runner.run(adapt_inputs(floats.graph, sample))[0].reshape(-1) for sample in samples]
    )
    if not values.size or not np.isfinite(values).all():
        return
    full = (min(float(values.min()), 0.0), max(float(values.max()), 0.0))
    for percent in PERCENTILES:
        low, high = (float(value) for value in np.percentile(values, (100 - percent, percent)))
        ends = (min(low, 0.0), max(high, 0.0))
        if ends[0] < ends[1] and ends[1] - ends[0] < 0.95 * (full[1] - full[0]):
            yield (*ends, percent)


def _with_biases(
    source: Source, floats: Source, best: Quantized, samples: Sequence[Sample], job: Job
) -> Quantized | None:
    """The model with each int32 bias corrected by the mean error of its layer's channels; None where none is."""
    session = best.session
    edits = []
    for measured in layer_accuracy(floats, session.source, samples, job).layers:
        layer = session.layers.by_name.get(measured.name)
        bias = layer.bias if layer is not None else None
        if layer is None or bias is None or bias.constant is None or bias.quant is None:
            continue
        if layer.kind not in ("Conv", "Gemm") or bias.constant.size != len(measured.mean_error):
            continue
        beta = layer.core.attribute("beta") if layer.kind == "Gemm" else 1.0
        steps = np.asarray(measured.mean_error) / bias.quant.scale.astype(np.float64) / (beta or 1.0)
        shifts = np.clip(np.rint(steps), -MOST_SHIFT, MOST_SHIFT).astype(np.int64)
        edit = CorrectBias(measured.name, tuple(int(shift) for shift in shifts))
        if shifts.any() and not isinstance(edit.apply(session.graph, session.layers), Refusal):
            edits.append(edit)
    changed = apply_all(session, edits)
    if not edits or isinstance(changed, Refusal):
        return None
    model = to_model(changed.source, changed.graph)
    for entry in model.metadata_props:
        if entry.key == METADATA:
            entry.value += f"; biases of {len(edits)} layers corrected"
    made = source_of(source.path, model)
    opened = Session.open(made, session.target)
    ratio = verify(source, made, inputs=samples, job=job).sqnr_db_min
    return replace(best, session=opened, snapshot=analyse(opened), sqnr_db=ratio)
