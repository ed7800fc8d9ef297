"""A packing in the making, and what it takes over: of another state of the model, of another order, of stretches alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from npuscope.neural_art.schedule.alike import Stretch
from npuscope.neural_art.schedule.replay import Moment, Replay, Run, placed
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.neural_art.schedule.trail import Trail, ascending

BEGINNING = (-1, 0, 0)
"""Of the stretch that begins with all that waits for nothing; -1 also begins one behind what was taken over."""


class TakingOver:
    """One packing in the making. `ready` and the queues of an epoch hold ranks: the numbers of steps in the order that is tried."""

    def __init__(self, graph: StepGraph, order: Sequence[int], noted: bool) -> None:
        self.steps = graph.steps
        self.readers, self.sources, self.fetched = graph.readers, graph.sources, graph.fetched
        self.waiting = list(graph.waiting)
        self.order = order
        self.rank = graph.ranks(order)
        self.done = [False] * len(order)
        self.apart = set[int]()
        """Steps behind a convolution that found no stream engine left: nothing is chained to them (rule 6)."""
        self.left = len(order)
        self.software: list[int] = []
        self.ready: list[int] = []
        self.run = Run(self.rank, noted)
        self.epochs = self.run.epochs
        self.graph = graph
        """It keeps what is found out of its stretches."""
        self.unsorted = iter(order)
        """Where the search for a step that waits for itself goes on: there may be many circles."""
        self.passed = self.run.passed
        """The steps done, in the order in which they were."""
        self.stretch: tuple[int, int, int] | None = BEGINNING
        """The stretch that is being packed: its first step, the epochs and the steps done before it."""
        self.trail = Trail(self.run)
        self.sequence = self.trail.stretches
        """What each stretch so far depends on."""
        self.first = graph.packings[0] if graph.packings else None
        """How the first order was packed."""
        self.breaks = self.first.breaks(self.rank) if self.first is not None else ()
        self.sorted = True
        """No step had to go before one that it reads: the whole is a sequence of stretches."""
        self.replay: Replay | None = None
        number, change = len(graph.runs), graph.change
        graph.runs.append(self.run)
        if change is not None:  # where nothing forked before, one run stands for all orders
            self.replay = Replay(change, change.runs[min(number, len(change.runs) - 1)], self.rank)

    def follow_run(self, replay: Replay) -> bool:
        """Take over the epochs of another state of the model, from where the same steps can go on to where others do."""
        found = replay.known([self.order[k] for k in self.ready], self.software)
        if found is None:
            return False
        run, place, waiting = replay.run, replay.change.place, self.waiting
        begin, end = run.moments[found[0]], run.moments[found[1]]
        passed, begun, epochs, moments, read = replay.change.taken_over(run, *found, self.readers)
        ready = [*placed(begin.key[0], place), *self.software]
        free = {reader for reader, count in read.items() if waiting[reader] == count}
        if any(map(self.done.__getitem__, passed)) or free != set(begun):
            return False
        for reader, count in read.items():
            waiting[reader] -= count
        if self.stretch is not None:  # it ends with several that can go on
            self.sequence.append(self.ranked([*self.passed[self.stretch[2] :], *ready]))
        self.sequence.append(self.ranked([*ready, *begun]))
        for i in passed:
            self.done[i] = True
        self.left -= len(passed)
        self.passed += passed
        self.epochs += epochs
        self.run.begun += begun
        self.note(moments, end.begun, end.passed, end.epochs)
        self.ready = sorted([self.rank[place[i]] for i in end.key[0]])
        self.software = placed(end.key[1], place)
        self.stretch = (BEGINNING[0], len(self.epochs), len(self.passed))
        return True

    def note(self, moments: Sequence[Moment], begun: int, passed: int, epochs: int) -> None:
        """Note those of another run, in which so many steps had begun and were done, in so many epochs, by now."""
        run = self.run
        run.goes_on_as(moments, len(run.begun) - begun, len(run.passed) - passed, len(run.epochs) - epochs)

    def follow_first(self, begins: bool = False) -> bool:
        """One step goes on, or all begins: take over all that the first order did from here, up to where it numbers steps otherwise."""
        if self.first is None:
            return False
        goes_on = None if begins else self.order[self.ready[0]]
        found = self.first.ahead(goes_on, self.breaks)
        if found is None:
            return False
        if self.stretch is not None and goes_on is not None:
            self.ended(self.stretch, goes_on)
        here, there = found
        run, waiting, done = self.first.run, self.waiting, self.done
        passed = run.passed[here.passed : there.passed]
        for i in passed:
            done[i] = True
            for reader in self.readers[i]:
                waiting[reader] -= 1
        self.left -= len(passed)
        self.passed += passed
        self.epochs += run.epochs[here.epochs : there.epochs]
        self.run.begun += run.begun[here.begun : there.begun]
        moments = run.moments[here.moments : there.moments - (there.goes_on is not None)]
        self.note(moments, there.begun, there.passed, there.epochs)
        self.sequence += self.first.stretches[here.stretches : there.stretches]
        self.ready = [self.rank[there.goes_on]] if there.goes_on is not None else []
        self.software = []
        self.stretch = None
        return True

    def skip(self) -> bool:
        """One step goes on: a stretch ends before it. Take the next stretch over where it is known."""
        first, graph = self.order[self.ready[0]], self.graph
        if self.stretch is not None:
            self.ended(self.stretch, first)
        self.trail.note(first)
        known = graph.stretches.get(first)
        if known is None or not ascending(known.ranked, self.rank):
            known = graph.alike.like(first, self.waiting, self.rank)
        if known is None:
            self.stretch = (first, len(self.epochs), len(self.passed))
            return False
        graph.stretches.setdefault(first, known)
        for i in known.steps:
            self.done[i] = True
        for reader, count in known.behind:
            self.waiting[reader] -= count
        self.left -= len(known.steps)
        self.run.begun += (*known.steps[1:], known.goes_on)
        self.passed += known.steps
        self.epochs += known.epochs
        self.ready = [self.rank[known.goes_on]]
        self.stretch = None
        self.sequence.append(known.ranked)
        return True

    def ended(self, begun: tuple[int, int, int], goes_on: int) -> None:
        """Note the stretch that was packed."""
        begin, epochs, passed = begun
        steps = tuple(self.passed[passed:])
        ranked = self.ranked((*steps, goes_on))
        self.sequence.append(ranked)
        if begin >= 0:
            behind = Counter([r for i in steps for r in self.readers[i] if not self.done[r]])
            stretch = Stretch(ranked, steps, tuple(self.epochs[epochs:]), goes_on, tuple(behind.items()))
            self.graph.stretches.setdefault(begin, stretch)
            self.graph.alike.keep(stretch, self.waiting)

    def ranked(self, steps: Sequence[int]) -> tuple[int, ...]:
        """Steps in the order of their numbers."""
        return tuple(sorted(steps, key=self.rank.__getitem__))
