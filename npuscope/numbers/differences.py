"""How far apart two tensors are, over all samples, without keeping them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npuscope.model.errors import ModelError
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array
from npuscope.record import dataclass

SQNR_LIMIT_DB = 200.0
"""Ratios are kept within this many dB, so that they stay numbers where signal or difference is zero."""

LEAST_DECIBELS = 25.0
"""What every output keeps, signal to difference, where nobody names another bound."""

STEPS_LIMIT = 1e9
"""Stands for a difference that is not finite."""


@dataclass(frozen=True, slots=True)
class OutputDifference:
    """One output of two models.

    1. `max_steps` and `mean_steps` count steps of `step` (a real number) of the reference.
    2. `step_from` says where the step is from: 'quantization', 'integer' (the output is one, its step 1) or
       'range/255' (a float output without quantization).
    3. `sqnr_db` is 10 log10(sum of squares of the reference / of the difference), None where there is none.
    """

    name: str
    bit_exact: bool
    max_steps: float
    mean_steps: float
    sqnr_db: float | None
    cosine: float
    step: float
    step_from: str
    differing: int
    """Elements that differ, of `elements`."""
    elements: int

    def to_json(self) -> dict[str, Any]:
        """The object `verify --json` prints for an output."""
        return {
            "name": self.name,
            "bit_exact": self.bit_exact,
            "max_steps": self.max_steps,
            "mean_steps": self.mean_steps,
            "sqnr_db": self.sqnr_db,
            "cosine": self.cosine,
            "step": self.step,
            "step_from": self.step_from,
            "differing": self.differing,
            "elements": self.elements,
        }


PIECE = 1 << 13
"""Elements compared at a time: all that is worked out for them stays in the cache. From 10,000 on, products of vectors are shared
among threads, which wait for each other longer than they compute."""


class DifferenceMeter:
    """Gathers the difference of one output, sample by sample."""

    def __init__(self, name: str, quant: Quant | None) -> None:
        self.name, self.quant = name, quant
        self.exact, self.integer = True, False
        self.elements = self.differing = 0
        self.largest = self.total = 0.0
        self.signal = self.noise = self.other = self.product = 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, reference: Array, actual: Array) -> None:
        """One sample. Raises ModelError where the two cannot be compared."""
        if reference.shape != actual.shape or reference.dtype.kind != actual.dtype.kind:
            raise ModelError(
                f"output {self.name!r} is {reference.dtype} {list(reference.shape)} in one model and "
                f"{actual.dtype} {list(actual.shape)} in the other"
            )
        if reference.dtype.kind not in "biuf":
            raise ModelError(f"output {self.name!r} is {reference.dtype}; only numbers can be compared")
        self.integer = reference.dtype.kind != "f"
        one, other = reference.reshape(-1), actual.reshape(-1)
        for begin in range(0, max(one.size, 1), PIECE):
            self._add(one[begin : begin + PIECE], other[begin : begin + PIECE])

    def _add(self, reference: Array, actual: Array) -> None:
        a, b = reference.astype(np.float64), actual.astype(np.float64)
        if self.integer and self.quant is not None:
            a -= self.quant.zero
            b -= self.quant.zero
        with np.errstate(all="ignore"):
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            difference = np.where(same, 0.0, np.abs(a - b))
        difference[~np.isfinite(difference)] = math.inf
        self.elements += a.size
        self.differing += int(np.count_nonzero(~same))
        self.exact &= bool(same.all())
        finite = np.isfinite(a) & np.isfinite(b)
        self.largest = max(self.largest, float(difference.max(initial=0.0)))
        self.total += float(difference.sum())
        self.noise += float(np.square(difference).sum())
        a, b = a[finite], b[finite]
        self.signal += float(a @ a)
        self.other += float(b @ b)
        self.product += float(a @ b)
        self.low = min(self.low, float(np.min(a, initial=self.low)))
        self.high = max(self.high, float(np.max(a, initial=self.high)))

    def result(self) -> OutputDifference:
        """The difference over all samples."""
        step, step_from = self._step()
        # Integers were compared as they are: a difference of one is one step.
        unit = 1.0 if self.integer else step
        return OutputDifference(
            name=self.name,
            bit_exact=self.exact,
            max_steps=_bounded(self.largest / unit),
            mean_steps=_bounded(self.total / unit / max(self.elements, 1)),
            sqnr_db=None if self.exact else _decibels(self.signal, self.noise),
            cosine=self._cosine(),
            step=step,
            step_from=step_from,
            differing=self.differing,
            elements=self.elements,
        )

    def _step(self) -> tuple[float, str]:
        scale = float(self.quant.scale[0]) if self.quant is not None else 0.0
        if 0 < scale < math.inf:
            return scale, "quantization"
        if self.integer:
            return 1.0, "integer"
        spread = self.high - self.low
        if not (math.isfinite(spread) and spread > 0):
            spread = max(abs(self.high), abs(self.low)) if math.isfinite(self.high) else 0.0
        return (spread / 255 or 1.0), "range/255"

    def _cosine(self) -> float:
        norm = math.sqrt(self.signal) * math.sqrt(self.other)
        if norm == 0:
            return 1.0 if self.exact else 0.0
        return max(-1.0, min(1.0, self.product / norm))


def _bounded(steps: float) -> float:
    return min(steps, STEPS_LIMIT) if not math.isnan(steps) else STEPS_LIMIT


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return SQNR_LIMIT_DB
    if signal == 0 or not math.isfinite(noise):
        return -SQNR_LIMIT_DB
    return max(-SQNR_LIMIT_DB, min(SQNR_LIMIT_DB, 10 * math.log10(signal / noise)))
