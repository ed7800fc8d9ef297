"""Time: the figures of each epoch, from what runs in it and what it moves.

1. Cycles are the compiler's estimate: the slowest unit of a chain, or the pool that takes longest (FACTS 7.3).
2. Milliseconds are the board's: the slowest unit with its weights fetched at the real rate of their pool, or the
   slowest pool, and the time to configure the epoch and close it. Fit and error: docs/accuracy-cost.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layers
from npuscope.neural_art.mapping.padding import convolution_with_pad
from npuscope.neural_art.price.power import epoch_millijoules
from npuscope.neural_art.price.timing import convolution_seconds, software_seconds
from npuscope.neural_art.price.traffic import Flow, pool_cycles
from npuscope.neural_art.schedule.dataflow import Dataflow
from npuscope.npu.cost import NOTHING, Cost, Epoch, Inserted, Memory
from npuscope.npu.verdict import Placement

COPIED = frozenset(
    {"Transpose", "DepthToSpace", "SpaceToDepth", "Concat", "Split", "Slice", "Pad", "Identity"}
)
"""Operators the compiler adds that only move elements."""


SCALE_AND_ZERO = 2
"""Cycles the compiler adds for the parameters of a software QuantizeLinear or DequantizeLinear."""


def price(
    epochs: Sequence[Epoch],
    layers: Layers,
    costs: Mapping[str, Cost | None],
    moved: Dataflow,
    memory: Memory,
    target: Target,
) -> tuple[Epoch, ...]:
    """The epochs with their figures; `costs` maps the names of layers to their prices."""
    pricing = _Pricing(epochs, layers, costs, memory, target)
    return tuple(pricing.epoch(i, flows) for i, flows in enumerate(moved.flows))


def milliseconds_error(epochs: Iterable[Epoch], target: Target) -> float:
    """How far the sum of the epochs' milliseconds may be off, either way."""
    band = target.error_band
    bands = {Placement.HW: band.hw, Placement.HYBRID: band.hybrid}
    return sum(epoch.milliseconds * bands.get(epoch.placement, band.software) for epoch in epochs)


class _Pricing:
    def __init__(
        self,
        epochs: Sequence[Epoch],
        layers: Layers,
        costs: Mapping[str, Cost | None],
        memory: Memory,
        target: Target,
    ) -> None:
        self.epochs, self.layers, self.costs = epochs, layers, costs
        self.memory, self.target = memory, target
        self.pools = {pool.name: pool for pool in target.pools}
        self.times: dict[str, int] = {}
        """Layer -> the number of parts its work is divided in, of which an epoch it is in does one at a time."""
        for epoch in epochs:
            for name in epoch.layers:
                self.times[name] = self.times.get(name, 0) + 1
        for name in self.times:
            cost = costs.get(name)
            if cost is not None and cost.tiling is not None and cost.tiling.steps > 1:
                self.times[name] = cost.tiling.steps

    def epoch(self, position: int, flows: tuple[Flow, ...]) -> Epoch:
        epoch = self.epochs[position]
        parts = [(name, cost) for name in epoch.layers if (cost := self.costs.get(name)) is not None]
        added = [inserted_cost(inserted, epoch.placement, self.target) for inserted in epoch.inserted]
        compute, bound = 0, NOTHING
        for name, cost in parts:
            cycles = cost.compute_cycles // self.times[name]
            if cycles > compute:
                compute, bound = cycles, cost.choked_ports[0] if cost.choked_ports else cost.bound_by
        for cost in added:
            if cost.compute_cycles > compute:
                compute, bound = cost.compute_cycles, cost.bound_by
        cycles = compute
        loads = self.loads(epoch, flows)
        traffic = {
            pool: pool_cycles(pool, streams, constants, self.target)
            for pool, (streams, constants) in loads.items()
        }
        for pool, needed in traffic.items():
            if needed.needed > cycles:
                cycles, bound = needed.needed, pool.name
        core = max(
            [
                *(self.seconds(name, cost) for name, cost in parts),
                *(cost.milliseconds / 1e3 for cost in added),
                *(
                    pool_seconds(pool, streams, constants, self.target)
                    for pool, (streams, constants) in loads.items()
                    if not epoch.placement.on_cpu  # a kernel's rate on the CPU has its accesses in it
                ),
            ],
            default=0.0,
        )
        start = self.start_seconds(position)
        return replace(
            epoch,
            compute_cycles=compute,
            cycles=cycles,
            milliseconds=(core + start) * 1e3,
            start_milliseconds=start * 1e3,
            bound_by=bound if core >= start else "start",
            millijoules=epoch_millijoules(
                [(self.layers.by_name[name].kind, cost) for name, cost in parts]
                + [("", cost) for cost in added],
                traffic,
                self.target,
            )
            if not epoch.placement.on_cpu
            else 0.0,
            certain=all(cost.certain for _, cost in parts) and all(cost.certain for cost in added),
        )

    def loads(self, epoch: Epoch, flows: tuple[Flow, ...]) -> dict[PoolSpec, tuple[list[Flow], int]]:
        """Pool -> the streams and the bytes of constants that an epoch moves through it."""
        streams: dict[str, list[Flow]] = {}
        constants: dict[str, int] = {}
        for flow in flows:
            for share in self.memory.buffers.get(flow.tensor, ()):
                moved = flow if share.part == 1.0 else flow._replace(bytes=round(flow.bytes * share.part))
                streams.setdefault(share.pool, []).append(moved)
        for name in epoch.layers:
            cost = self.costs.get(name)
            if cost is not None and cost.streamed_bytes and name in self.memory.weights_in:
                pool = self.memory.weights_in[name]
                constants[pool] = constants.get(pool, 0) + cost.streamed_bytes // self.times[name]
        fetched = sum(inserted.constant_bytes for inserted in epoch.inserted)
        if fetched:
            pool = self.target.weight_pools[0].name
            constants[pool] = constants.get(pool, 0) + fetched
        return {
            self.pools[name]: (streams.get(name, []), constants.get(name, 0))
            for name in dict.fromkeys((*streams, *constants))
        }

    def seconds(self, name: str, cost: Cost) -> float:
        """A layer's time in one of its epochs; its own figure holds where its weights lie in the usual pool."""
        pool = self.memory.weights_in.get(name)
        seconds = cost.milliseconds / 1e3
        if cost.tiling is not None and pool is not None and pool != self.target.weight_pools[0].name:
            conv = convolution_with_pad(self.layers.by_name[name], self.layers, self.target)
            if conv is not None:
                seconds = convolution_seconds(
                    cost.compute_cycles, cost.streamed_bytes, cost.tiling, conv, self.target, self.pools[pool]
                )
        return seconds / self.times[name]

    def start_seconds(self, position: int) -> float:
        """Set-up and end of an epoch."""
        epoch, latency, clocks = self.epochs[position], self.target.latency, self.target.clocks
        if epoch.placement is Placement.HYBRID:
            return latency.hybrid_start_cycles / clocks.cpu_hz
        if epoch.placement is not Placement.HW:
            return 0.0  # a software kernel's start is in its own figure
        if self.target.epoch_controller:
            begins = position == 0 or self.epochs[position - 1].placement is not Placement.HW
            blob = latency.controller_blob_cycles / clocks.cpu_hz if begins else 0.0
            return blob + latency.controller_epoch_cycles / clocks.npu_hz
        cycles = latency.start_cycles
        for name in epoch.layers:
            cost = self.costs.get(name)
            if cost is None or cost.bound_by == NOTHING:
                continue
            tiling = cost.tiling
            if tiling is None:
                cycles += latency.unit_cycles
                continue
            units = tiling.accelerators * min(len(tiling.parts) or 1, 2)
            # One step that scales and adds is no sooner set up than two: seven models on one board, 2.2 and 4.0
            units += not self.target.toolchain.separate_scale
            cycles += latency.unit_cycles * units
            channels = tiling.kernels_per_pass * tiling.passes * tiling.group
            if channels <= self.target.limits.broadcast_elements:
                cycles += latency.coefficient_cycles * channels
        cycles += latency.unit_cycles * sum(inserted.kind not in COPIED for inserted in epoch.inserted)
        return cycles / clocks.cpu_hz


