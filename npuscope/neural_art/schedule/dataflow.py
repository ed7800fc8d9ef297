"""What moves in each epoch, and how long each buffer lives.

1. A tensor that is written and read in one epoch never reaches memory; the schedule says which ones do (`Epoch.moves`).
2. Views of a tensor, and parts of it, lie in one buffer.
3. The size of a tensor of the model is known from the model, that of a tensor between the compiler's own operators
   from the operator that writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import accumulate, chain
from types import MappingProxyType
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.model.graph import MANY, Graph
from npuscope.model.inspection.extent import elements
from npuscope.model.layers import QUANTIZE, Layer, Layers
from npuscope.neural_art.frontend.borders import input_stays_float
from npuscope.neural_art.lowering.borders import quantized
from npuscope.neural_art.lowering.steps import float_name, in_batches, is_sum
from npuscope.neural_art.mapping.padding import convolution_with_pad
from npuscope.neural_art.mapping.pieces import in_planes, narrow_accesses, run_in, run_out, times_read
from npuscope.neural_art.mapping.sizes import operand_bytes, stored_bytes
from npuscope.neural_art.price.traffic import (
    PARTIAL_BYTES,
    WIDE_SUM_BYTES,
    Flow,
    lone_accesses,
    partial_sums,
    pieces,
)
from npuscope.npu.cost import Cost, Epoch, Move
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass


class Buffer(NamedTuple):
    """Memory that one tensor, or several that are views of each other, take from one epoch to another."""

    name: str
    size: int
    first: int
    last: int
    """Positions in the sequence of epochs, both inclusive."""
    whole: bool = False
    """Lies in one bank, or in external memory."""


def alive(buffers: Iterable[Buffer], epochs: int) -> list[int]:
    """Bytes that live in each epoch."""
    change = [0] * (epochs + 1)
    for buffer in buffers:
        change[buffer.first] += buffer.size
        change[buffer.last + 1] -= buffer.size
    return list(accumulate(change))[:-1]


class Moved(NamedTuple):
    """What an epoch moves, and the flows that makes: the same while the layers that are named in it are what they were."""

    moves: tuple[Move, ...]
    flows: tuple[Flow, ...]
    names: tuple[str, ...]


NONE_MOVED: Mapping[int, Moved] = MappingProxyType({})
NONE_SETTLED: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Dataflow:
    """The traffic of a schedule. `flows` has an entry for each epoch; their tensors are names of buffers."""

    flows: tuple[tuple[Flow, ...], ...]
    buffers: tuple[Buffer, ...]
    outputs: frozenset[str] = frozenset()
    """Buffers that hold the network's outputs."""
    moved: Mapping[int, Moved] = field(default_factory=dict)
    """By the identity of what epochs move, for the schedule of another state of the model."""


def dataflow(
    graph: Graph,
    layers: Layers,
    costs: Mapping[str, Cost | None],
    epochs: Sequence[Epoch],
    target: Target,
    known: Mapping[int, Moved] = NONE_MOVED,
    settled: Mapping[str, object] = NONE_SETTLED,
) -> Dataflow:
    """The traffic of the epochs; `known` is that of another state, of which the layers in `settled` are the same, and their prices."""
    return Flowing(graph, layers, costs, epochs, target).run(known, settled)


