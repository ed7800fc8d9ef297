"""The range of a layer's output, from the ranges of what it reads: no run of the model needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from npuscope.edits.toolkit.ranges import dequantized
from npuscope.model.convolution import constant_first
from npuscope.model.layers import PASSES_SCALE_ON, Layer, Layers, Operand
from npuscope.model.tensors import Array

Interval = tuple[Array, Array]
"""Smallest and largest value, broadcast against each other."""

KEEPS_RANGE = PASSES_SCALE_ON | frozenset(
    {
        "MaxPool",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "ReduceMean",
        "ReduceMax",
        "Resize",
        "Upsample",
    }
)
"""Operators whose output stays between the smallest and the largest input: the input's grid holds it."""

DEPTH = 8
"""Layers followed upstream for a range."""

CONSTANT_LIMIT = 1 << 22
"""Elements of a constant that is looked at."""


Known = dict[tuple[str, int], tuple[float, float] | None]
"""The interval of a layer, so many layers from the end: paths that part meet again, each time they double."""


def output_range(
    layer: Layer, layers: Layers, depth: int = DEPTH, known: Known | None = None
) -> tuple[float, float] | None:
    """Smallest and largest value a layer can write, None where that is not known without a run."""
    known = {} if known is None else known
    if (layer.name, depth) not in known:
        known[layer.name, depth] = _finite(_interval(layer, layers, depth, known))
    return known[layer.name, depth]


