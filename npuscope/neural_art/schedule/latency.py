"""Time: the figures of each epoch, from what runs in it and what it moves.

1. Cycles are the compiler's estimate: the slowest unit of a chain, or the pool that takes longest (FACTS 7.3).
2. Milliseconds are the board's: the slowest unit with its weights fetched at the real rate of their pool, or the
   slowest pool, and the time to configure the epoch and close it. Fit and error: docs/accuracy-cost.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.machine.pools import PoolSpec
from npuscope.model.convolution import Convolution
from npuscope.model.layers import Layer, Layers
from npuscope.neural_art.lowering.pools import scales_itself
from npuscope.neural_art.mapping.padding import convolution_with_pad
from npuscope.neural_art.mapping.sizes import coefficient_vectors
from npuscope.neural_art.price.inserted import COPIED, inserted_cost
from npuscope.neural_art.price.power import epoch_millijoules
from npuscope.neural_art.price.timing import convolution_seconds, external_ram_seconds
from npuscope.neural_art.price.traffic import Flow, pool_cycles
from npuscope.neural_art.schedule.dataflow import Dataflow
from npuscope.neural_art.schedule.handovers import taken_back
from npuscope.neural_art.schedule.repricing import Figures, Form, Own, Repricing
from npuscope.npu.cost import NOTHING, Cost, Epoch, Inserted, Memory, Part
from npuscope.npu.verdict import Placement


def price(
    epochs: Sequence[Epoch],
    layers: Layers,
    costs: Mapping[str, Cost | None],
    moved: Dataflow,
    memory: Memory,
    target: Target,
    before: Repricing | None = None,
    after: Repricing | None = None,
) -> tuple[Epoch, ...]:
    """The epochs with their figures; `costs` maps the names of layers to their prices.

    `before` has those of another schedule of the model for the same target; `after` takes those of this one.
    """
    pricing = Pricing(epochs, layers, costs, memory, target)
    if target.epoch_controller:
        pricing.blobs = taken_back(
            [epoch.placement is not Placement.HW for epoch in epochs],
            moved.flows,
            {buffer.name: buffer.size for buffer in moved.buffers},
            moved.outputs,
        )
    known = before if before is not None else Repricing()
    # What a blob hands over is found out of all epochs at once.
    pricing.changed = None if pricing.blobs else known.changed(memory, pricing.times)
    if after is not None:
        after.memory, after.parts = memory, pricing.times
    return tuple([pricing.once(i, flows, known, after) for i, flows in enumerate(moved.flows)])


class Demand(NamedTuple):
    """The time that something in an epoch takes, and which layers use it, by their part of the work."""

    seconds: float
    name: str
    users: Mapping[str, float]

    @property
    def leader(self) -> str:
        """The layer that uses most of it."""
        return max(self.users, key=self.users.__getitem__, default="")


_SECONDS = attrgetter("seconds")


class Load(NamedTuple):
    """What an epoch moves through one pool."""

    pool: PoolSpec
    flows: list[Flow]
    constants: list[tuple[str, int]]
    """(layer, bytes) of what it fetches."""

    @property
    def constant_bytes(self) -> int:
        """Of all its layers."""
        return sum([size for _, size in self.constants])


class Pricing:
    """Works out the figures of epochs, each by its place."""

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
        self.usual = target.weight_pools[0].name
        """The pool that prices take weights to lie in."""
        self.pools = {pool.name: pool for pool in target.pools}
        self.rates = {
            pool.name: (target.accesses_per_second(pool), target.bytes_per_second(pool))
            for pool in target.pools
        }
        """Pool -> accesses and bytes a second."""
        self.known_added: dict[tuple[str, int, Placement], Cost] = {}
        self.blobs: dict[int, int] = {}
        """First epoch of each blob of the epoch controller -> bytes it writes that the CPU reads."""
        self.changed: frozenset[str] | None = None
        """What lies elsewhere than `before` has it; None where that is not known."""
        self.times = dict(Counter(chain.from_iterable([epoch.layers for epoch in epochs])))
        """Layer -> the number of parts its work is divided in, of which an epoch it is in does one at a time."""
        for name in self.times:
            cost = costs.get(name)
            tiling = cost.tiling if cost is not None else None
            if tiling is not None and len(tiling.parts) > 1 and tiling.steps > 1:
                self.times[name] = tiling.steps

    def once(
        self, position: int, flows: tuple[Flow, ...], before: Repricing, after: Repricing | None
    ) -> Epoch:
        """An epoch with its figures, worked out where `before` does not know them."""
        epoch = self.epochs[position]
        if epoch.placement is Placement.HW and not epoch.moves:
            return epoch  # views are counted, not run: the boards' tables of single layers begin behind them
        same = before.same(epoch, flows, self.changed) if self.changed is not None else None
        if same is not None:
            if after is not None:
                after.keep(same[1], same[0], flows)
            return same[1]
        numbers: dict[str, int] = {}
        form = self.form(position, flows, numbers)
        priced = before.known(epoch, form, numbers)
        if priced is None:
            priced = self.epoch(position, flows)
            costs = tuple([self.costs.get(name) for name in epoch.layers])
            before.learn(form, Figures(priced, numbers, costs))
        if after is not None:
            after.keep(priced, form, flows)
        return priced

    def form(self, position: int, flows: tuple[Flow, ...], numbers: dict[str, int]) -> Form:
        """All that the figures of an epoch depend on; `numbers` takes those of its layers, 0 the one it is named after."""
        epoch, by_name, weights_in = self.epochs[position], self.layers.by_name, self.memory.weights_in
        own: list[Own] = []
        for name in epoch.layers:
            numbers[name] = len(numbers)
            layer, cost, pool = by_name[name], self.costs.get(name), weights_in.get(name)
            conv = None if pool is None or pool == self.usual else self.elsewhere(layer, cost, pool)
            scaled = scales_itself(layer, self.target)
            own.append((layer.kind, id(cost), pool, self.times[name], conv, scaled))
        for added in epoch.inserted:
            numbers.setdefault(added.layer, len(numbers))
        if not numbers:
            numbers[""] = 0
        mover: dict[str, int] = {}
        for move in epoch.moves:
            if move.layer and move.buffer not in mover:
                mover[move.buffer] = numbers.setdefault(move.layer, len(numbers))
        lying, moved = self.memory.buffers, mover.get
        return (
            epoch.placement,
            tuple(own),
            tuple([(*added[:3], numbers[added.layer]) for added in epoch.inserted]),
            tuple([(*flow[1:], lying.get(flow[0], ()), moved(flow[0], -1)) for flow in flows]),
            self.blobs.get(position),
        )

    def epoch(self, position: int, flows: tuple[Flow, ...]) -> Epoch:
        epoch, costs, times = self.epochs[position], self.costs, self.times
        placement = epoch.placement
        working = [(name, cost) for name in epoch.layers if (cost := costs.get(name)) is not None]
        added = [(inserted.layer, self.added(inserted, placement)) for inserted in epoch.inserted]
        compute = max(
            [
                0,
                *[cost.compute_cycles // times[name] for name, cost in working],
                *[cost.compute_cycles for _, cost in added],
            ]
        )
        loads = self.loads(flows, self.constants_of(epoch))
        traffic = [
            (load.pool, pool_cycles(load.pool, load.flows, load.constant_bytes, self.target))
            for load in loads
        ]
        cycles = max([compute, *[needed.needed for _, needed in traffic]])
        owner = _owner(epoch)
        demands = [self.layer_demand(name, cost) for name, cost in working]
        demands += [Demand(cost.milliseconds / 1e3, cost.bound_by, {name: 1.0}) for name, cost in added]
        if not placement.on_cpu:  # a kernel's rate on the CPU has its accesses in it
            demands += [self.pool_demand(epoch, load, owner) for load in loads]
            demands += self.lone_demands(epoch, loads, owner)
        binding = max(demands, key=_SECONDS) if demands else Demand(0.0, NOTHING, {owner: 1.0})
        starts = self.start_seconds(position, binding.leader)
        start = sum(starts.values())
        return Epoch(
            index=epoch.index,
            placement=placement,
            op=epoch.op,
            layers=epoch.layers,
            inserted=epoch.inserted,
            moves=epoch.moves,
            compute_cycles=compute,
            cycles=cycles,
            milliseconds=(binding.seconds + start) * 1e3,
            start_milliseconds=start * 1e3,
            bound_by=binding.name if binding.seconds >= start else "start",
            millijoules=epoch_millijoules(
                [(self.layers.by_name[name].kind, cost) for name, cost in working]
                + [("", cost) for _, cost in added],
                traffic,
                self.target,
            )
            if not placement.on_cpu
            else 0.0,
            certain=all(cost.certain for _, cost in (*working, *added)),
            parts=_parts(epoch, binding, starts, cycles),
        )

    def added(self, inserted: Inserted, placement: Placement) -> Cost:
        """What an operator costs that the compiler adds; many are alike."""
        key = inserted.kind, inserted.elements, placement
        cost = self.known_added.get(key)
        if cost is None:
            cost = self.known_added[key] = inserted_cost(inserted, placement, self.target)
        return cost

    def layer_demand(self, name: str, cost: Cost) -> Demand:
        """The time of a layer's own unit, and which of its ports or pools sets it."""
        bound = cost.busiest
        pool = self.pools.get(self.memory.weights_in.get(name, ""))
        if cost.tiling is not None and pool is not None:
            fetch = cost.streamed_bytes / self.rates[pool.name][1]
            if fetch > cost.busy_cycles / self.target.clocks.npu_hz:
                bound = pool.name
        elif cost.tiling is None and bound in self.pools:
            bound = "elements" if cost.compute_cycles else "dma"
        return Demand(self.seconds(name, cost), bound, {name: 1.0})

    def pool_demand(self, epoch: Epoch, load: Load, owner: str) -> Demand:
        """The time of a pool's traffic, and the part of it that each layer makes."""
        pool, width = load.pool, load.pool.byte_width
        mover: dict[str, str] = {}
        for move in epoch.moves:
            if move.layer and move.buffer not in mover:
                mover[move.buffer] = move.layer
        access_rate, byte_rate = self.rates[pool.name]
        users: dict[str, float] = {}
        accesses = [0.0, 0.0]
        slow = pool.external and pool.writable
        for flow in load.flows:
            count = flow.accesses(width, count_short=True)
            if slow:
                count = external_ram_seconds(flow, byte_rate, width, self.target) * access_rate
            accesses[flow.write] += count
            name = mover.get(flow.tensor, owner)
            users[name] = users.get(name, 0.0) + count / access_rate
        if not pool.external:
            # On the chip reads and writes have their own wires, and weights are counted with the layer that reads them.
            count, seconds = max(accesses), 0.0
        else:
            # An external memory has one set for both, and for the weights of all layers of the epoch: two convolutions
            # that run together share the flash.
            count, seconds = sum(accesses), load.constant_bytes / byte_rate
            for name, size in load.constants:
                users[name] = users.get(name, 0.0) + size / byte_rate
        filled = self.target.latency.fill_cycles / self.target.clocks.npu_hz if count else 0
        return Demand(count / access_rate + seconds + filled, pool.name, users or {owner: 1.0})

    def lone_demands(self, epoch: Epoch, loads: Iterable[Load], owner: str) -> Iterator[Demand]:
        """The time of what is fetched anew for every position, an access at a time."""
        for load in loads:
            for flow in load.flows:
                if flow.lone:
                    seconds = (
                        flow.lone * self.target.latency.lone_access_cycles / self.target.clocks.npu_ram_hz
                    )
                    name = next((m.layer for m in epoch.moves if m.buffer == flow.tensor and m.layer), owner)
                    yield Demand(seconds, load.pool.name, {name: 1.0})

    def constants_of(self, epoch: Epoch) -> list[tuple[str, str, int]]:
        """(layer, pool, bytes) of the constants that an epoch fetches."""
        fetched = []
        for name in epoch.layers:
            cost = self.costs.get(name)
            if cost is not None and (size := cost.streamed_bytes) and name in self.memory.weights_in:
                fetched.append((name, self.memory.weights_in[name], size // self.times[name]))
        for inserted in epoch.inserted:
            if inserted.constant_bytes:
                fetched.append((inserted.layer, self.target.weight_pools[0].name, inserted.constant_bytes))
        return fetched

    def loads(self, flows: tuple[Flow, ...], constants: Iterable[tuple[str, str, int]]) -> list[Load]:
        """What an epoch moves, pool by pool."""
        loads: dict[str, Load] = {}
        for flow in flows:
            for share in self.memory.buffers.get(flow.tensor, ()):
                moved = flow if share.part == 1.0 else flow._replace(bytes=round(flow.bytes * share.part))
                if share.pool not in loads:
                    loads[share.pool] = Load(self.pools[share.pool], [], [])
                loads[share.pool].flows.append(moved)
        for layer, pool, size in constants:
            if pool not in loads:
                loads[pool] = Load(self.pools[pool], [], [])
            loads[pool].constants.append((layer, size))
        return list(loads.values())

    def seconds(self, name: str, cost: Cost) -> float:
        """A layer's time in one of its epochs; its own figure holds where its weights lie in the usual pool."""
        pool = self.memory.weights_in.get(name)
        seconds = cost.milliseconds / 1e3
        conv = self.elsewhere(self.layers.by_name[name], cost, pool)
        if conv is not None and cost.tiling is not None and pool is not None:
            seconds = convolution_seconds(
                cost.busy_cycles,
                cost.streamed_bytes,
                cost.tiling,
                conv,
                coefficient_vectors(self.layers.by_name[name]),
                self.target,
                self.pools[pool],
            )
        return seconds / self.times[name]

    def elsewhere(self, layer: Layer, cost: Cost | None, pool: str | None) -> Convolution | None:
        """The convolution of a layer whose weights lie in another pool than its price assumes."""
        if cost is None or cost.tiling is None or pool is None or pool == self.usual:
            return None
        return convolution_with_pad(layer, self.layers, self.target)

    def start_seconds(self, position: int, leader: str) -> dict[str, float]:
        """Set-up and end of an epoch, by the layer that is charged for it; `leader` pays what no unit needs."""
        epoch, latency, clocks = self.epochs[position], self.target.latency, self.target.clocks
        if epoch.placement is Placement.HYBRID:
            return {leader: latency.hybrid_start_cycles / clocks.cpu_hz}
        if epoch.placement is not Placement.HW:
            return {}  # a software kernel's start is in its own figure
        if self.target.epoch_controller:
            read = self.blobs.get(position)
            blob = 0.0
            if read is not None:
                cycles = latency.controller_blob_cycles + latency.controller_cycles_per_byte * read
                blob = cycles / clocks.cpu_hz
            return {leader: blob + latency.controller_epoch_cycles / clocks.npu_hz}
        starts = {leader: latency.start_cycles / clocks.cpu_hz}
        for name in epoch.layers:
            cost = self.costs.get(name)
            if cost is not None and cost.bound_by != NOTHING:
                cycles = self.unit_cycles(cost)
                if scales_itself(self.layers.by_name[name], self.target):
                    cycles += latency.unit_cycles  # set up no sooner than two: seven models on one board
                starts[name] = starts.get(name, 0.0) + cycles / clocks.cpu_hz
        for inserted in epoch.inserted:
            if inserted.kind not in COPIED:
                starts[inserted.layer] = starts.get(inserted.layer, 0.0) + latency.unit_cycles / clocks.cpu_hz
        return starts

    def unit_cycles(self, cost: Cost) -> float:
        """CPU cycles to set up the units of a layer, with the coefficients they hold."""
        latency, tiling = self.target.latency, cost.tiling
        if tiling is None:
            vector = min(cost.coefficient_bytes, self.target.limits.broadcast_elements)
            return latency.unit_cycles + latency.coefficient_cycles * vector
        units = tiling.accelerators * min(len(tiling.parts) or 1, 2)
        # One step that scales and adds is set up no sooner than two: seven models on one board, 2.2 and 4.0
        units += not self.target.toolchain.separate_scale
        channels = tiling.kernels_per_pass * tiling.passes * tiling.group
        broadcast = channels if channels <= self.target.limits.broadcast_elements else 0
        return latency.unit_cycles * units + latency.coefficient_cycles * broadcast


def _owner(epoch: Epoch) -> str:
    """The layer an epoch is named after, or that needs what is inserted."""
    return next(iter((*epoch.layers, *[item.layer for item in epoch.inserted])), "")


def _parts(epoch: Epoch, binding: Demand, starts: Mapping[str, float], cycles: int) -> tuple[Part, ...]:
    """What each layer of an epoch is charged: shares of one whole, so that nothing is lost or counted twice."""
    total = sum(binding.users.values())
    names = dict.fromkeys((*epoch.layers, *[item.layer for item in epoch.inserted], *binding.users, *starts))
    parts = []
    for name in names:
        part = binding.users.get(name, 0.0) / total if total else float(name == binding.leader)
        start = starts.get(name, 0.0) * 1e3
        parts.append(Part(epoch.index, name, binding.seconds * part * 1e3 + start, start, cycles * part))
    return tuple(parts)