class Flowing:
    """Finds what flows, epoch by epoch: the sizes of tensors it comes to know are in `size`."""

    def __init__(
        self,
        graph: Graph,
        layers: Layers,
        costs: Mapping[str, Cost | None],
        epochs: Sequence[Epoch],
        target: Target,
    ) -> None:
        self.graph, self.layers, self.costs, self.epochs = graph, layers, costs, epochs
        self.target = target
        self.inputs = frozenset(graph.inputs)
        sizes = [stored_bytes(layer)[::-1] for layer in reversed(layers.layers)]
        self.size: dict[str, int] = dict(chain.from_iterable(sizes))
        """Tensor -> bytes, as the first layer that has it says."""
        self.geometry: dict[str, Convolution | None] = {}
        """Layer -> its convolution, as it reaches the accelerators."""
        self.wide = list[str]()
        """Buffers of wide sums."""

    def run(
        self, known: Mapping[int, Moved] = NONE_MOVED, settled: Mapping[str, object] = NONE_SETTLED
    ) -> Dataflow:
        """The traffic of all epochs."""
        self.size_inputs()
        made: list[tuple[Flow, ...]] = []
        kept: dict[int, Moved] = {}
        for epoch in self.epochs:
            moves = epoch.moves
            moved = known.get(id(moves))
            if moved is not None and moved.moves is moves and all(map(settled.__contains__, moved.names)):
                for move in moves:
                    self.size.setdefault(move.tensor, move.size)
            else:
                moved = self.moved(epoch)
            made.append(moved.flows)
            if moved.names:
                kept[id(moves)] = moved
        flows = tuple(made)
        lying = {move.tensor: move.buffer for epoch in self.epochs for move in epoch.moves}
        outputs = frozenset([self.output_buffer(tensor, lying) for tensor in self.graph.outputs])
        return Dataflow(flows, tuple(self.buffers(flows, lying, outputs)), outputs, kept)

    def moved(self, epoch: Epoch) -> Moved:
        """What an epoch moves; without names where other epochs are told of it, or it rests on more than layers."""
        wide, moves = len(self.wide), epoch.moves
        if epoch.placement is Placement.HYBRID:
            return Moved(moves, tuple([self.routine(move) for move in moves]), ())
        streamed = [self.flow(move) for move in moves]
        iterated = [*self.iterations(epoch)]
        flows = (*streamed, *iterated)
        if iterated or len(self.wide) > wide or not self.inputs.isdisjoint([move.tensor for move in moves]):
            return Moved(moves, flows, ())
        layers = [move.layer for move in moves if move.layer]
        return Moved(moves, flows, tuple(dict.fromkeys((*epoch.layers, *layers))))

    def size_inputs(self) -> None:
        """A float input that a Q makes int8, at once or behind a view, lies in memory as int8."""
        for name in self.graph.inputs:
            quantizer = quantized(name, self.layers)
            if quantizer is None:
                continue
            layer, stored = quantizer
            if layer.kind == QUANTIZE and input_stays_float(name, self.graph, self.target.build):
                continue
            self.size[name] = min(self.size.get(name, 0), operand_bytes(stored))

    def flow(self, move: Move) -> Flow:
        size = self.size.setdefault(move.tensor, move.size)
        cost = self.costs.get(move.layer)
        tiling = cost.tiling if cost is not None else None
        run = 1 if move.apart else 0
        if tiling is None or move.op in ("Identity", "Reshape", "Sub"):
            asked = move.op == "Mul" and move.lead and not move.write
            lone = self.lone(move, size) if asked else 0
            return Flow(move.buffer, size, run, move.write, lone)
        layer = self.layers.by_name.get(move.layer)
        if layer is None:
            return Flow(move.buffer, size, run, move.write)
        if move.layer not in self.geometry:
            self.geometry[move.layer] = convolution_with_pad(layer, self.layers, self.target)
        conv = self.geometry[move.layer]
        if conv is None:
            return Flow(move.buffer, size, run, move.write)
        if move.op in ("Conv", "Add") and self.wide_sum(move.tensor, layer, size):
            self.wide.append(move.buffer)
            return Flow(move.buffer, size, 1, move.write, by_byte=True)
        if move.write:
            sums = in_planes(tiling, conv) and is_sum(move.tensor, layer.name)
            return Flow(move.buffer, size, 0 if sums else run_out(tiling, conv), True)
        if move.lead and not is_sum(move.tensor, layer.name):
            fetched = round(size * times_read(tiling, conv) * move.share)
            # A copy before a convolution lies in its batches: what a CA takes of it lies together.
            lone = 0 if self.copied(move.tensor) else narrow_accesses(fetched, tiling, conv)
            return Flow(move.buffer, fetched, run_in(tiling, conv), False, lone)
        return Flow(move.buffer, size, 0, False)

    def copied(self, tensor: str) -> bool:
        """A copy of the compiler's own, in the batches of the convolution that reads it."""
        return in_batches(tensor) and tensor not in self.layers.writers and tensor not in self.inputs

    def wide_sum(self, tensor: str, layer: Layer, size: int) -> bool:
        """A sum of a sub-mask that has three bytes."""
        if layer.output is None or not is_sum(tensor, layer.name):
            return False
        return size == WIDE_SUM_BYTES * elements(layer.output.dims or ())

    def routine(self, move: Move) -> Flow:
        """What a routine moves: a Slice fetches each piece as a frame of its own."""
        flow, layer = self.flow(move), self.layers.by_name.get(move.layer)
        if move.op != "Slice" or move.write or layer is None:
            return flow
        return flow._replace(lone=pieces(layer, self.layers))

    def lone(self, move: Move, size: int) -> int:
        """Accesses of a product's factor that each wait for the one before."""
        layer = self.layers.by_name.get(move.layer)
        return lone_accesses(layer, size, move.batch, self.target) if layer is not None else 0

    def iterations(self, epoch: Epoch) -> Iterator[Flow]:
        """What convolutions leave in memory from one accumulation iteration to the next: the sums of the kernels of one pass.

        16 channels at a time in a c_info file (YamNet-1024, 4.0.1). inferred for all versions: so four networks of ST's tables (3.0) have the
        KiB on the chip that are listed, EfficientNetV2-S and a YOLOv8n for segments (2.0) those outside.
        """
        for name in epoch.layers:
            cost = self.costs.get(name)
            if cost is not None and cost.tiling is not None and cost.tiling.iterations > 1:
                layer = self.layers.by_name[name]
                if layer.output is None:
                    continue
                for flow in partial_sums(layer.output.tensor, operand_bytes(layer.output), cost.tiling):
                    whole = PARTIAL_BYTES * sum(map(operand_bytes, layer.outputs))
                    self.size[flow.tensor] = -(-whole // cost.tiling.passes)
                    yield flow

    def buffers(
        self, flows: tuple[tuple[Flow, ...], ...], lying: Mapping[str, str], outputs: frozenset[str]
    ) -> Iterator[Buffer]:
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for position, moved in enumerate(flows):
            for flow in moved:
                first.setdefault(flow.tensor, position)
                last[flow.tensor] = position
        for tensor in self.graph.inputs:
            if (buffer := lying.get(tensor, tensor)) in first:
                first[buffer] = 0
        for buffer in outputs & last.keys():
            last[buffer] = len(flows) - 1
        wide = frozenset(self.wide)
        for name, begin in first.items():
            yield Buffer(name, self.size.get(name, 0), begin, last[name], name in wide)

    def stored_as(self, tensor: str, layer: Layer) -> str:
        """The stored tensor of one that an operator of a layer names."""
        if len(layer.outputs) > MANY:
            return self.stored.get(tensor, tensor)
        return next((o.tensor for o in layer.outputs if o.seen == tensor), tensor)

    @cached_property
    def stored(self) -> Mapping[str, str]:
        """Tensor, as an operator names it -> the stored one; a layer may have thousands of outputs."""
        return {o.seen: o.tensor for layer in self.layers.layers for o in layer.outputs}

    def output_buffer(self, tensor: str, lying: Mapping[str, str]) -> str:
        """What an output lies in: what its views are views of."""
        for _ in range(len(self.layers.layers) + 1):
            layer = self.layers.writers.get(tensor)
            if layer is None:
                break
            stored = self.stored_as(tensor, layer)
            for name in (float_name(stored), stored):
                if name in lying:
                    return lying[name]
            source = next((o for o in layer.inputs if o.constant is None), None)
            if source is None:
                break
            tensor = source.tensor
        return lying.get(tensor, tensor)
