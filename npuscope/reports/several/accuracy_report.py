"""Accuracy layer by layer, to read and as "npuscope.accuracy/1"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from npuscope.model.brief import Names
from npuscope.model.names import printable
from npuscope.npu.figures import plural
from npuscope.npu.loss_levels import BAD, POOR
from npuscope.numbers.layer_accuracy import Accuracy, LayerAccuracy
from npuscope.reports.check.findings import Page, Style
from npuscope.reports.json_report import finite
from npuscope.reports.short_names import short_names

SCHEMA = "npuscope.accuracy/1"

NAME_WIDTH = 40

TENSOR_WIDTH = 24

OUTLIERS = 12
"""Layers whose weights are listed."""


def accuracy_json(accuracy: Accuracy, seed: int | None) -> dict[str, Any]:
    """Largest own error first; `seed` is null where the samples came from files."""
    return {
        "schema": SCHEMA,
        "layers": [
            {
                key: finite(value) if isinstance(value, float) else value
                for key, value in asdict(layer).items()
                if key not in ("mean_error", "weight_outlier")
            }
            | {"weight_outlier": _outlier_json(layer)}
            for layer in accuracy.layers
        ],
        "layers_of": accuracy.layers_of,
        "samples": accuracy.samples,
        "seed": seed,
    }


def _outlier_json(layer: LayerAccuracy) -> dict[str, Any] | None:
    if layer.weight_outlier is None:
        return None
    channel, ratio = layer.weight_outlier
    return {"channel": channel, "times_the_next": finite(ratio)}


def accuracy_text(accuracy: Accuracy, seed: int | None, colour: bool = False) -> str:
    """A line an output of a layer; those of several outputs are numbered."""
    drawn = "from files" if seed is None else f"random, seed {seed}: give --inputs for the real accuracy"
    names = short_names((layer.name for layer in accuracy.layers), NAME_WIDTH)
    labels = _labels(accuracy, names)
    width = max(5, *map(len, labels.values()))
    lines = [
        f"{plural(accuracy.samples, 'sample')} ({drawn})",
        f"{len(accuracy.layers)} outputs of {accuracy.layers_of} layers have a tensor of the same name in the reference",
        "",
        f"{'layer':{width}}  {'own dB':>7}  {'SQNR dB':>7}  {'clipped':>7}  {'range used':>10}  worst channel",
    ]
    page = Page(0, colour)
    for layer in accuracy.layers:
        channel = "-" if layer.worst_channel is None else str(layer.worst_channel)
        lines.append(
            f"{labels[layer.tensor]:{width}}  {_own(layer, page)}  {_ratio(layer.sqnr_db):>7}  "
            f"{_share(layer.clipped):>7}  {_share(layer.used_range):>10}  {channel}"
        )
    lines += _outliers(accuracy, names)
    own = "own: the layer reads the reference's values; SQNR: everything before it is quantized too"
    return "\n".join((*lines, "", own)) + "\n"


def _outliers(accuracy: Accuracy, names: Mapping[str, str]) -> list[str]:
    outliers = {
        layer.name: layer.weight_outlier for layer in accuracy.layers if layer.weight_outlier is not None
    }
    lines = ["", "One weight sets the scale of its channel, and the others keep less"] if outliers else []
    for name, (channel, ratio) in list(outliers.items())[:OUTLIERS]:
        lines.append(f"  {printable(names[name])}: channel {channel}, {ratio:.3g} times the next largest")
    return lines


def _labels(accuracy: Accuracy, names: Mapping[str, str]) -> dict[str, str]:
    """Tensor -> name of the layer that writes it, and the tensor's where that layer writes several."""
    written = Counter(layer.name for layer in accuracy.layers)
    tensors = Names(layer.tensor for layer in accuracy.layers)
    return {
        layer.tensor: printable(names[layer.name])
        + (f" ({tensors.fit(layer.tensor, TENSOR_WIDTH)})" if written[layer.name] > 1 else "")
        for layer in accuracy.layers
    }


def _own(layer: LayerAccuracy, page: Page) -> str:
    own = layer.own_sqnr_db
    text = f"{_ratio(own):>7}"
    if own is None or own >= POOR:
        return text
    return page.styled(text, Style.BAD if own < BAD else Style.WARN)


def _ratio(decibels: float | None) -> str:
    return "exact" if decibels is None else f"{decibels:.1f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g} %"
