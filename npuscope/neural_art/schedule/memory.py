"""Where weights and activations lie.

1. A buffer takes the first place that is free over its whole life, in the pools in the target's order of preference.
2. One that fits in no pool takes neighbouring banks, as the compiler's virtual pools do, then external memory.
3. Buffers that fit in a bank of the NPU are placed first, larger before smaller; then the others, those read last first. inferred: so
   90 of 91 networks of ST's tables have the external RAM that is listed; larger first gives 83 (docs/accuracy-cost.md).
4. Wide sums of sub-masks take no neighbouring banks: those of four SqueezeNext would fit there (ST's tables, 3.0: external RAM of two,
   the time of all four).
5. Where there are very many, the smallest lie together, in as much room as they take at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec, contiguous
from npuscope.model.budget import tick
from npuscope.neural_art.schedule.dataflow import Buffer, alive
from npuscope.npu.cost import Memory, Pool, Share

Rows = NDArray[np.int64]
Ranges = list[tuple[int, int]]
"""(first address, address behind the last), sorted."""

MOST_LOOKED = 1 << 22
"""Buffers that are looked at to place others, before the rest is placed together: half a second."""

SHORT_LIFE, FEW = 16, 64
"""Epochs a buffer lives in, and ranges beside it, up to which they are looked through one by one."""

ALIGNMENT = 16
"""Bytes; every buffer of the c_info files begins at a multiple."""


def allocate(buffers: Sequence[Buffer], weights: Mapping[str, int], epochs: int, target: Target) -> Memory:
    """Put buffers and weights (layer name -> bytes) in the target's pools."""
    room, where = _activations(buffers, epochs, target)
    used = {pool.name: room.used(pool) for pool in target.activation_pools}
    weights_in = _constants(weights, used, target)
    taken = dict.fromkeys((pool.name for pool in target.pools), 0)
    for layer, pool_name in weights_in.items():
        taken[pool_name] += weights[layer]
    pools = tuple(
        Pool(
            pool.name,
            pool.size,
            used.get(pool.name, 0) + taken[pool.name],
            weights=taken[pool.name],
            activations=used.get(pool.name, 0),
        )
        for pool in target.pools
    )
    return Memory(
        pools=pools,
        weights_bytes=sum(weights.values()),
        peak_activations=_peak(buffers, epochs),
        buffers=where,
        weights_in=weights_in,
    )


def lying(
    buffers: Sequence[Buffer], weights: Mapping[str, int], epochs: int, target: Target
) -> tuple[dict[str, tuple[Share, ...]], dict[str, str]]:
    """Where buffers and weights lie, as `allocate` says, without a word on how full the pools are."""
    room, where = _activations(buffers, epochs, target)
    holds_weights = {pool.name for pool in target.weight_pools}
    shared = [pool for pool in target.activation_pools if pool.name in holds_weights]
    return where, _constants(weights, {pool.name: room.used(pool) for pool in shared}, target)


def _activations(
    buffers: Sequence[Buffer], epochs: int, target: Target
) -> tuple[_Room, dict[str, tuple[Share, ...]]]:
    spaces = _spaces(target)
    room = _Room(len(buffers), spaces)
    where: dict[str, tuple[Share, ...]] = {}
    sums = [buffer for buffer in buffers if buffer.whole]
    inside = sum(pool.size for pool in target.activation_pools if not pool.external)
    quickest = min((pool.freq_ratio for pool in target.activation_pools), default=0.0)
    bank = max((pool.size for pool in target.activation_pools if pool.freq_ratio == quickest), default=0)
    order = sorted((b for b in buffers if b.size), key=lambda b: _turn(b, bank))
    for index, buffer in enumerate(order):
        tick()
        if room.looked > MOST_LOOKED:
            together = room.place(_together(order[index:], epochs), spaces)
            where.update((rest.name, together) for rest in order[index:])
            break
        if buffer.whole and _beside_it(buffer, sums) <= inside:
            buffer = buffer._replace(whole=False)
        where[buffer.name] = room.place(buffer, spaces)
    return room, where


