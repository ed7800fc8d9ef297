"""The time of a model with an edit made, where what is known of it without the edit tells most of that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers
from npuscope.neural_art.lowering.borders import quantized_inputs
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.mapping.sizes import stored_bytes
from npuscope.neural_art.price.traffic import Flow
from npuscope.neural_art.schedule.dataflow import Buffer, Flowing
from npuscope.neural_art.schedule.epochs import described, needed_layers
from npuscope.neural_art.schedule.latency import Pricing
from npuscope.neural_art.schedule.memory import lying
from npuscope.neural_art.schedule.moves import Moves
from npuscope.neural_art.trial.packing import cycles_now, fastest, steps_now
from npuscope.neural_art.trial.repacking import Repacked, Steps
from npuscope.neural_art.trial.scheduled import Scheduled
from npuscope.npu.cost import Cost, Epoch, Memory, Share
from npuscope.npu.verdict import Placement


def milliseconds(
    known: Scheduled,
    model: Graph,
    layers: Layers,
    costs: Mapping[str, Cost | None],
    made: Sequence[Step],
    numbered: Mapping[str, int],
) -> float | None:
    """What the whole schedule would say; None where too much is other than before. `made` are the steps with the edit."""
    now = steps_now(known, made)
    if now is None or tuple(quantized_inputs(model, layers, known.target.build)) != known.borders:
        return None
    cycles = cycles_now(known, now, costs)
    packing = fastest(known, now, numbered, cycles)
    if packing is None:
        return None
    return _Trial(known, model, layers, costs, now, packing).milliseconds()


class _MovesNow(Moves):
    """What new epochs move, by what is known of all steps."""

    def __init__(
        self, before: Moves, now: Steps, count: int, packed: Sequence[tuple[int, Sequence[Step]]]
    ) -> None:
        self.epoch = {id(step): k for k, taken in packed for step in taken}
        self.writer, self.readers, self.part_of = dict(before.writer), dict(before.readers), before.part_of
        gone = {id(now.steps[i]) for i in now.gone}
        for i in now.gone:
            for tensor in now.steps[i].writes:
                self.writer.pop(tensor, None)
            for read in now.steps[i].reads:
                left = [step for step in self.readers.get(read.tensor, ()) if id(step) not in gone]
                if left:
                    self.readers[read.tensor] = left
                else:
                    self.readers.pop(read.tensor, None)
        for step in now.steps[count:]:
            for tensor in step.writes:
                self.writer[tensor] = step
            for read in step.reads:
                self.readers[read.tensor] = [*self.readers.get(read.tensor, ()), step]


class _Lying(Mapping[str, str]):
    """Tensor -> the buffer it lies in, of those that some epoch moves."""

    def __init__(self, known: Scheduled, kept: set[int], own: Mapping[str, str]) -> None:
        self.known, self.kept, self.own = known, kept, own

    def __getitem__(self, tensor: str) -> str:
        if tensor in self.own:
            return self.own[tensor]
        if self.kept.isdisjoint(self.known.of_tensor.get(tensor, ())):
            raise KeyError(tensor)
        return self.known.lying[tensor]

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError


NEW = Epoch(0, Placement.HW, "", ())
"""Takes the place of an epoch until it is described."""


class _Trial:
    """The epochs with an edit made: `origin` says of each which one of before it is, `place` of those where they are now."""

    def __init__(
        self,
        known: Scheduled,
        model: Graph,
        layers: Layers,
        costs: Mapping[str, Cost | None],
        now: Steps,
        packing: Repacked,
    ) -> None:
        self.known, self.layers, self.costs, self.now = known, layers, costs, now
        ahead = len(known.borders)
        self.origin = [*range(ahead), *[k + ahead if k >= 0 else -1 for k in packing.origin]]
        self.place = [-1] * len(known.epochs)
        for k, was in enumerate(self.origin):
            if was >= 0:
                self.place[was] = k
        new = (k for k, was in enumerate(self.origin) if was < 0)
        self.taken = {k: [now.steps[i] for i in taken] for k, taken in zip(new, packing.epochs, strict=True)}
        """Place of a new epoch -> its steps."""
        self.replaced = [k for k, place in enumerate(self.place) if place < 0]
        self.epochs = [known.epochs[was] if was >= 0 else NEW for was in self.origin]
        self.flowing = Flowing(model, layers, costs, (), known.target)

    def kept(self, epochs: Iterable[int]) -> list[int]:
        """The places of those of the epochs before that are still there."""
        return [place for k in epochs if (place := self.place[k]) >= 0]

    def milliseconds(self) -> float | None:
        known = self.known
        if known.wide:
            return None
        fresh = self.described()
        dirty = self.dirty()
        flows = self.flows(fresh, dirty)
        if flows is None:
            return None
        where, weights_in, moved = self.memory(flows, fresh, dirty)
        again = set(dirty) | fresh.keys()
        for name in moved:
            again.update(self.kept(known.of_buffer.get(name, ())))
        for name, pool in weights_in.items():
            if known.weights_in.get(name) != pool:
                again.update(self.kept(known.with_layer.get(name, ())))
        memory = Memory((), 0, 0, where, weights_in)
        pricing = Pricing(self.epochs, self.layers, self.costs, memory, known.target)
        times = [known.milliseconds[was] if was >= 0 else 0.0 for was in self.origin]
        for k in again:
            times[k] = pricing.once(k, flows[k], known.repricing, None).milliseconds
        return sum(times)

    def described(self) -> dict[int, Epoch]:
        """The epochs that are new, by their places; those that take steps of before, and move something else, among them."""
        known, now = self.known, self.now
        asking = self.asking()
        packed = {**asking, **self.taken}
        moves = _MovesNow(known.moves, now, len(known.steps), list(packed.items()))
        needed_by: dict[str, str] = {}
        if not all(step.layer for steps in packed.values() for step in steps):
            needed_by = needed_layers([now.steps[i] for i in now.order])
        fresh: dict[int, Epoch] = {}
        for k, steps in packed.items():
            moved = tuple([move for step in steps for move in moves.of(step, k)])
            epoch = described(k + 1, steps, moved, needed_by)
            was = self.epochs[k]
            if k in asking and was.moves == moved and was.inserted == epoch.inserted:
                continue
            self.epochs[k] = fresh[k] = epoch
        return fresh

    def asking(self) -> dict[int, list[Step]]:
        """Epochs that are still there, and copy what a step writes that none wrote before, or the other way round."""
        known, steps = self.known, self.now.steps
        gone = {tensor for i in self.now.gone for tensor in steps[i].writes}
        made = {tensor for step in steps[len(known.steps) :] for tensor in step.writes}
        places = self.kept({k for tensor in gone ^ made for k in known.copied_by.get(tensor, ())})
        ahead = len(known.borders)
        return {k: [steps[i] for i in known.taken[self.origin[k] - ahead]] for k in places}

    def dirty(self) -> set[int]:
        """Epochs that are still there, whose figures may be others for what their layers or tensors are now."""
        known, layers = self.known, self.layers
        changed = [layer for layer in layers.layers if known.layers.by_name.get(layer.name) is not layer]
        gone = [layer for name, layer in known.layers.by_name.items() if name not in layers.by_name]
        names = {layer.name for layer in (*changed, *gone)}
        edge = [*changed, *gone]
        for _ in range(2):  # a Pad that a convolution takes along asks what else reads it
            edge = [near for layer in edge for near in _near(layer, layers) if near.name not in names]
            names.update([layer.name for layer in edge])
        was = known.costs
        names.update([name for name, cost in self.costs.items() if was.get(name) is not cost])
        # A layer in one of these may be in more or fewer epochs than before.
        names.update([name for k in self.replaced for name in known.epochs[k].layers])
        names.update([name for k in self.taken for name in self.epochs[k].layers])
        dirty = {k for name in names for k in self.kept(known.with_layer.get(name, ()))}
        self.flowing.size_inputs()
        size = self.flowing.size
        touched = {tensor for layer in (*changed, *gone) for tensor, _ in stored_bytes(layer)}
        self.resized = {tensor for tensor in touched if size.get(tensor) != known.size.get(tensor)}
        for tensor in self.resized:
            dirty.update(self.kept(known.of_tensor.get(tensor, ())))
        return dirty

    def flows(self, fresh: Mapping[int, Epoch], dirty: set[int]) -> list[tuple[Flow, ...]] | None:
        """What the epochs move."""
        known, flowing = self.known, self.flowing
        flows = [known.flows[was] if was >= 0 else () for was in self.origin]
        again = sorted(dirty | fresh.keys())
        written = {tensor for i in self.now.gone for tensor in self.now.steps[i].writes}
        written.update([tensor for step in self.now.steps[len(known.steps) :] for tensor in step.writes])
        for k in again:
            for move in self.epochs[k].moves:
                if (
                    move.tensor not in flowing.size
                    and move.tensor not in written
                    and move.tensor in known.size
                ):
                    flowing.size[move.tensor] = known.size[move.tensor]
        for k in again:
            flows[k] = flowing.moved(self.epochs[k]).flows
        return None if flowing.wide else flows

    def memory(
        self, flows: Sequence[tuple[Flow, ...]], fresh: Mapping[int, Epoch], dirty: set[int]
    ) -> tuple[dict[str, tuple[Share, ...]], dict[str, str], set[str]]:
        """Where all lies, and the buffers that lie elsewhere than before."""
        known, costs = self.known, self.costs
        weights = {
            name: cost.weights_bytes
            for name, cost in costs.items()
            if cost is not None and cost.weights_bytes
        }
        buffers = list(self.buffers(flows, fresh, dirty))
        where, weights_in = lying(buffers, weights, len(self.epochs), known.target)
        moved = {name for name, shares in where.items() if known.where.get(name) != shares}
        moved.update([name for name in known.where if name not in where])
        return where, weights_in, moved

    def buffers(
        self, flows: Sequence[tuple[Flow, ...]], fresh: Mapping[int, Epoch], dirty: set[int]
    ) -> Iterator[Buffer]:
        """The buffers and their lives."""
        known, model, size = self.known, self.flowing.graph, self.flowing.size
        again = dirty | fresh.keys()
        replaced = {*self.replaced, *[was for k in again if (was := self.origin[k]) >= 0]}
        kept = {k for k, place in enumerate(self.place) if place >= 0 and place not in fresh}
        own = {move.tensor: move.buffer for epoch in fresh.values() for move in epoch.moves}
        lies_in = _Lying(known, kept, own)
        outputs = {self.flowing.output_buffer(tensor, lies_in) for tensor in model.outputs}
        inputs = {lies_in.get(tensor, tensor) for tensor in model.inputs}
        touched = {flow.tensor for k in replaced for flow in known.flows[k]}
        touched |= self.resized | (outputs ^ known.outputs) | (inputs ^ known.inputs)
        lives: dict[str, list[int]] = {}
        for k in again:
            for flow in flows[k]:
                lives.setdefault(flow.tensor, []).append(k)
        touched |= lives.keys()
        last = len(self.epochs) - 1
        for name, buffer in known.buffers.items():
            if name not in touched:
                begin = 0 if name in inputs else self.place[buffer.first]
                end = last if name in outputs else self.place[buffer.last]
                yield Buffer(name, buffer.size, begin, end)
        for name in touched:
            places = lives.get(name, [])
            places += [self.place[k] for k in known.of_buffer.get(name, ()) if k not in replaced]
            if places:
                begin = 0 if name in inputs else min(places)
                end = last if name in outputs else max(places)
                yield Buffer(name, size[name] if name in size else known.size.get(name, 0), begin, end)


def _near(layer: Layer, layers: Layers) -> Iterator[Layer]:
    for operand in layer.inputs:
        if operand.tensor in layers.writers:
            yield layers.writers[operand.tensor]
    for operand in layer.outputs:
        yield from layers.readers.get(operand.tensor, ())
