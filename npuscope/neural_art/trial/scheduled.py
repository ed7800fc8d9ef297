"""The schedule of one state of a model, laid out so that another state's can be worked out from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from npuscope.machine.machine import Target
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.neural_art.lowering.borders import quantized_inputs
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.dataflow import Buffer, Flowing
from npuscope.neural_art.schedule.moves import Moves
from npuscope.neural_art.schedule.orders import durations, numberings
from npuscope.neural_art.schedule.replay import Run
from npuscope.neural_art.schedule.repricing import Repricing
from npuscope.neural_art.schedule.scheduler import way
from npuscope.neural_art.schedule.step_graph import StepGraph, ranks
from npuscope.npu.cost import Cost, Epoch, Memory


class Packed:
    """How one numbering of the steps was packed."""

    def __init__(self, order: Sequence[int], run: Run, cycles: Sequence[int]) -> None:
        self.order, self.run = order, run
        self.rank = ranks(order)
        count = len(order)
        self.begun_at, self.passed_at, self.epoch_of = [-1] * count, [-1] * count, [-1] * count
        for place, i in enumerate(run.begun):
            self.begun_at[i] = place
        for place, i in enumerate(run.passed):
            self.passed_at[i] = place
        for place, taken in enumerate(run.epochs):
            for i in taken:
                self.epoch_of[i] = place
        self.ends = [moment.begun for moment in run.moments]
        self.cycles = [max([cycles[i] for i in taken]) for taken in run.epochs]


class Scheduled:
    """The steps of a state by their numbers, how each order was packed, and what the epochs of the fastest one move and take.

    `priced` are the epochs with their figures, those at the borders of the model included.
    """

    def __init__(
        self,
        model: Graph,
        layers: Layers,
        costs: Mapping[str, Cost | None],
        graph: StepGraph,
        priced: Sequence[Epoch],
        memory: Memory,
        repricing: Repricing,
        target: Target,
    ) -> None:
        self.model, self.layers, self.costs, self.graph, self.target = model, layers, costs, graph, target
        self.repricing = repricing
        self.steps: list[Step] = list(graph.steps)
        self.index = {id(step): i for i, step in enumerate(self.steps)}
        self.cycles = durations(self.steps, costs)
        self.packed = self._packed()
        totals = [
            sum([max([self.cycles[i] for i in taken]) for taken in packing]) for packing in graph.packed
        ]
        fastest = graph.packed[totals.index(min(totals))]
        self.alike = [packed.run.epochs == fastest for packed in self.packed]
        """Whether an order leads to the fastest packing."""
        self.reading: dict[str, list[int]] = {}
        """Tensor -> the steps that read it, as often as they do."""
        self.of_layer: dict[str, list[int]] = {}
        """Layer -> its steps."""
        for i, step in enumerate(self.steps):
            self.of_layer.setdefault(step.layer, []).append(i)
            for read in step.reads:
                self.reading.setdefault(read.tensor, []).append(i)
        self.moves = Moves(self.steps, [[self.steps[i] for i in taken] for taken in fastest])
        self.borders = tuple(quantized_inputs(model, layers, target.build))
        self.epochs = (*self.borders, *graph.epochs[graph.packed.index(fastest)])
        """Those of the fastest packing, without figures."""
        self.milliseconds = [epoch.milliseconds for epoch in priced]
        self.copied_by: dict[str, list[int]] = {}
        """Buffer -> epochs that copy from it: what they say of the copy depends on whether a step writes it."""
        for k, taken in enumerate(fastest, len(self.borders)):
            copies = [self.steps[i] for i in taken if self.steps[i].copy]
            _note(self.copied_by, [self.moves.buffer(read.tensor) for one in copies for read in one.reads], k)
        self.taken = fastest
        self._lay_out()
        self.where, self.weights_in = memory.buffers, memory.weights_in

    def _packed(self) -> list[Packed]:
        graph = self.graph
        known: list[Packed] = []
        packed: list[Packed] = []
        for order in islice(numberings(graph), 1 if way(self.target).apart else None):
            one = next((one for one in known if one.order == order), None)
            if one is None:
                # Where nothing forks the schedule has one run for all orders.
                noted = len(known) < len(graph.runs)
                run = graph.runs[len(known)] if noted else graph.runs[0].renumbered(ranks(order))
                one = Packed(order, run, self.cycles)
                known.append(one)
            packed.append(one)
        return packed

    def _lay_out(self) -> None:
        flowing = Flowing(self.model, self.layers, self.costs, self.epochs, self.target)
        moved = flowing.run()
        self.flows, self.outputs, self.size = moved.flows, moved.outputs, flowing.size
        self.wide = bool(flowing.wide)
        self.buffers: dict[str, Buffer] = {buffer.name: buffer for buffer in moved.buffers}
        self.of_buffer: dict[str, list[int]] = {}
        """Buffer -> the epochs in which it is read or written; likewise for tensors and layers."""
        self.of_tensor: dict[str, list[int]] = {}
        self.with_layer: dict[str, list[int]] = {}
        self.lying: dict[str, str] = {}
        for k, (epoch, flows) in enumerate(zip(self.epochs, self.flows, strict=True)):
            _note(self.of_buffer, [flow.tensor for flow in flows], k)
            _note(self.of_tensor, [move.tensor for move in epoch.moves], k)
            named = [
                *epoch.layers,
                *[move.layer for move in epoch.moves],
                *[one.layer for one in epoch.inserted],
            ]
            _note(self.with_layer, named, k)
            self.lying.update([(move.tensor, move.buffer) for move in epoch.moves])
        self.inputs = {self.lying.get(tensor, tensor) for tensor in self.model.inputs}


def _note(table: dict[str, list[int]], names: Iterable[str], k: int) -> None:
    for name in dict.fromkeys(names):
        table.setdefault(name, []).append(k)