def _turn(buffer: Buffer, bank: int) -> tuple[bool, int, int, int, str]:
    """What is placed before what: what fits in a bank of the NPU by size, then the rest, what is read last first."""
    large = buffer.size > bank
    return large, -buffer.last if large else 0, -buffer.size, buffer.first, buffer.name


def _beside_it(buffer: Buffer, others: Sequence[Buffer]) -> int:
    """Bytes of a buffer and of those others that live with it."""
    return sum(other.size for other in others if other.first <= buffer.last and other.last >= buffer.first)


def _together(buffers: Sequence[Buffer], epochs: int) -> Buffer:
    """One buffer that lives as long as any of those, as large as they are at once."""
    aligned = [b._replace(size=-(-b.size // ALIGNMENT) * ALIGNMENT) for b in buffers]
    return Buffer("", _peak(aligned, epochs), min(b.first for b in buffers), max(b.last for b in buffers))


def _peak(buffers: Sequence[Buffer], epochs: int) -> int:
    """Most bytes of buffers alive at once."""
    return max(alive(buffers, epochs), default=0)


def _spaces(target: Target) -> list[tuple[PoolSpec, ...]]:
    """The pools, alone or as runs of banks, in the order they are tried; the last one takes what fits nowhere."""
    pools = target.activation_pools
    on_chip = [(pool,) for pool in pools if not pool.external]
    external = [(pool,) for pool in pools if pool.external]
    return [*on_chip, *contiguous(target.pools), *external]


class _Room:
    """Address ranges taken so far, and when."""

    def __init__(self, count: int, spaces: Sequence[tuple[PoolSpec, ...]]) -> None:
        self.overflows: str | None = None
        """The pool that holds what fits nowhere."""
        self.looked = 0
        """Buffers looked at so far, to find room for others: those placed weigh less than those alive at once."""
        self.rows: list[tuple[int, int, int, int]] = []
        """Of each: first epoch, last epoch, first address, address behind the last."""
        self.columns, self.written = np.zeros((4, count), np.int64), 0
        """The same as an array, as far as it was asked for."""
        self.short: dict[int, dict[int, tuple[int, int]]] = {}
        """Epoch -> what buffers of a short life take in it, by identity."""
        self.long: list[tuple[Buffer, tuple[int, int]]] = []
        """What the others take."""
        self.whole = {pool.name: (Share(pool.name, 1.0),) for space in spaces for pool in space}

    def place(self, buffer: Buffer, spaces: Sequence[tuple[PoolSpec, ...]]) -> tuple[Share, ...]:
        """Take room for a buffer; its shares of the pools."""
        few = self.few_beside(buffer)
        beside = self.beside(buffer) if few is None else few
        self.looked += len(self.rows) // 16 + (len(beside) if isinstance(beside, list) else beside.shape[1])
        for space in spaces:
            if buffer.whole and len(space) > 1:
                continue
            begin, end = space[0].address, space[-1].address + space[-1].size
            gap = _gap(beside, begin, end, buffer.size)
            if gap is not None:
                return self.take(buffer, gap, space)
        # What fits nowhere is shown where it would spill to, so that the overflow is seen.
        last = spaces[-1][-1]
        self.overflows = last.name
        ends = [end for _, end in beside] if isinstance(beside, list) else beside[1].tolist()
        return self.take(buffer, max([last.address + last.size, *ends]), (last,))

    def taken(self) -> Rows:
        """All that is taken so far, a column for each buffer."""
        count = len(self.rows)
        if self.written < count:
            self.columns[:, self.written : count] = np.array(self.rows[self.written :], np.int64).T
            self.written = count
        return self.columns[:, :count]

    def beside(self, buffer: Buffer) -> Rows:
        """The ranges taken while a buffer lives, sorted."""
        taken = self.taken()
        rows = taken[2:, (taken[0] <= buffer.last) & (taken[1] >= buffer.first)]
        return rows[:, rows[0].argsort()]

    def few_beside(self, buffer: Buffer) -> Ranges | None:
        """The same where they are few, as they mostly are; None where they may be many."""
        if buffer.last - buffer.first > SHORT_LIFE or len(self.long) > FEW:
            return None
        together: dict[int, tuple[int, int]] = {}
        short = self.short
        for epoch in range(buffer.first, buffer.last + 1):
            if epoch in short:
                together.update(short[epoch])
                if len(together) > FEW:
                    return None
        for long_lived, taken in self.long:
            if long_lived.first <= buffer.last and long_lived.last >= buffer.first:
                together[id(taken)] = taken
        return sorted(together.values())

    def take(self, buffer: Buffer, begin: int, space: tuple[PoolSpec, ...]) -> tuple[Share, ...]:
        end = begin + -(-buffer.size // ALIGNMENT) * ALIGNMENT
        self.rows.append((buffer.first, buffer.last, begin, end))
        taken = (begin, end)
        if buffer.last - buffer.first > SHORT_LIFE:
            self.long.append((buffer, taken))
        else:
            for epoch in range(buffer.first, buffer.last + 1):
                self.short.setdefault(epoch, {})[id(taken)] = taken
        if len(space) == 1:
            return self.whole[space[0].name]
        parts = [(pool, min(end, pool.address + pool.size) - max(begin, pool.address)) for pool in space]
        return tuple(Share(pool.name, part / (end - begin)) for pool, part in parts if part > 0)

    def used(self, pool: PoolSpec) -> int:
        """Bytes of a pool that any buffer lies in at any time."""
        begins, ends = self.taken()[2:]
        limit = pool.address + pool.size if pool.name != self.overflows else 1 << 62
        inside = (begins < limit) & (ends > pool.address)
        total, covered = 0, pool.address
        for begin, end in sorted(set(zip(begins[inside].tolist(), ends[inside].tolist(), strict=True))):
            begin, end = max(begin, covered), min(end, limit)
            if end > begin:
                total += end - begin
                covered = end
        return total


def _gap(taken: Ranges | Rows, begin: int, end: int, size: int) -> int | None:
    """The lowest address of a free range of that size; `taken` are ranges sorted by address."""
    if isinstance(taken, list):
        return _gap_of_few(taken, begin, end, size)
    return _gap_of_many(taken, begin, end, size)


def _gap_of_few(ranges: Ranges, begin: int, end: int, size: int) -> int | None:
    reach = begin
    for first, behind in ranges:
        if behind <= begin:
            continue
        if first >= end:
            break
        if first - reach >= size:
            return reach
        reach = max(reach, behind)
    return reach if end - reach >= size else None


def _gap_of_many(rows: Rows, begin: int, end: int, size: int) -> int | None:
    inside = rows[:, (rows[0] < end) & (rows[1] > begin)]
    if not inside.shape[1]:
        return begin if begin + size <= end else None
    # Ranges of different lives may overlap one another: what counts is how far those before reach.
    reach = np.maximum.accumulate(np.concatenate(([begin], inside[1])))
    starts = np.concatenate((inside[0], [end]))
    fits = np.flatnonzero(starts - reach >= size)
    return int(reach[fits[0]]) if len(fits) else None


def _constants(weights: Mapping[str, int], used: Mapping[str, int], target: Target) -> dict[str, str]:
    """Layer -> the pool its weights lie in: the first that has room for them."""
    left = {pool.name: pool.size - used.get(pool.name, 0) for pool in target.weight_pools}
    order = [pool.name for pool in target.weight_pools]
    named: dict[str, str] = {}
    for layer, size in weights.items():
        name = next((name for name in order if left[name] >= size), order[-1])
        left[name] -= size
        named[layer] = name
    return named
