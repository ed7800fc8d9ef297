"""When two tensors are stored alike, so that nothing has to be requantized between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.model.quant import Quant

ALIKE = 2e-3
"""Relative difference up to which two scales count as one.

inferred: 0.13 % apart did before the first Concat of yolov8n_micro_224 (4.0), whose board runs nothing there that requantizes. Tools that
quantize leave differences in the last digit.
"""


def stored_alike(one: Quant | None, other: Quant | None) -> bool:
    """The same values are the same integers, all but: neither is brought to the scale of the other."""
    if one is None or other is None:
        return False
    if one.same_as(other):
        return True
    if not (one.scale_known and other.scale_known and one.zero_known and other.zero_known):
        return False
    if one.scale.size != 1 or other.scale.size != 1 or not (one.divides and other.divides):
        return False
    if one.dtype != other.dtype or one.zero != other.zero:
        return False
    first, second = float(one.scale.flat[0]), float(other.scale.flat[0])
    return abs(first - second) <= ALIKE * second
