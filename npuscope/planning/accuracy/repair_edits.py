"""Edits that make a quantized model more like the float model it was made of: biases corrected, ranges narrowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.correct_bias import CorrectBias
from npuscope.jobs import QUIET, Job
from npuscope.model.load import Source
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.layer_accuracy import Accuracy, LayerAccuracy
from npuscope.numbers.runner import Runner, Sample
from npuscope.session import Session

WORST = 2
"""Layers a round that something is tried for: each trial runs the model again."""

PERCENTILES = (99.99, 99.5)
"""Shares of an activation's values, in %, that a narrower range of it holds."""

MUCH_NARROWER = 0.95
"""Of the full range: what leaves out less is not tried."""

MOST_SHIFT = 1 << 30


def worst(accuracy: Accuracy) -> tuple[LayerAccuracy, ...]:
    """The layers that lose most themselves."""
    return tuple(layer for layer in accuracy.layers if layer.own_sqnr_db is not None)[:WORST]


def bias_edits(session: Session, accuracy: Accuracy) -> tuple[CorrectBias, ...]:
    """Each int32 bias corrected by the mean error of its layer's channels, where that is a step of it or more."""
    edits = []
    for measured in accuracy.layers:
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
    return tuple(edits)


def narrower(
    floats: Source, tensor: str, samples: Sequence[Sample], job: Job = QUIET
) -> Iterator[tuple[float, float, float]]:
    """Ranges that leave out the outliers of a tensor of the float model: (low, high, percentile)."""
    if floats.graph.type(tensor).dtype != "float32":
        return
    runner = Runner(floats, replace(floats.graph, outputs=(tensor,)))
    values = np.concatenate(
        [runner.run(adapt_inputs(floats.graph, sample))[0].reshape(-1) for sample in job.each(samples)]
    )
    if not values.size or not np.isfinite(values).all():
        return
    full = (min(float(values.min()), 0.0), max(float(values.max()), 0.0))
    for percent in PERCENTILES:
        low, high = (float(value) for value in np.percentile(values, (100 - percent, percent)))
        ends = (min(low, 0.0), max(high, 0.0))
        if ends[0] < ends[1] and ends[1] - ends[0] < MUCH_NARROWER * (full[1] - full[0]):
            yield (*ends, percent)
