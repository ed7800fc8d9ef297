"""How far the stored weights of a layer reach on their scale, channel by channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from npuscope.model.errors import ModelError
from npuscope.model.layer import Layer
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array, Constant
from npuscope.record import dataclass

OUTLIER = 4
"""One weight so many times larger than all others on its scale costs them two bits."""

RUINOUS = 16
"""So many times larger, and fewer than four bits are left for them, whatever they add up to."""

LEAST_WEIGHTS = 16
"""On a scale in which one can stand out: the middle of a depthwise 3x3 kernel is larger by nature."""

FEW_STEPS = 8
"""Steps on each side of zero: 16 levels, four bits."""

HALF_RANGE = 64
"""Steps on each side of zero that weights of seven bits have."""

LEAST_CHANNELS = 4
"""With a scale of their own that end at half the range: of fewer it can be chance."""

MOST_READ = 1 << 22
"""Weights of a layer that are read: a product of more is looked at no further."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the weights of a layer make of their scales.

    1. `outliers`: (channel, how many times the next largest of its scale one weight is); the channel is 0 where one
       scale serves them all.
    2. `low`: output channels that are not all zero and in which no weight is FEW_STEPS from zero, where one scale serves
       several.
    3. `halved`: weights end at half the range, on every scale; seven bits would hold them.
    """

    outliers: tuple[tuple[int, float], ...]
    low: tuple[int, ...]
    channels: int
    per_channel: bool
    halved: bool = False

    @property
    def worst(self) -> tuple[int, float] | None:
        """The outlier that stands out most."""
        return max(self.outliers, key=lambda one: one[1], default=None)


def output_axis(layer: Layer, rank: int) -> int:
    """The axis of the weights that counts a layer's output channels."""
    if layer.kind == "Gemm":
        return 0 if layer.core.integer("transB", 0) else 1
    return {"Conv": 0, "ConvTranspose": 1}.get(layer.kind, rank - 1)


def reach(layer: Layer) -> Reach | None:
    """None where weights are not constants of 8 bits with known scales, are too many, or cannot be read."""
    weight = layer.weight
    constant, quant = (weight.constant, weight.quant) if weight is not None else (None, None)
    if constant is None or quant is None or constant.dtype not in ("int8", "uint8"):
        return None
    known: _Found | None = constant.found
    if known is None or known.kind != layer.kind or not _alike(known.quant, quant):
        known = _Found(layer.kind, quant, _reach(layer, constant, quant))
        object.__setattr__(constant, "found", known)
    return known.reach


class _Found(NamedTuple):
    """Of a kind of layer, with these scales."""

    kind: str
    quant: Quant
    reach: Reach | None


def _alike(one: Quant, other: Quant) -> bool:
    """Of two quantizations: the steps from zero are the same in both."""
    if one is other:
        return True
    same = (one.axis, one.block_size, one.scale.size, one.divides)
    return same == (other.axis, other.block_size, other.scale.size, other.divides) and np.array_equal(
        one.zero_point, other.zero_point
    )


def _reach(layer: Layer, constant: Constant, quant: Quant) -> Reach | None:
    if quant.block_size or not quant.divides or not 0 < constant.size <= MOST_READ:
        return None
    try:
        stored = constant.array()
    except ModelError:
        return None
    rank = stored.ndim
    if rank < 2:
        return None
    axis = quant.axis if quant.per_channel and quant.axis is not None else output_axis(layer, rank)
    if not -rank <= axis < rank:
        return None
    rows = (stored if axis == 0 else np.moveaxis(stored, axis, 0)).reshape(stored.shape[axis], -1)
    zeros = quant.zero_point.reshape(-1, 1)
    if not {len(zeros), quant.scale.size} <= {1, len(rows)}:
        return None
    steps = _magnitudes(rows, zeros, quant.symmetric)
    tops: Array = np.maximum.reduce(steps, axis=1)
    halved = quant.symmetric and constant.dtype == "int8" and _halved(tops, quant.per_channel)
    if quant.per_channel and not _any_far(steps, tops):
        return Reach((), (), len(rows), True, halved)
    every = np.arange(len(rows))
    largest_in = steps.argmax(axis=1)
    peaks = steps[every, largest_in].astype(np.int64)
    steps[every, largest_in] = 0
    seconds = steps.max(axis=1).astype(np.int64)
    if quant.per_channel:
        return Reach(tuple(_outliers(steps, peaks, seconds)), (), len(rows), True, halved)
    largest = int(peaks.argmax())
    second = max(int(seconds[largest]), int(np.delete(peaks, largest).max(initial=0)))
    found = _outliers(steps.reshape(1, -1), peaks[[largest]], np.array([second]), np.delete(peaks, largest))
    low = np.flatnonzero((peaks > 0) & (peaks < FEW_STEPS)) if len(rows) > 1 else ()
    return Reach(tuple(found), tuple(map(int, low)), len(rows), False, halved)


def _magnitudes(rows: Array, zeros: Array, centred: bool) -> Array:
    """How many steps from zero each weight is, as uint8: where no zero point moves them this takes one pass."""
    if centred and rows.dtype == np.int8:
        return np.abs(rows).view(np.uint8)  # -128 stays what it is, and reads as 128
    return np.abs(rows.astype(np.int16) - zeros.astype(np.int16)).astype(np.uint8)


def _halved(tops: Array, per_channel: bool) -> bool:
    """Largest weights of channels end at 64 steps, as a scale of seven bits puts them; a scale may be wider for its bias."""
    if int(tops.max(initial=0)) not in (HALF_RANGE - 1, HALF_RANGE):
        return False
    used = int((tops > 0).sum())
    full = int((tops >= HALF_RANGE - 1).sum())
    return not per_channel or (used >= LEAST_CHANNELS and 2 * full >= used)


def _any_far(steps: Array, tops: Array) -> bool:
    """A row has one weight OUTLIER times as large as the next, as few have: the others all lie below that part of it."""
    if steps.shape[1] < LEAST_WEIGHTS:
        return False
    near = steps > tops[:, None] // OUTLIER
    counts = np.add.reduce(
        near.view(np.uint8), axis=1, dtype=np.uint8
    )  # of 257, too, which costs a closer look
    return 1 in counts.tolist()


def _outliers(
    rest: Array, peaks: Array, seconds: Array, others: Array | None = None
) -> Iterator[tuple[int, float]]:
    """Rows with one weight far from all others; `rest` are these, with `others` that were taken out of it."""
    if rest.shape[1] < LEAST_WEIGHTS:
        return
    times = peaks / np.maximum(seconds, 1)
    for row in np.flatnonzero(times >= OUTLIER):
        small = rest[row].astype(np.int64)
        weigh = int(small @ small) + (int(others @ others) if others is not None else 0)
        if times[row] >= RUINOUS or weigh >= peaks[row] ** 2:
            yield int(row), float(times[row])


def fits_int8(layer: Layer) -> bool:
    """The weights, less their zero point, are no larger than int8 holds; False where they cannot be read."""
    weight = layer.weight
    constant, quant = (weight.constant, weight.quant) if weight is not None else (None, None)
    if constant is None or quant is None or quant.block_size or not 0 < constant.size <= MOST_READ:
        return False
    if constant.dtype.startswith("float"):
        return False
    try:
        stored = constant.array().astype(np.int64)
    except ModelError:
        return False
    zeros = quant.zero_point.astype(np.int64)
    return (
        int(stored.min() - zeros.min()) >= -128 and int(stored.max() - zeros.min()) <= 127
        if zeros.size == 1
        else bool(np.abs(stored).max() <= 127 and not zeros.any())
    )