def _finite(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None:
        return None
    low, high = float(np.min(interval[0])), float(np.max(interval[1]))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def tensor_range(
    operand: Operand, layers: Layers, depth: int = DEPTH, known: Known | None = None
) -> Interval | None:
    """The range of an operand: of its quantization, its values, or the layer that writes it."""
    if operand.constant is not None and operand.constant.size <= CONSTANT_LIMIT and operand.quant is None:
        values = operand.constant.array().astype(np.float64)
        return values, values
    if operand.quant is not None and not operand.quant.per_channel:
        low, high = operand.quant.range
        return np.asarray(low), np.asarray(high)
    writer = layers.writers.get(operand.seen)
    interval = output_range(writer, layers, depth - 1, known) if writer is not None and depth > 0 else None
    return None if interval is None else (np.asarray(interval[0]), np.asarray(interval[1]))


def _interval(layer: Layer, layers: Layers, depth: int, known: Known) -> Interval | None:
    if not layer.core.standard or len(layer.outputs) != 1:
        return None
    if layer.weight is not None:
        return _of_products(layer)
    with np.errstate(all="ignore"):
        ranges = [tensor_range(operand, layers, depth, known) for operand in layer.inputs]
        function = _functions(layer).get(layer.kind)
        if function is not None and ranges and ranges[0] is not None:
            return _at_corners(function, ranges[0])
        if layer.kind in _ALWAYS:
            bounds = _ALWAYS[layer.kind]
            return np.asarray(bounds[0]), np.asarray(bounds[1])
        inputs = [interval for interval in ranges if interval is not None]
        if not inputs or len(inputs) != len(ranges):
            return None
        if layer.kind == "Clip":
            return _clipped(layer, inputs[0])
        if layer.kind in KEEPS_RANGE:
            return inputs[0]
        if layer.kind in ("Mul", "Pow") and _squares(layer):
            low, high = inputs[0]
            return np.where((low < 0) & (high > 0), 0.0, np.minimum(low**2, high**2)), np.maximum(
                low**2, high**2
            )
        return _combined(layer, inputs)


def _of_products(layer: Layer) -> Interval | None:
    """What sums of products can be at any input its quantization can hold, as for the parts of a split layer.

    Only behind quantized inputs, further on such bounds are too wide to be of use; and only for weights the model has
    as integers: a float model is not quantized layer by layer.
    """
    weight, bias = layer.weight, layer.bias
    source = layer.input.quant if layer.input is not None else None
    if weight is None or weight.constant is None or weight.constant.size > CONSTANT_LIMIT:
        return None
    if (
        source is None
        or source.per_channel
        or len(layer.inputs) != 1
        or (bias is not None and bias.constant is None)
    ):
        return None
    if layer.kind not in ("Conv", "Gemm", "MatMul") or weight.quant is None or weight.quant.block_size:
        return None
    values = dequantized(weight, weight.constant.array()).astype(np.float64)
    if values.ndim < 2:
        return None
    if layer.kind == "MatMul":
        summed: tuple[int, ...] = (values.ndim - 1,) if constant_first(layer) else (values.ndim - 2,)
    else:
        out = 0 if layer.kind == "Conv" or layer.core.integer("transB", 0) else 1
        summed = tuple(axis for axis in range(values.ndim) if axis != out)
    low, high = min(source.range[0], 0.0), max(source.range[1], 0.0)  # pads are zeros
    positive, negative = np.maximum(values, 0).sum(summed), np.minimum(values, 0).sum(summed)
    ends = np.stack((positive * low + negative * high, positive * high + negative * low))
    if layer.kind == "Gemm":
        alpha = layer.core.attribute("alpha")
        ends = np.sort(ends * (alpha if isinstance(alpha, float) else 1.0), axis=0)
    added = np.zeros(1)
    if bias is not None and bias.constant is not None:
        beta = layer.core.attribute("beta") if layer.kind == "Gemm" else None
        added = dequantized(bias, bias.constant.array()) * (beta if isinstance(beta, float) else 1.0)
    return np.asarray(np.min(ends[0]) + np.min(added)), np.asarray(np.max(ends[1]) + np.max(added))


def _squares(layer: Layer) -> bool:
    """x * x, or x to the power of 2."""
    if len(layer.inputs) != 2:
        return False
    one, two = layer.inputs
    if layer.kind == "Mul":
        return one.seen == two.seen
    return (
        two.constant is not None
        and two.constant.size == 1
        and float(two.constant.array().reshape(-1)[0]) == 2.0
    )


_ALWAYS: Mapping[str, tuple[float, float]] = {
    "Sigmoid": (0.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Erf": (-1.0, 1.0),
    "Sin": (-1.0, 1.0),
    "Cos": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
}
"""Operators with these bounds whatever they read."""


def _functions(layer: Layer) -> Mapping[str, Callable[[Array], Array]]:
    """Functions of one operand whose extremes lie at the ends of a range, or at -1.5 or 0."""

    def number(name: str, default: float) -> float:
        value = layer.core.attribute(name)
        return float(value) if isinstance(value, float) else default

    def leaky(slope: Array) -> Callable[[Array], Array]:
        return lambda x: np.where(x < 0, slope * x, x)

    slopes = layer.inputs[1].constant if layer.kind == "PRelu" and len(layer.inputs) == 2 else None
    functions: dict[str, Callable[[Array], Array]] = {
        "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "Tanh": np.tanh,
        "Relu": lambda x: np.maximum(x, 0),
        "LeakyRelu": leaky(np.asarray(number("alpha", 0.01))),
        "HardSigmoid": lambda x: np.clip(number("alpha", 0.2) * x + number("beta", 0.5), 0, 1),
        "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "Abs": np.abs,
        "Neg": np.negative,
        "Exp": np.exp,
        "Sqrt": lambda x: np.sqrt(np.maximum(x, 0)),
    }
    if slopes is not None and slopes.size <= CONSTANT_LIMIT:
        functions["PRelu"] = leaky(slopes.array().astype(np.float64))
    return functions


def _at_corners(function: Callable[[Array], Array], ends: Interval) -> Interval:
    low, high = ends
    values = [
        function(np.clip(corner, low, high)) for corner in (low, high, np.asarray(0.0), np.asarray(-1.5))
    ]
    return (
        np.asarray(min(float(np.min(v)) for v in values)),
        np.asarray(max(float(np.max(v)) for v in values)),
    )


def _clipped(layer: Layer, ends: Interval) -> Interval | None:
    bounds = [-math.inf, math.inf]
    for position, name in enumerate(("min", "max")):
        attribute = layer.core.attribute(name)
        if isinstance(attribute, float):
            bounds[position] = attribute
        wanted = layer.core.input(position + 1)
        constant = next((o.constant for o in layer.parameters if wanted and o.seen == wanted), None)
        if wanted and constant is None:
            return None
        if constant is not None:
            bounds[position] = float(constant.array().reshape(-1)[0])
    low, high = bounds
    return np.clip(ends[0], low, high), np.clip(ends[1], low, high)


def _combined(layer: Layer, ranges: list[Interval]) -> Interval | None:
    """Sums, products, quotients, Max, Min and Concat of several operands."""
    if layer.kind == "Concat":
        lows, highs = [r[0].min() for r in ranges], [r[1].max() for r in ranges]
        return np.asarray(min(lows)), np.asarray(max(highs))
    low, high = ranges[0]
    for other_low, other_high in ranges[1:]:
        if layer.kind in ("Add", "Sum"):
            low, high = low + other_low, high + other_high
        elif layer.kind == "Sub":
            low, high = low - other_high, high - other_low
        elif layer.kind in ("Max", "Min"):
            pick = np.maximum if layer.kind == "Max" else np.minimum
            low, high = pick(low, other_low), pick(high, other_high)
        elif layer.kind == "Mul":
            corners = [a * b for a in (low, high) for b in (other_low, other_high)]
            low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        elif layer.kind == "Div" and (np.all(other_low > 0) or np.all(other_high < 0)):
            corners = [a / b for a in (low, high) for b in (other_low, other_high)]
            low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        else:
            return None
    return low, high
