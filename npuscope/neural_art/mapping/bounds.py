"""A Relu or Clip and the range of what it reads: one that cuts nothing is no step."""

from __future__ import annotations

from npuscope.model.layers import ACTIVATIONS, Layer
from npuscope.neural_art.mapping.scales import stored_alike


def vanishes(layer: Layer) -> bool:
    """A Relu or Clip within whose bounds the values its input can hold already lie, and which leaves their scale."""
    source, result = layer.input, layer.output
    if layer.kind not in ACTIVATIONS:
        return False
    if (
        source is None
        or result is None
        or source.quant is None
        or not stored_alike(source.quant, result.quant)
    ):
        return False
    low, high = source.quant.range
    step = float(source.quant.scale.flat[0])
    if layer.kind == "Relu":
        return low >= -step / 2
    return _within_bounds(layer, low, high, step)


def _within_bounds(layer: Layer, low: float, high: float, step: float) -> bool:
    """A range lies within the bounds of a Clip."""
    bounds = [_number(layer, "min", 0, -float("inf")), _number(layer, "max", 1, float("inf"))]
    return (
        bounds[0] is not None
        and bounds[1] is not None
        and low >= bounds[0] - step
        and high <= bounds[1] + step
    )


def _number(layer: Layer, attribute: str, position: int, default: float) -> float | None:
    """A bound of a Clip, as an attribute or as an input; None where it is not known."""
    value = layer.core.attribute(attribute)
    if isinstance(value, float):
        return value
    name = layer.core.input(position + 1)
    if not name:
        return default
    constant = next((p.constant for p in layer.parameters if p.seen == name), None)
    return float(constant.array().reshape(-1)[0]) if constant is not None and constant.size == 1 else None
