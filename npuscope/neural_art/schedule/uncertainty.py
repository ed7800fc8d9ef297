"""How far a predicted time may be off. How often boards lay within it: docs/accuracy-cost.md."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.machine.machine import Target
from npuscope.npu.cost import Epoch, Memory
from npuscope.npu.verdict import Placement


def milliseconds_error(epochs: Iterable[Epoch], memory: Memory, target: Target) -> float:
    """How far the sum of the epochs' milliseconds may be off, either way.

    Where the banks are nearly full the compiler, whose order is not known, may put a map elsewhere than it is put here.
    """
    band = target.error_band
    inside = {pool.name: pool.size for pool in target.activation_pools if not pool.external}
    used = sum([pool.activations for pool in memory.pools if pool.name in inside])
    full = used > band.nearly_full_from * sum(inside.values())
    bands = {Placement.HW: band.nearly_full if full else band.hw, Placement.HYBRID: band.hybrid}
    spilled = {pool.name for pool in target.pools if pool.external and pool.writable}
    return sum(
        epoch.milliseconds
        * (band.external_ram if epoch.bound_by in spilled else bands.get(epoch.placement, band.software))
        for epoch in epochs
    )
