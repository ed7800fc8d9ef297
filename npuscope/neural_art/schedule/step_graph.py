"""The steps as a graph, and the stretches that a packing of them falls into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from types import MappingProxyType

from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.alike import Alike, Stretch
from npuscope.neural_art.schedule.replay import Change, Run
from npuscope.neural_art.schedule.trail import Trail, ascending
from npuscope.npu.cost import Epoch

UNNUMBERED: Mapping[str, int] = MappingProxyType({})


class StepGraph:
    """Which step reads what another one writes; `before` is that of another state of the model.

    `numbered` are the numbers of the layers by which one of the orders goes.
    """

    def __init__(
        self, steps: Sequence[Step], numbered: Mapping[str, int] = UNNUMBERED, before: StepGraph | None = None
    ) -> None:
        self.steps, self.numbered = steps, numbered
        writes = [step.writes for step in steps]
        self.writer = {tensor: i for i in range(len(steps) - 1, -1, -1) for tensor in writes[i]}
        """Tensor -> the first step that writes it."""
        self.written_once = len(self.writer) == sum(map(len, writes))
        """No two steps write one tensor."""
        self.readers: list[list[int]] = [[] for _ in steps]
        """A reader is in the list once for each of its operands."""
        self.sources: list[list[tuple[int, bool, int]]] = []
        """Step -> (the step that writes an operand, may it be chained, stream engines from memory)."""
        self.fetched: list[int] = []
        """Step -> stream engines for operands that no step makes."""
        writer, readers, sources, fetched = self.writer, self.readers, self.sources, self.fetched
        for i, step in enumerate(steps):
            written = []
            outside = step.extra_streams
            for tensor, chained, streams in step.reads:
                index = writer.get(tensor)
                if index is None or index == i:
                    outside += streams
                    continue
                written.append((index, chained, streams))
                readers[index].append(i)
            sources.append(written)
            fetched.append(outside)
        self.waiting = [len(written) for written in sources]
        """Step -> number of operands whose writers have not run."""
        self.begin = [i for i, written in enumerate(sources) if not written]
        """The steps that wait for nothing."""
        self.stretches: dict[int, Stretch] = {}
        """First step -> a stretch that one order packed; another that numbers it alike need not pack it again."""
        self.alike = Alike(self.steps, self.sources, self.readers, self.fetched)
        self._ranked: tuple[Sequence[int], list[int]] = (), []
        self.packings: list[Trail] = []
        """One for each order that was packed as far as it is sorted."""
        self.packed: list[list[list[int]]] = []
        """The packings in all orders, each once."""
        self.runs: list[Run] = []
        """How each order was packed, where another state of the model may follow."""
        self.change = Change(before, self) if before is not None and before.runs else None
        if before is not None and self.change is not None:
            self.alike.follow(before.alike, self.change.origin, self.change.other)
        self.described: dict[tuple[int, ...], Epoch] = {}
        """The steps of an epoch of the fastest packing, in their order -> that epoch."""
        self.epochs: dict[int, tuple[Epoch, ...]] = {}
        """Of each packing that was the fastest the epochs, without figures."""

    def ranks(self, order: Sequence[int]) -> list[int]:
        """Step -> its number in an order; of the order that was asked for last it is known."""
        if self._ranked[0] is not order:
            self._ranked = order, ranks(order)
        return self._ranked[1]

    def packed_alike(self, order: Sequence[int]) -> bool:
        """An order before this one numbers all stretches alike: it has led to the same epochs."""
        rank = self.ranks(order)
        for trail in self.packings:
            if all(ascending(steps, rank) for steps in trail.stretches):
                self.runs.append(trail.run.renumbered(rank))
                return True
        return False


def step_graph(steps: Sequence[Step], before: StepGraph | None, numbered: Mapping[str, int]) -> StepGraph:
    """The graph of the steps; `before` itself where they are the very same, in layers of the same numbers."""
    if (
        before is not None
        and len(steps) == len(before.steps)
        and all(map(is_, steps, before.steps))
        and numbered == before.numbered
    ):
        return before
    return StepGraph(steps, numbered, before)


def ranks(order: Sequence[int]) -> list[int]:
    """Step -> its number in an order, a list of their positions."""
    rank = [0] * len(order)
    for number, i in enumerate(order):
        rank[i] = number
    return rank
