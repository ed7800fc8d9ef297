"""Accuracy layer by layer, to read and as "npuscope.accuracy/1"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from npuscope.model.names import printable
from npuscope.numbers.layer_accuracy import Accuracy, LayerAccuracy
from npuscope.reports.json_report import finite
from npuscope.reports.short_names import short_names

SCHEMA = "npuscope.accuracy/1"

NAME_WIDTH = 40

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


def accuracy_text(accuracy: Accuracy, seed: int | None) -> str:
    """A line a layer."""
    drawn = (
        "from files" if seed is None else f"random, seed {seed}: give --inputs for the accuracy that counts"
    )
    names = short_names((layer.name for layer in accuracy.layers), NAME_WIDTH)
    width = max(5, *(len(printable(names[layer.name])) for layer in accuracy.layers))
    lines = [
        f"{accuracy.samples} samples ({drawn})",
        f"{len(accuracy.layers)} outputs of {accuracy.layers_of} layers have a tensor of the same name in the reference",
        "",
        f"{'layer':{width}}  {'own dB':>7}  {'SQNR dB':>7}  {'clipped':>7}  {'range used':>10}  worst channel",
    ]
    for layer in accuracy.layers:
        channel = "-" if layer.worst_channel is None else str(layer.worst_channel)
        lines.append(
            f"{printable(names[layer.name]):{width}}  {_ratio(layer.own_sqnr_db):>7}  {_ratio(layer.sqnr_db):>7}  "
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


def _ratio(decibels: float | None) -> str:
    return "exact" if decibels is None else f"{decibels:.1f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g} %"
