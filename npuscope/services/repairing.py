"""Accuracy of a quantized model repaired: what helps the layers that lose most, each with its price and its gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.equalize import Equalize
from npuscope.jobs import QUIET, Job
from npuscope.model.errors import ModelError
from npuscope.model.load import Source, source_of
from npuscope.model.serialize import to_model
from npuscope.numbers.layer_accuracy import LayerAccuracy, layer_accuracy
from npuscope.numbers.quantize import METADATA, Settings
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.most_exact import LEAST_GAIN_DB, Trial, gain, most_exact, priced
from npuscope.planning.accuracy.repair_edits import bias_edits, narrower, worst
from npuscope.record import dataclass
from npuscope.services.quantizing import Quantized, quantize_for
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

ROUNDS = 6


@dataclass(frozen=True, slots=True, eq=False)
class _Repaired:
    """An int8 model, and the float one it was made of."""

    result: Quantized
    floats: Source

    @property
    def sqnr_db(self) -> float | None:
        return self.result.sqnr_db

    @property
    def snapshot(self) -> Snapshot:
        return self.result.snapshot


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

    def trials(now: _Repaired) -> Iterator[Trial[_Repaired]]:
        for words, floats, settings in _changes(now.floats, now.result, samples, quiet):

            def make(floats: Source = floats, settings: Settings = settings) -> _Repaired | None:
                made = _made(source, floats, settings, now.result, samples, drawn, quiet)
                return _Repaired(made, floats) if made is not None else None

            yield Trial(words, make)

    best, changes = most_exact(_Repaired(start, source), trials, most_milliseconds, ROUNDS, job)
    result = replace(best.result, repairs=changes)
    corrected = _with_biases(source, best.floats, result, samples, quiet)
    if corrected is None or gain(result, corrected) < LEAST_GAIN_DB:
        return result
    return replace(corrected, repairs=(*changes, priced("correct the biases", result, corrected)))


def _made(
    source: Source,
    floats: Source,
    settings: Settings,
    best: Quantized,
    samples: Sequence[Sample],
    drawn: str,
    job: Job,
) -> Quantized | None:
    try:
        made = quantize_for(floats, best.session.target, samples, settings, drawn, job)
        ratio = verify(source, made.session, inputs=samples, job=job).sqnr_db_min
    except ModelError:
        return None
    return replace(made, sqnr_db=ratio)


def _changes(
    floats: Source, best: Quantized, samples: Sequence[Sample], job: Job
) -> Iterator[tuple[str, Source, Settings]]:
    """In words, the float model, and the settings it is quantized with."""
    settings = best.settings
    if not settings.per_channel:
        yield "a scale a channel for weights", floats, replace(settings, per_channel=True)
    equal, count = _equalized(floats, best)
    if count:
        pairs = "1 pair of layers" if count == 1 else f"{count} pairs of layers"
        yield f"equalize the channels between {pairs}", equal, settings
    known = {name for name, *_ in settings.ranges}
    for layer in worst(layer_accuracy(floats, best.session.source, samples, job)):
        names = [name for name in _computing(floats, layer) if name not in settings.exclude]
        if names:
            exclude = (*settings.exclude, *names)
            yield f"leave {' and '.join(names)} in float", floats, replace(settings, exclude=exclude)
        if layer.tensor not in known:
            for low, high, percent in narrower(floats, layer.tensor, samples, job):
                words = f"clip the output of {layer.name} to {low:.4g} to {high:.4g} ({percent:g} % of its values)"
                ranges = (*settings.ranges, (layer.tensor, low, high))
                yield words, floats, replace(settings, ranges=ranges)


def _computing(floats: Source, layer: LayerAccuracy) -> list[str]:
    """What to leave in float: the layer, or what reads the input that loses on its grid, which then needs none."""
    if any(node.name == layer.name for node in floats.graph.nodes):
        return [layer.name]
    readers = [floats.graph.nodes[i] for i in floats.graph.consumers.get(layer.tensor, ())]
    return [node.name for node in readers if node.name]


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


def _with_biases(
    source: Source, floats: Source, best: Quantized, samples: Sequence[Sample], job: Job
) -> Quantized | None:
    """The model with each int32 bias corrected by the mean error of its layer's channels; None where none is."""
    session = best.session
    edits = bias_edits(session, layer_accuracy(floats, session.source, samples, job, inputs_apart=False))
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
