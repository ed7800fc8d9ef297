"""The steps as a graph, and the stretches that a packing of them falls into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from types import MappingProxyType
from typing import NamedTuple

from npuscope.neural_art.lowering.steps import Step
from npuscope.npu.cost import Epoch


class Stretch(NamedTuple):
    """What is packed between two moments at which all that can go on is one step."""

    ranked: tuple[int, ...]
    """Its steps and the one that goes on, in the order of their numbers: what the packing depends on."""
    steps: tuple[int, ...]
    epochs: tuple[list[int], ...]
    goes_on: int
    behind: tuple[tuple[int, int], ...]
    """Steps behind it, and how many operands they read from it."""


NONE: Mapping[str, int] = MappingProxyType({})


class StepGraph:
    """Which step reads what another one writes; stretches of `before`, another state of the model, are taken over.

    `numbered` are the numbers of the layers by which one of the orders goes.
    """

    def __init__(
        self, steps: Sequence[Step], numbered: Mapping[str, int] = NONE, before: StepGraph | None = None
    ) -> None:
        self.steps, self.numbered = steps, numbered
        self.writer: dict[str, int] = {}
        """Tensor -> the first step that writes it."""
        for i, step in enumerate(steps):
            for tensor in step.writes:
                self.writer.setdefault(tensor, i)
        self.readers: list[list[int]] = [[] for _ in steps]
        """A reader is in the list once for each of its operands."""
        self.sources: list[list[tuple[int, bool, int]]] = []
        """Step -> (the step that writes an operand, may it be chained, stream engines from memory)."""
        self.fetched: list[int] = []
        """Step -> stream engines for operands that no step makes."""
        self.waiting: list[int] = []
        """Step -> number of operands whose writers have not run."""
        for i, step in enumerate(steps):
            sources = []
            outside = step.extra_streams
            for read in step.reads:
                index = self.writer.get(read.tensor)
                if index is None or index == i:
                    outside += read.streams
                    continue
                sources.append((index, read.chained, read.streams))
                self.readers[index].append(i)
            self.sources.append(sources)
            self.fetched.append(outside)
            self.waiting.append(len(sources))
        self.stretches: dict[int, Stretch] = {} if before is None else self._kept(before)
        """First step -> a stretch that one order packed; another that numbers it alike need not pack it again."""
        self.unchecked = set(self.stretches)
        """First steps of those of another state: what they wait for may have changed."""
        self.packings: list[tuple[tuple[int, ...], ...]] = []
        """Of each packing the stretches it is made of: their steps in the order of their numbers."""
        self.packed: list[list[list[int]]] = []
        """The packings in all orders, each once."""
        self.epochs: dict[int, tuple[Epoch, ...]] = {}
        """Of each packing that was the fastest the epochs, without figures."""

    def packed_alike(self, order: Sequence[int]) -> bool:
        """An order before this one numbers all stretches alike: it has led to the same epochs."""
        rank = ranks(order)
        return any(all(ascending(steps, rank) for steps in packing) for packing in self.packings)

    def _kept(self, before: StepGraph) -> dict[int, Stretch]:
        """The stretches of another graph all of whose steps are here, and read and are read by the same ones."""
        here = {id(step): i for i, step in enumerate(self.steps)}
        there = {id(step) for step in before.steps}
        changed = [step for step in self.steps if id(step) not in there]
        changed += [step for step in before.steps if id(step) not in here]
        for tensor in {t for step in changed for t in (*step.writes, *[read.tensor for read in step.reads])}:
            for graph in (self, before):
                writer = graph.writer.get(tensor)
                if writer is not None:
                    for i in (writer, *graph.readers[writer]):
                        here.pop(id(graph.steps[i]), None)
        place = [here.get(id(step), -1) for step in before.steps]
        kept: dict[int, Stretch] = {}
        for stretch in before.stretches.values():
            now = [place[i] for i in sorted({*stretch.ranked, *[i for i, _ in stretch.behind]})]
            if now[0] >= 0 and now == sorted(now):
                steps = tuple([place[i] for i in stretch.steps])
                kept[steps[0]] = Stretch(
                    tuple([place[i] for i in stretch.ranked]),
                    steps,
                    tuple([[place[i] for i in epoch] for epoch in stretch.epochs]),
                    place[stretch.goes_on],
                    tuple([(place[i], count) for i, count in stretch.behind]),
                )
        return kept


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


def ascending(steps: Sequence[int], rank: Sequence[int]) -> bool:
    """The numbers of some steps ascend."""
    numbers = [rank[i] for i in steps]
    return numbers == sorted(numbers)
