"""How far a predicted time may be off. How often boards lay within it: docs/accuracy-cost.md."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.machine.machine import Target
from npuscope.npu.cost import Epoch
from npuscope.npu.verdict import Placement


def milliseconds_error(epochs: Iterable[Epoch], target: Target) -> float:
    """How far the sum of the epochs' milliseconds may be off, either way."""
    band = target.error_band
    bands = {Placement.HW: band.hw, Placement.HYBRID: band.hybrid}
    spilled = {pool.name for pool in target.pools if pool.external and pool.writable}
    return sum(
        epoch.milliseconds
        * (band.external_ram if epoch.bound_by in spilled else bands.get(epoch.placement, band.software))
        for epoch in epochs
    )
