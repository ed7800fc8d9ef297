"""What a constant holds: some values, their range and spread, a histogram. Reads a bounded part of a large one."""

from __future__ import annotations

import numpy as np

from npuscope.model.errors import ModelError
from npuscope.model.inspection.extent import dtype_bits
from npuscope.model.tensors import Array, Constant, SparseConstant, numpy_type
from npuscope.record import dataclass

MOST_VALUES = 1 << 18
"""Values that are looked at; of a larger constant, as many in pieces spread evenly over it."""

PIECES = 64

MOST_WHOLE = 64 << 20
"""Bytes of a constant up to which one that cannot be read in pieces is read whole."""

SHOWN = 64
"""Values that are written out, from the first on."""


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """Figures of the values that were looked at.

    1. `looked` of `size` values; not all of them where the constant is large.
    2. `low` and `high` are the smallest and largest finite value; `zeros` counts zeros, `odd` what is not finite.
    3. `at_limits` counts values at the ends of an integer type: what saturated when it was quantized, among others.
    4. `bins` are counts of equal steps from `low` to `high`; none where there is nothing to tell apart.
    5. `first` are the first values, as text.
    """

    size: int
    looked: int
    low: float
    high: float
    mean: float
    deviation: float
    zeros: int
    odd: int
    at_limits: int
    bins: tuple[int, ...]
    first: tuple[str, ...]


BINS = 32
"""Of the histogram, at most."""


def contents(constant: Constant) -> Contents:
    """Look at a constant. Raises ModelError where its values cannot be read or are not numbers."""
    values = _some(constant)
    if values.dtype.kind in "OSU":
        first = tuple(str(item)[:80] for item in values[:SHOWN].tolist())
        return Contents(constant.size, values.size, 0, 0, 0, 0, 0, 0, 0, (), first)
    first = tuple(_word(item) for item in values[:SHOWN])
    numbers = values.real.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    odd = numbers.size - finite.size
    if not finite.size:
        return Contents(constant.size, values.size, 0, 0, 0, 0, 0, odd, 0, (), first)
    low, high = float(np.min(finite)), float(np.max(finite))
    counts: tuple[int, ...] = ()
    with np.errstate(all="ignore"):
        mean, deviation = float(finite.mean()), float(finite.std())
        if high > low and np.isfinite(high - low):
            steps = BINS
            if values.dtype.kind in "iub" and high - low + 1 < BINS:
                steps = int(high - low) + 1
            counts = tuple(np.histogram(finite, steps, (low, high))[0].tolist())
    return Contents(
        constant.size,
        values.size,
        low,
        high,
        mean,
        deviation,
        int((finite == 0).sum()),
        odd,
        _at_limits(constant.dtype, finite),
        counts,
        first,
    )


def _at_limits(dtype: str, values: Array) -> int:
    bits = dtype_bits(dtype)
    if not dtype.startswith(("int", "uint")) or bits > 16:
        return 0
    low, high = (0, (1 << bits) - 1) if dtype.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)
    return int(((values == low) | (values == high)).sum())


def _word(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _some(constant: Constant) -> Array:
    """All values of a small constant in one row; of a large one pieces of it."""
    if constant.size <= MOST_VALUES:
        return constant.array().reshape(-1)
    length = MOST_VALUES // PIECES
    starts = [i * (constant.size - length) // (PIECES - 1) for i in range(PIECES)]
    kind = numpy_type(constant.dtype)
    file, span = constant.file, constant.span
    if constant.value is None and file is not None and span is not None and kind is not None:
        width = dtype_bits(constant.dtype) // 8
        if width and kind.itemsize == width and span.length == constant.nbytes:
            parts = [file.read(span.offset + start * width, length * width) for start in starts]
            return np.frombuffer(b"".join(parts), kind.newbyteorder("<"))
    if constant.nbytes > MOST_WHOLE or isinstance(constant, SparseConstant):
        raise ModelError(
            f"tensor {constant.name!r}: {constant.nbytes >> 20} MiB that lie packed are not looked at"
        )
    flat = constant.array().reshape(-1)
    return np.concatenate([flat[start : start + length] for start in starts])