def inserted_cost(inserted: Inserted, placement: Placement, target: Target) -> Cost:
    """Price of an operator the compiler adds: cycles as it reckons them, milliseconds as boards show them."""
    count = inserted.elements
    if placement.on_cpu:
        reckoned = target.compiler
        rate = (
            reckoned.copy_cycles_per_element
            if inserted.kind in COPIED
            else reckoned.function_cycles_per_element
        )
        cycles = round(count * rate)
        if inserted.kind in (QUANTIZE, DEQUANTIZE):
            cycles += SCALE_AND_ZERO
        seconds = software_seconds(inserted.kind, 0, 0, count, target)
        return Cost(0, cycles, cycles, seconds * 1e3, "cpu", certain=False)
    if placement is Placement.HYBRID:
        cycles = round(count * target.compiler.copy_cycles_per_element)
        seconds = count * target.latency.hybrid_cycles_per_element / target.clocks.cpu_hz
        return Cost(0, cycles, cycles, seconds * 1e3, "dma", certain=False)
    if inserted.kind == "Identity":  # a copy by DMA: no accelerator works
        return Cost(0, 0, 0, 0.0, "dma")
    return Cost(0, count, count, count / target.clocks.npu_hz * 1e3, "elements")


def pool_seconds(pool: PoolSpec, streams: Iterable[Flow], constants: int, target: Target) -> float:
    """Time of an epoch's traffic in a pool on the board.

    1. On the chip reads and writes have their own wires; an external memory has one set for both, and for the weights
       of all layers of the epoch (`constants`, bytes): two convolutions that run together share the flash.
    2. On the chip weights are reckoned with the layer that reads them alone.
    """
    accesses = [0.0, 0.0]
    for flow in streams:
        accesses[flow.write] += flow.accesses(pool.byte_width, count_short=True)
    count = sum(accesses) if pool.external else max(accesses)
    fetched = constants / target.bytes_per_second(pool) if pool.external else 0.0
    return (
        count / target.accesses_per_second(pool)
        + fetched
        + (target.latency.fill_cycles / target.clocks.npu_hz if count else 0)
    )
