"""Ranges of partial sums, and the quantization that holds a range."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import numpy as np

from npuscope.edits.toolkit.weighted import Weighted
from npuscope.model.layers import Operand
from npuscope.model.tensors import Array
from npuscope.record import dataclass

INTEGERS = frozenset({"int8", "uint8", "int16", "uint16"})
"""Element types activations are quantized to."""


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """Smallest and largest value of a sum, for each output channel."""

    low: Array
    high: Array

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value over all channels."""
        return float(self.low.min()), float(self.high.max())


def limits(dtype: str) -> tuple[int, int]:
    """Smallest and largest number of an integer type."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def quantization(low: float, high: float, dtype: str) -> tuple[float, int]:
    """(scale, zero point) that hold a range, as onnxruntime's MinMax calibration makes them: with 0 in the range."""
    smallest, largest = limits(dtype)
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / (largest - smallest)))
    if not math.isfinite(scale) or scale < np.finfo(np.float32).tiny:
        return 1.0, 0
    zero_point = round(smallest - low / scale)
    return scale, min(max(zero_point, smallest), largest)


def partial_ranges(weighted: Weighted, sizes: tuple[int, ...]) -> list[Range]:
    """What the partial sum of each part can be, at any input its quantization can hold. The bias is in part 0's.

    The layer's input must be quantized.
    """
    assert weighted.input.quant is not None
    low, high = weighted.input.quant.range
    gain = _factor(weighted, "alpha")
    ranges = []
    for start, stop in pairwise(accumulate(sizes, initial=0)):
        weights = dequantized(weighted.weight, weighted.values, weighted.weight_in, start, stop)
        summed = tuple(axis for axis in range(weights.ndim) if axis != weighted.weight_out)
        if weighted.layer.kind == "MatMul":
            summed = (weighted.weight_in,)  # matrices of a batch stay apart
        positive = gain * np.maximum(weights, 0).sum(summed, dtype=np.float64)
        negative = gain * np.minimum(weights, 0).sum(summed, dtype=np.float64)
        if gain < 0:
            positive, negative = negative, positive
        ranges.append(Range(positive * low + negative * high, positive * high + negative * low))
    bias = weighted.layer.bias
    if bias is not None and bias.constant is not None:
        values = bias.constant.array()
        real = _factor(weighted, "beta") * dequantized(bias, values).astype(np.float64)
        rows = real.reshape(-1, real.shape[-1] if real.ndim else 1)
        ranges[0] = ranges[0] + Range(rows.min(axis=0), rows.max(axis=0))
    return ranges


def _factor(weighted: Weighted, name: str) -> float:
    value = weighted.layer.core.attribute(name)
    return float(value) if isinstance(value, float) and weighted.layer.kind == "Gemm" else 1.0


def dequantized(
    operand: Operand, values: Array, axis: int = 0, start: int = 0, stop: int | None = None
) -> Array:
    """`values` of a constant operand, or a range of them along an axis, as real numbers in float32."""
    picked = slice(start, stop)
    part = values[(slice(None),) * axis + (picked,)] if values.ndim else values
    quant = operand.quant
    if quant is None or values.dtype.kind == "f":
        return part.astype(np.float32)
    if quant.axis is None:
        return (part.astype(np.float32) - np.float32(quant.zero)) * np.float32(quant.scale[0])
    along = quant.axis % values.ndim
    shape = [-1 if i == along else 1 for i in range(values.ndim)]
    channels = picked if along == axis else slice(None)
    zero = quant.zero_point[channels].reshape(shape).astype(np.float32)
    return (part.astype(np.float32) - zero) * quant.scale[channels].reshape(shape)
