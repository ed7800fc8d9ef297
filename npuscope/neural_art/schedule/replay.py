"""How an order was packed, and what of it holds for another state of the model: all before an edit, and most behind it.

The rest of a packing depends on the steps that can go on and on those behind them. Where the same ones can go on as at
some moment in another state, the epochs are the same up to where a step is another one, or the order is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from npuscope.model.after_edits.difference import common_ends
from npuscope.neural_art.lowering.steps import Step

if TYPE_CHECKING:
    from npuscope.neural_art.schedule.step_graph import StepGraph
    from npuscope.npu.cost import Epoch

WIDE = 64
"""Steps that can go on, above which a moment is not noted: a wide graph would have thousands at each."""

Key = tuple[tuple[int, ...], tuple[int, ...]]
"""The steps on the NPU that can go on, ascending, and those in software in their order."""


class Moment(NamedTuple):
    """Between two epochs: how many steps have all they read so far, how many are done, in how many epochs."""

    begun: int
    passed: int
    epochs: int
    key: Key

    def placed(self, place: Sequence[int]) -> Moment:
        """The same with the steps of another state."""
        ready, software = self.key
        key = tuple(sorted(placed(ready, place))), tuple(placed(software, place))
        return Moment(self.begun, self.passed, self.epochs, key)


class Run:
    """One packing of a graph: `begun` and `passed` are its steps as all they read was there and as they were done."""

    def __init__(self, rank: Sequence[int], noted: bool = True) -> None:
        self.rank, self.noted = rank, noted
        self.begun: list[int] = []
        self.passed: list[int] = []
        self.epochs: list[list[int]] = []
        self.moments: list[Moment] = []
        self.at: dict[Key, int] = {}
        """What can go on -> the number of the moment."""

    def note(self, key: Key) -> None:
        """A moment of the packing as far as it is."""
        if self.noted and len(key[0]) + len(key[1]) <= WIDE:
            self.at[key] = len(self.moments)
            self.moments.append(Moment(len(self.begun), len(self.passed), len(self.epochs), key))

    def goes_on_as(self, others: Iterable[Moment], begun: int, passed: int, epochs: int) -> None:
        """Note moments of another run, in which of the same steps so many fewer had begun, were done and were packed."""
        if not self.noted:
            return
        at, moments = self.at, self.moments
        for moment in others:
            at[moment.key] = len(moments)
            moments.append(
                Moment(moment.begun + begun, moment.passed + passed, moment.epochs + epochs, moment.key)
                if begun or passed or epochs
                else moment
            )

    def renumbered(self, rank: Sequence[int]) -> Run:
        """The same packing, to which another order leads as well."""
        other = Run(rank)
        other.begun, other.passed, other.epochs = self.begun, self.passed, self.epochs
        other.moments, other.at = self.moments, self.at
        return other


class TakenOver(NamedTuple):
    """What lies between two moments of a run, as steps of this state."""

    passed: list[int]
    begun: list[int]
    epochs: list[list[int]]
    moments: list[Moment]
    """Those between, counted as in the run."""
    read: Mapping[int, int]
    """Step -> operands that it reads from `passed`."""


class Change:
    """What another state of a model has in common with this one: the steps that are the same objects."""

    def __init__(self, before: StepGraph, now: StepGraph) -> None:
        self.runs = before.runs
        self.place = places(before.steps, now.steps)
        """Step before -> step now, -1 for none."""
        self.origin = places(now.steps, before.steps)
        """Step now -> step before."""
        self.other = self._other(before, now)
        """Steps before that are gone, or read or are read by others now."""
        self._described, self._steps = before.described, before.steps
        self._taken_over: dict[tuple[int, int, int], TakenOver] = {}
        """Several orders mostly follow one run, or others that went alike, from and to the same moments."""
        self._marks: dict[int, tuple[list[int], list[int]]] = {}
        """Likewise."""

    def marks(self, run: Run) -> tuple[list[int], list[int]]:
        """Where in `begun` of a run steps are that are others now, and where its moments are."""
        known = self._marks.get(id(run.moments))
        if known is None:
            stops = [k for k, i in enumerate(run.begun) if i in self.other]
            known = self._marks[id(run.moments)] = stops, [moment.begun for moment in run.moments]
        return known

    def taken_over(self, run: Run, number: int, last: int, readers: Sequence[Sequence[int]]) -> TakenOver:
        """What a run of the state before did from one of its moments to another; `readers` are those of this state."""
        key = id(run.moments), number, last
        known = self._taken_over.get(key)
        if known is None:
            begin, end, place = run.moments[number], run.moments[last], self.place
            passed = placed(run.passed[begin.passed : end.passed], place)
            known = self._taken_over[key] = TakenOver(
                passed,
                placed(run.begun[begin.begun : end.begun], place),
                [placed(taken, place) for taken in run.epochs[begin.epochs : end.epochs]],
                [moment.placed(place) for moment in run.moments[number + 1 : last]],
                Counter(chain.from_iterable([readers[i] for i in passed])),
            )
        return known

    def known(self, taken: Sequence[int]) -> Epoch | None:
        """The epoch that the same steps had, all of which read and are read by the same ones as then.

        What it moves lay where it does now unless what that is a part of is another. Copies ask further than that, and
        what belongs to no layer asks which layer reads it first.
        """
        was = tuple([self.origin[i] for i in taken])
        epoch = self._described.get(was)
        if epoch is None or not self.other.isdisjoint(was):
            return None
        for i in was:
            step = self._steps[i]
            if step.copy or not (step.lead or step.layer):
                return None
        return epoch

    def _other(self, before: StepGraph, now: StepGraph) -> set[int]:
        place, origin, other = self.place, self.origin, set[int]()
        gone = [old for old, new in enumerate(place) if new < 0]
        made = [new for new, old in enumerate(origin) if old < 0]
        kept: Iterable[int] = [old for old, new in enumerate(place) if new >= 0]
        if (
            before.written_once and now.written_once
        ):  # what a step reads is made by what writes it, and changes with that
            readers = [reader for old in gone for reader in before.readers[old]]
            readers += [origin[reader] for new in made for reader in now.readers[new]]
            kept = {old for old in readers if old >= 0 and place[old] >= 0}
        for old in kept:
            new, was = place[old], before.sources[old]
            reads = now.sources[new]
            if len(reads) == len(was) and now.fetched[new] == before.fetched[old]:
                for one, source in zip(reads, was, strict=True):
                    if place[source[0]] != one[0]:
                        break
                else:
                    continue
            other.update([origin[source[0]] for source in reads])
            other.add(old)
            other.update([source[0] for source in was])
        for old in gone:
            other.add(old)
            other.update([source[0] for source in before.sources[old]])
        for new in made:
            other.update([origin[source[0]] for source in now.sources[new]])
        other.discard(-1)
        return other


class Replay:
    """Finds, for one order of the steps, how far the run of another state holds from a moment on."""

    def __init__(self, change: Change, run: Run, rank: Sequence[int]) -> None:
        self.change, self.run, self.rank = change, run, rank
        self.stops, self.ends = change.marks(run)
        self.pause, self.patience = 0, 4
        """Epochs until it is looked again, and after the next failure."""

    def known(self, ready: Sequence[int], software: Sequence[int]) -> tuple[int, int] | None:
        """The moment at which the same steps could go on, and the last one up to which all may have gone as now."""
        if self.pause:
            self.pause -= 1
            return None
        origin, run, other = self.change.origin, self.run, self.change.other
        key = tuple(sorted([origin[i] for i in ready])), tuple([origin[i] for i in software])
        number = run.at.get(key)
        if number is None or not other.isdisjoint(key[0]) or not other.isdisjoint(key[1]):
            return None
        begun = run.moments[number].begun
        stop = bisect_left(self.stops, begun)
        most = self.stops[stop] if stop < len(self.stops) else len(run.begun)
        last = bisect_right(self.ends, most) - 1
        while last > number:
            if self.in_order([*key[0], *key[1], *run.begun[begun : run.moments[last].begun]]):
                return number, last
            last = number + (last - number) // 2
        self.pause = self.patience
        self.patience *= 2
        return None

    def in_order(self, steps: list[int]) -> bool:
        """Some steps of the run are numbered alike now."""
        rank, place = self.rank, self.change.place
        steps.sort(key=self.run.rank.__getitem__)
        numbers = [rank[place[i]] for i in steps]
        return numbers == sorted(numbers)


def places(of: Sequence[Step], among: Sequence[Step]) -> list[int]:
    """Where the very same steps are among others, -1 for none: most are where both begin, or where both end."""
    begin, end = common_ends(of, among)
    behind = len(among) - end
    found = {id(step): i for i, step in enumerate(among[begin:behind], begin)}
    between = [found.get(id(step), -1) for step in of[begin : len(of) - end]]
    return [*range(begin), *between, *range(behind, len(among))]


def placed(steps: Sequence[int], place: Sequence[int]) -> list[int]:
    """Steps of another state as those of this one."""
    return [place[i] for i in steps]
