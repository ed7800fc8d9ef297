"""Sparse constants: only the values that are not zero are stored, and where they lie, level by level.

Source: tensorflow/lite/kernels/internal/utils/sparsity_format_converter.cc; tables SparsityParameters and
DimensionMetadata of schema.fbs.
"""

from __future__ import annotations

import math

import numpy as np

from npuscope.record import dataclass
from npuscope.tflite.flatbuffer import Array, DamagedError, Table

MOST_DENSE = 1 << 26
"""Values up to which a constant is written out."""

_INDEX_TYPES = {1: "int32", 2: "uint16", 3: "uint8"}


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One dimension, or block of one: all of `size`, or what `segments` and `indices` name."""

    size: int
    segments: Array | None
    indices: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class Sparsity:
    """Which values of a tensor are stored, in which order."""

    order: tuple[int, ...]
    blocks: tuple[int, ...]
    levels: tuple[Level, ...]


def sparsity(table: Table | None, name: str) -> Sparsity | None:
    """The layout that a tensor states; None for a dense one. Raises DamagedError."""
    if table is None:
        return None
    order, blocks = table.integers(0), table.integers(1)
    levels = tuple(_level(level) for level in table.tables(2))
    if len(levels) != len(order) or len(order) > 16 or sorted(order) != list(range(len(order))):
        raise DamagedError(f"states a sparse layout of '{name}' that is invalid")
    return Sparsity(order, blocks, levels)


def _level(table: Table) -> Level:
    if not table.integer(0, "int8"):
        return Level(table.integer(1), None, None)
    return Level(0, _numbers(table, 2), _numbers(table, 4))


def _numbers(table: Table, slot: int) -> Array:
    kind, vector = _INDEX_TYPES.get(table.integer(slot, "uint8")), table.table(slot + 1)
    values = None if kind is None or vector is None else vector.vector(0, kind)
    if values is None:
        return np.zeros(0, np.int64)
    table.bytes.spend(8 * values.size)
    return np.asarray(values, np.int64)


def dense(values: Array, shape: tuple[int, ...], layout: Sparsity, name: str) -> Array:
    """All values of a tensor. Raises DamagedError where the stored ones do not fit."""
    rank, count = len(shape), math.prod(shape)
    if count > MOST_DENSE or len(layout.order) != rank + len(layout.blocks):
        raise DamagedError(f"states a sparse layout of '{name}' that does not fit its {rank} axes")
    previous, places = np.zeros(1, np.int64), list[Array]()
    for level in layout.levels:
        kept, previous, own = _expanded(level, previous, count, name)
        places = [place[kept] for place in places]
        places.append(own)
    if previous.size != values.size or (previous.size and int(np.max(previous)) >= values.size):
        raise DamagedError(f"holds {values.size} values for a sparse layout of {previous.size} in '{name}'")
    indices: list[Array | None] = [None] * rank
    for position, axis in enumerate(layout.order):
        if axis < rank:
            indices[axis] = places[position]
            continue
        block = layout.blocks[axis - rank]
        outer = indices[block] if 0 <= block < rank else None
        if outer is None:
            raise DamagedError(f"states a block of axis {block} of '{name}', which has {rank}")
        indices[block] = outer * layout.levels[position].size + places[position]
    made = np.zeros(shape, values.dtype)
    index = [place for place in indices if place is not None]
    if any(
        place.size and (int(place.min()) < 0 or int(place.max()) >= size)
        for place, size in zip(index, shape, strict=True)
    ):
        raise DamagedError(f"places values of '{name}' outside its sizes")
    made[tuple(index)] = values
    return made


def _expanded(level: Level, previous: Array, most: int, name: str) -> tuple[Array, Array, Array]:
    """For each place of the next level: the one it lies under, its running number, its coordinate."""
    if level.segments is None or level.indices is None:
        if not 0 <= level.size <= most or previous.size * level.size > most:
            raise DamagedError(f"states a sparse layout of '{name}' with more values than it has")
        kept = np.repeat(np.arange(previous.size), level.size)
        own = np.tile(np.arange(level.size), previous.size)
        return kept, previous[kept] * level.size + own, own
    segments, indices = level.segments, level.indices
    if previous.size and int(np.max(previous)) + 1 >= segments.size:
        raise DamagedError(f"states {segments.size} segments of '{name}', fewer than are read")
    starts, counts = segments[previous], segments[previous + 1] - segments[previous]
    if counts.size and (int(counts.min()) < 0 or int(starts.min()) < 0):
        raise DamagedError(f"states segments of '{name}' that run backwards")
    total = sum(counts.tolist())
    if total > most or (counts.size and int((starts + counts).max()) > indices.size):
        raise DamagedError(f"states segments of '{name}' beyond its {indices.size} indices")
    kept = np.repeat(np.arange(previous.size), counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    positions = starts[kept] + within
    return kept, positions, indices[positions]
