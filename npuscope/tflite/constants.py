"""Constants: of the file, and what follows from constants alone (shape arithmetic, half-float weights)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npuscope.tflite.flatbuffer import Array
from npuscope.tflite.schema import Quantization


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """Values in the file's order, and their quantization."""

    array: Array
    quant: Quantization | None = None


def real_values(array: Array, quant: Quantization, axis: int) -> Array:
    """float32 values of quantized ones."""
    shape = [1] * array.ndim
    if quant.per_channel:
        shape[axis] = -1
    scale, zero = quant.scale.astype(np.float64).reshape(shape), quant.zero_point.reshape(shape)
    return ((array.astype(np.int64) - zero) * scale).astype(np.float32)
