"""What moves in each epoch, and how long each buffer lives.

1. A tensor that one epoch both writes and alone reads never reaches memory.
2. A layer that is in no epoch moves nothing: its output is a view of its input, a Concat's inputs are views of its
   output. Views share one buffer.
3. In software a float operator reads and writes the float tensors its nodes name, four bytes an element.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from npuscope.cost.padding import convolution_with_pad
from npuscope.cost.sizes import MOST_ELEMENTS, operand_bytes
from npuscope.cost.traffic import PARTIAL_BYTES, Flow, layer_flows, partial_sums
from npuscope.cost.values import NOTHING, Cost, Epoch
from npuscope.model.graph import Graph
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, Operand
from npuscope.model.tensors import elements
from npuscope.placement.verdict import Placement
from npuscope.target.machine import Target

FLOAT_BYTES = 4


SMALLER_SIDE = frozenset({"Pad", QUANTIZE, DEQUANTIZE})
"""Views of which only the smaller side lies in memory: what a Conv pads itself, the float side of a border."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that one tensor, or several that are views of each other, take from one epoch to another."""

    name: str
    size: int
    first: int
    last: int
    """Positions in the sequence of epochs, both inclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataflow:
    """The traffic of a schedule. `flows` has an entry for each epoch; their tensors are names of buffers."""

    flows: tuple[tuple[Flow, ...], ...]
    buffers: tuple[Buffer, ...]


def dataflow(
    graph: Graph,
    layers: Layers,
    costs: Mapping[str, Cost | None],
    epochs: Sequence[Epoch],
    target: Target,
) -> Dataflow:
    """The traffic of the epochs."""
    return _Dataflow(graph, layers, costs, epochs, target).run()


class _Dataflow:
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
        self.scheduled = {name for epoch in epochs for name in epoch.layers if not self.is_view(name)}
        self.inputs = frozenset(graph.inputs)
        self.parent: dict[str, str] = {}
        self.size: dict[str, int] = {}

    def run(self) -> Dataflow:
        self.join_views()
        flows = tuple(tuple(self.epoch_flows(epoch)) for epoch in self.epochs)
        return Dataflow(flows, tuple(self.buffers(flows)))

    def buffer_of(self, tensor: str) -> str:
        """The buffer a tensor lies in: the representative of its views."""
        root = tensor
        while (up := self.parent.get(root)) is not None:
            root = up
        while tensor != root:
            self.parent[tensor], tensor = root, self.parent[tensor]
        return root

    def join_views(self) -> None:
        for layer in self.layers.layers:
            for operand in (*layer.inputs, *layer.outputs):
                if operand.constant is None:
                    self.size.setdefault(operand.tensor, operand_bytes(operand))
            if layer.name not in self.scheduled and layer.output is not None:
                for source in layer.inputs if layer.kind == "Concat" else layer.inputs[:1]:
                    for result in layer.outputs:
                        if source.constant is None:
                            if layer.kind in SMALLER_SIDE:
                                smaller = min(self.size[source.tensor], self.size[result.tensor])
                                self.size[source.tensor] = self.size[result.tensor] = smaller
                            self.join(source.tensor, result.tensor)

    def is_view(self, name: str) -> bool:
        cost = self.costs.get(name)
        return cost is not None and cost.bound_by == NOTHING

    def join(self, first: str, second: str) -> None:
        a, b = self.buffer_of(first), self.buffer_of(second)
        if a != b:
            if self.size.get(a, 0) > self.size.get(b, 0):
                a, b = b, a
            self.parent[a] = b

    def epoch_flows(self, epoch: Epoch) -> Iterable[Flow]:
        inside = self.scheduled.intersection(epoch.layers)
        for name in epoch.layers:
            if name not in inside:
                continue
            layer, cost = self.layers.by_name[name], self.costs.get(name)
            if epoch.placement is Placement.SW_FLOAT:
                yield from self.float_flows(layer)
                continue
            tiling = cost.tiling if cost is not None else None
            conv = convolution_with_pad(layer, self.layers, self.target) if tiling is not None else None
            for flow in layer_flows(layer, tiling, conv):
                if self.crosses(flow, inside):
                    yield flow._replace(tensor=self.buffer_of(flow.tensor))
            if tiling is not None and conv is not None:
                for flow in partial_sums(layer, tiling):
                    self.size[flow.tensor] = PARTIAL_BYTES * sum(map(operand_bytes, layer.outputs))
                    yield flow
        for inserted in epoch.inserted:
            element = FLOAT_BYTES if epoch.placement.on_cpu else 1
            for tensor in inserted.reads:
                size = self.size.setdefault(tensor, inserted.elements * element)
                yield Flow(self.buffer_of(tensor), size, 0, False)
            for tensor in inserted.writes:
                size = self.size.setdefault(tensor, inserted.elements * element)
                # An input of the network lies channels first: what is put together lay apart
                apart = inserted.kind == "Identity" and inserted.reads and inserted.reads[0] in self.inputs
                yield Flow(self.buffer_of(tensor), size, 1 if apart else 0, True)

    def crosses(self, flow: Flow, inside: set[str]) -> bool:
        """The stream goes to or from memory, not straight from one unit to the next."""
        if flow.write:
            readers = self.layers.readers.get(flow.tensor, ())
            return (
                not readers
                or flow.tensor in self.graph.output_set
                or any(reader.name not in inside for reader in readers)
            )
        writer = self.layers.writers.get(flow.tensor)
        return writer is None or writer.name not in inside

    def float_flows(self, layer: Layer) -> Iterable[Flow]:
        for operands, write in ((layer.inputs, False), (layer.outputs, True)):
            for operand in operands:
                if operand.constant is None:
                    tensor = operand.seen
                    self.size.setdefault(tensor, _float_bytes(operand))
                    yield Flow(self.buffer_of(tensor), _float_bytes(operand), 0, write)

    def buffers(self, flows: tuple[tuple[Flow, ...], ...]) -> Iterable[Buffer]:
        first: dict[str, int] = {}
        last: dict[str, int] = {}
        for position, moved in enumerate(flows):
            for flow in moved:
                first.setdefault(flow.tensor, position)
                last[flow.tensor] = position
        for tensor in self.graph.inputs:
            if (buffer := self.buffer_of(tensor)) in first:
                first[buffer] = 0
        for tensor in self.graph.outputs:
            if (buffer := self.buffer_of(tensor)) in last:
                last[buffer] = len(flows) - 1
        for name, begin in first.items():
            yield Buffer(name, self.size.get(name, 0), begin, last[name])


def _float_bytes(operand: Operand) -> int:
    count = elements(operand.dims) if operand.dims is not None else 0
    return count * FLOAT_BYTES if count <= MOST_ELEMENTS else 0
