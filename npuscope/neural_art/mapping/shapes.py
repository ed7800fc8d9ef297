"""Shapes: what the dimensions of a tensor make it for the compiler, whose own are batch, channels, height and width."""

from __future__ import annotations

import math
from typing import TypeGuard

Dims = tuple[int, ...] | None
"""None where a dimension is not known."""

MAP_RANK = 4
"""Dimensions of a map of height and width."""


def positions(dims: tuple[int, ...]) -> int:
    """Of each channel."""
    return math.prod(dims[2:])


def has_rank(dims: Dims, *ranks: int) -> TypeGuard[tuple[int, ...]]:
    """It is known to have so many dimensions, or as many as one of these."""
    return dims is not None and len(dims) in ranks


def of_map(dims: Dims) -> TypeGuard[tuple[int, ...]]:
    """Four dimensions, of more than one channel and position."""
    return has_rank(dims, MAP_RANK) and dims[1] > 1 and positions(dims) > 1


def of_rows(dims: Dims) -> TypeGuard[tuple[int, ...]]:
    """Three dimensions, of more than one channel and position."""
    return has_rank(dims, 3) and min(dims[1:]) > 1
