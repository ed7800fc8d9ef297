"""Energy of one inference, as the compiler estimates it (FACTS 7.6; the formula is inferred from four c_info files)."""

from __future__ import annotations

from collections.abc import Iterable

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.neural_art.price.traffic import PoolCycles
from npuscope.npu.cost import Cost

NPU_HZ = 1e9
"""The clock at which the machine description states its powers."""


def epoch_millijoules(
    parts: Iterable[tuple[str, Cost]], traffic: Iterable[tuple[PoolSpec, PoolCycles]], target: Target
) -> float:
    """Accelerators while they work, streams and memories while they move; `parts` are (kind, cost).

    The Cortex-M55 has no power in ST's machine description and counts nothing.
    """
    power = target.power
    picojoules = 0.0
    for kind, cost in parts:
        if cost.bound_by == "cpu":
            continue
        if cost.tiling is not None:
            units = cost.tiling.accelerators * power.conv * power.conv_use + power.arithmetic
        else:
            units = (power.pool if "Pool" in kind else power.arithmetic) * power.stream_unit_use
        picojoules += units * cost.compute_cycles
    for pool, cycles in traffic:
        share = power.external_share if pool.external else 1.0
        picojoules += share * (pool.read_power * cycles.reads + pool.write_power * cycles.writes)
        picojoules += power.streams_per_transfer * power.stream * (cycles.reads + cycles.writes)
    return picojoules / NPU_HZ
