"""Orders of axes: the file's, and channels first (batch, last axis, the others)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from npuscope.tflite.flatbuffer import DamagedError


def channels_first(rank: int) -> tuple[int, ...]:
    """The axes of the file, in the order of a tensor held channels first."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The other way around: a Transpose's perm from channels first to the file's order."""
    return (0, *range(2, rank), 1) if rank > 2 else tuple(range(rank))


def axis_of(axis: int, rank: int, cf: bool) -> int:
    """An axis of the file, possibly counted from the end, as an axis of the held tensor."""
    if not -rank <= axis < rank:
        raise DamagedError(f"refers to axis {axis} of a tensor of {rank} axes")
    return channels_first(rank).index(axis % rank) if cf else axis % rank


def arranged(shape: Sequence[int], cf: bool) -> tuple[int, ...]:
    """A shape of the file in held order."""
    return tuple(shape[axis] for axis in channels_first(len(shape))) if cf else tuple(shape)


def order_free(shape: Sequence[int]) -> bool:
    """Both orders hold the same values in the same sequence."""
    return len(shape) < 3 or shape[-1] == 1 or math.prod(shape[1:-1]) == 1


def without(rank: int, removed: Iterable[int]) -> bool | None:
    """The order left when axes of the file are dropped from a tensor held channels first.

    True for channels first, False for the file's, None for neither.
    """
    taken_out = set(removed)
    kept = [axis for axis in channels_first(rank) if axis not in taken_out]
    order = tuple(sorted(kept).index(axis) for axis in kept)
    if order == tuple(range(len(order))):
        return False
    return True if order == channels_first(len(order)) else None
