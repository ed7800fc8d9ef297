"""The packing of one order of the steps with an edit made: the epochs before the edit and behind it are those without it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from npuscope.machine.machine import Units
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.cuts import separated
from npuscope.neural_art.schedule.scheduler import Packing, Way
from npuscope.neural_art.trial.scheduled import Packed


class Steps(NamedTuple):
    """The steps with an edit made, by the numbers they had before; new ones have the next numbers.

    `sources`, `readers`, `fetched` and `waiting` are as in a StepGraph; those of steps that are gone mean nothing.
    """

    steps: list[Step]
    order: list[int]
    """The numbers in the order in which the steps were made."""
    sources: list[list[tuple[int, bool, int]]]
    readers: list[list[int]]
    fetched: list[int]
    waiting: list[int]
    gone: frozenset[int]
    other: frozenset[int]
    """Steps before that are gone, or read or are read by others now."""


class Repacked(NamedTuple):
    """Of each epoch the one of before that it is, -1 for a new one; the steps of the new ones."""

    origin: list[int]
    epochs: list[list[int]]


def repacked(now: Steps, packed: Packed, order: list[int], units: Units, way: Way) -> Repacked | None:
    """None where nothing of the packing before holds."""
    return _Repacking(now, packed, order, units, way).run_on()


class _Repacking(Packing):
    """Begins at a moment of the run before, and ends at one."""

    def __init__(self, now: Steps, packed: Packed, order: list[int], units: Units, way: Way) -> None:
        self.now, self.packed = now, packed
        self.steps, self.units, self.way = now.steps, units, way
        self.readers, self.sources, self.fetched = now.readers, now.sources, now.fetched
        self.order = order
        self.rank = [0] * len(now.steps)
        for number, i in enumerate(order):
            self.rank[i] = number
        self.run = packed.run
        self.apart = set()
        self.passed = []
        self.epochs = []
        self.origin: list[int] = []
        self.stops = sorted([packed.begun_at[i] for i in now.other])
        count = len(packed.order)
        self.same_order = [i for i in order if i < count] == [i for i in packed.order if i not in now.gone]
        self.pause, self.patience = 0, 4

    def run_on(self) -> Repacked | None:
        run, packed = self.run, self.packed
        stop = self.stops[0] if self.stops else len(run.begun)
        number = bisect_right(packed.ends, stop) - 1
        while number > 0 and not self.in_order(run.begun[: run.moments[number].begun]):
            number //= 2
        if number < 0:
            return None
        moment = run.moments[number]
        fresh = len(self.steps) - len(packed.order)
        self.done = [place < moment.passed for place in packed.passed_at] + [False] * fresh
        self.let = list(self.done)
        self.waits: dict[int, int] = {}
        self.left = len(self.now.order) - moment.passed
        self.ready = sorted([self.rank[i] for i in moment.key[0]])
        self.software = list(moment.key[1])
        self.origin += range(moment.epochs)
        while self.left > 0:
            if self.apart:
                self.apart = {i for i in self.apart if not self.done[i]}
            if not self.apart and (found := self.known()) is not None:
                self.follow_on(*found)
                continue
            new = len(self.epochs)
            if self.software:
                taken = [self.software.pop()]
                self.epochs.append(taken)
            elif self.ready:
                taken = self.epoch()
                self.epochs += separated(taken, self.sources, self.steps)
            else:
                return None  # a cycle
            self.origin += [-1] * (len(self.epochs) - new)
            for i in taken:
                self.done[i] = True
            self.left -= len(taken)
            for i in taken:
                for reader in self.release(i):
                    self.enqueue(reader)
        last = -1
        for k in self.origin:
            if k >= 0:
                if k <= last:
                    return None
                last = k
        return Repacked(self.origin, self.epochs)

    def known(self) -> tuple[int, int] | None:
        """The moment of the run before at which the same steps could go on, and the last one up to which all goes as then."""
        if self.pause:
            self.pause -= 1
            return None
        run, packed, done = self.run, self.packed, self.done
        ready = [self.order[k] for k in self.ready]
        number = run.at.get((tuple(sorted(ready)), tuple(self.software)))
        if number is None:
            return None
        begun, passed = run.moments[number].begun, run.moments[number].passed
        stop = bisect_left(self.stops, begun)
        late = {run.begun[place] for place in self.stops[:stop]} - self.now.gone
        if not all(map(done.__getitem__, late)):
            return None
        last = len(run.moments) - 1
        if stop < len(self.stops):
            last = bisect_right(packed.ends, self.stops[stop]) - 1
        if last <= number or any(map(done.__getitem__, run.passed[passed : run.moments[last].passed])):
            return None
        while last > number:
            if self.in_order([*ready, *self.software, *run.begun[begun : packed.ends[last]]]):
                return number, last
            last = number + (last - number) // 2
        self.pause = self.patience
        self.patience *= 2
        return None

    def follow_on(self, number: int, last: int) -> None:
        """Take over what lies between two moments."""
        begin, end = self.run.moments[number], self.run.moments[last]
        for i in self.run.passed[begin.passed : end.passed]:
            self.done[i] = self.let[i] = True
        self.waits.clear()
        self.left -= end.passed - begin.passed
        self.origin += range(begin.epochs, end.epochs)
        self.ready = sorted([self.rank[i] for i in end.key[0]])
        self.software = list(end.key[1])

    def in_order(self, steps: Sequence[int]) -> bool:
        """Some steps of the run before are numbered alike now."""
        if self.same_order:
            return True
        before, rank = self.packed.rank, self.rank
        numbers = [rank[i] for i in sorted(steps, key=before.__getitem__)]
        return numbers == sorted(numbers)

    def release(self, i: int) -> list[int]:
        """The steps that waited for this one alone; how many operands one waits for is counted as it is first asked."""
        released = []
        waits, let = self.waits, self.let
        let[i] = True
        for reader in self.readers[i]:
            count = waits.get(reader)
            if count is None:
                count = sum([not let[source] or source == i for source, _, _ in self.sources[reader]])
            count -= 1
            waits[reader] = count
            if count == 0 and not self.done[reader]:
                released.append(reader)
        if len(released) > 1:
            released.sort(key=self.rank.__getitem__)
        return released
