"""The scheduler of `--Oalt-sched` (2.1, 2.2), as the compiler's own graphs have it (docs/accuracy-placement.md).

1. Depth first: an epoch begins with the last-numbered of the steps that are ready, the second time (rule 4) of those that
   have been ready longest. What is chained to a step follows it before anything else does.
2. One reader is chained to a step: of several that need nothing else of the epoch the last-numbered one. A Sub before a
   convolution does not count. The others read memory in a later epoch though a unit is free.
3. The epoch ends at the first step for which units or stream engines do not last. Copies wait their turn as all others.
4. All is scheduled twice: what went from one epoch to another the first time lies in memory the second time, when
   convolutions on several CAs come before other steps.
5. Nothing is chained to a convolution on several CAs while another one that reads the same map finds too few (rule 9 of
   `npuscope.neural_art.schedule.scheduler`): the other one comes in the next epoch, which takes the chain of the first along (both
   forks of three in yolov8_face, epochs 267 and 316; 16 and 17 of a YOLOv5s, syafizzudin/trash-object-detection-stm32n6; 34 and 35 of two
   MoveNets, 2.1 and 2.2). The other units go on with what lies in memory.
6. Where chains part at a step and meet again, the later ones read memory, and the epoch is made anew (rule 4 of
   `npuscope.neural_art.schedule.scheduler`).

With the compiler's operators and their numbers that gives 165 of 165 epochs of mobilefacenet_qop, 99 of 109 of
face_landmark_192, 159 of 184 of ocr_det_160 and 288 of 415 of yolov8_face.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush

from npuscope.machine.machine import Units
from npuscope.neural_art.schedule.cuts import separated
from npuscope.neural_art.schedule.scheduler import FREELY, Packing
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.verdict import Placement

Edges = set[tuple[int, int]]
"""(step, reader) that are not chained."""


def pack_depth_first(graph: StepGraph, units: Units, order: Sequence[int]) -> list[list[int]]:
    """The epochs of the steps numbered in this order."""
    first = DepthFirst(graph, units, order, set()).pack()
    at = {i: number for number, taken in enumerate(first) for i in taken}
    crossing = {
        (source, i)
        for i, sources in enumerate(graph.sources)
        for source, _, _ in sources
        if at.get(source, -1) != at.get(i, -2)
    }
    return DepthFirst(graph, units, order, crossing, parting=True).pack()


MOST_BESIDE = 64
"""Convolutions of one map that are passed over in search of a step that still fits."""


class DepthFirst(Packing):
    """One of the two times; `parting`, the second: epochs in which chains part and meet are made anew."""

    def __init__(
        self, graph: StepGraph, units: Units, order: Sequence[int], unchained: Edges, parting: bool = False
    ) -> None:
        super().__init__(graph, units, order, FREELY, noted=False)
        graph.runs.pop()
        self.unchained, self.parting = unchained, parting
        self.begun: list[tuple[int, int, int]] = []
        """What is ready, as it is begun with: since which epoch (convolutions on several CAs first), number, step."""
        self.wide: dict[int, set[str]] = {}
        """Of those, the second time, convolutions on several CAs -> the maps they read."""
        self.reading = defaultdict[str, set[int]](set)
        """The other way round."""

    def pack(self) -> list[list[int]]:
        for i in sorted(self.graph.begin, key=self.rank.__getitem__):
            self.enqueue(i)
        while self.left > 0:
            if self.software:
                taken = [self.software.pop()]
            elif self.begun:
                taken = self.epoch()
            else:
                taken = [next(i for i in self.unsorted if not self.done[i])]
            self.epochs += separated(taken, self.sources, self.steps) if self.parting else [taken]
            for i in taken:
                self.done[i] = True
                for name in self.wide.pop(i, ()):
                    self.reading[name].discard(i)
            self.left -= len(taken)
            for i in taken:
                for reader in self.release(i):
                    self.enqueue(reader)
        return self.epochs

    def await_turn(self, i: int) -> None:
        if not self.parting:
            heappush(self.begun, (0, -self.rank[i], i))
        elif self.steps[i].conv > 1:
            self.wide[i] = self.maps(i)
            for name in self.wide[i]:
                self.reading[name].add(i)
            heappush(self.begun, (-1, self.rank[i], i))
        else:
            heappush(self.begun, (len(self.epochs), -self.rank[i], i))

    def epoch(self) -> list[int]:
        """The steps of the next epoch, made anew until no chains of it part and meet."""
        while True:
            taken, popped = self.attempt()
            new = self.meeting(taken) - self.unchained if self.parting else set()
            if not new:
                return taken
            self.unchained |= new
            for one in popped:
                heappush(self.begun, one)

    def attempt(self) -> tuple[list[int], list[tuple[int, int, int]]]:
        """An epoch, and what of it was ready; thousands more may be."""
        begun, taken, chained, outputs = self.begun, list[int](), list[int](), set[int]()
        popped, inside, use = list[tuple[int, int, int]](), set[int](), [0, 0, 0, 0, 0]
        apart, held = set[str](), list[tuple[int, int, int]]()
        while chained or begun:
            i = chained.pop() if chained else begun[0][2]
            if i in inside:
                continue
            if not self.take(i, inside, outputs, use):
                if len(held) < MOST_BESIDE and not apart.isdisjoint(self.wide.get(i, ())):
                    held.append(heappop(begun))
                    continue
                break
            taken.append(i)
            if begun and begun[0][2] == i:
                popped.append(heappop(begun))
            if self.steps[i].copy:
                self.follow_views(i, inside, taken, outputs, use)
            elif self.crowds_out(i, inside, use):
                apart |= self.wide[i]
            else:
                chained += self.next(i, inside)
        for one in held:
            heappush(begun, one)
        if not taken:  # larger than the machine: it has an epoch to itself
            popped.append(heappop(begun))
            taken.append(popped[-1][2])
        return taken, popped

    def crowds_out(self, i: int, inside: set[int], use: Sequence[int]) -> bool:
        """Another convolution that reads the same map finds too few CAs beside this one (rule 5)."""
        left = self.units.conv - use[0]
        beside = (j for name in self.wide.get(i, ()) for j in self.reading[name])
        return any(self.steps[j].conv > left for j in beside if j != i and j not in inside)

    def next(self, i: int, inside: set[int]) -> list[int]:
        """The readers of a step that may be chained to it, the one that comes next last."""
        readers = [reader for reader in dict.fromkeys(self.readers[i]) if self.at_hand(reader, inside)]
        readers.sort(key=self.rank.__getitem__)
        alone = [reader for reader in readers if self.alone(reader, i)]
        passed_over = set(alone[:-1])
        return [reader for reader in readers if reader not in passed_over]

    def at_hand(self, i: int, inside: set[int]) -> bool:
        """A step on the NPU that may join the epoch: its operands are in memory, or chained."""
        step = self.steps[i]
        if i in inside or self.done[i] or step.copy or step.free or step.placement is not Placement.HW:
            return False
        return all(
            self.done[source] or (source in inside and free and (source, i) not in self.unchained)
            for source, free, _ in self.sources[i]
        )

    def alone(self, reader: int, i: int) -> bool:
        """A reader of this step that needs nothing else of the epoch, and is no Sub before a convolution."""
        step = self.steps[reader]
        if step.op == "Sub" or not (step.conv or step.arith or step.activ or step.pool):
            return False
        return all(source == i or self.done[source] for source, _, _ in self.sources[reader])

    def meeting(self, taken: list[int]) -> Edges:
        """What goes from one part of an epoch to another where chains of it part and meet."""
        parts = separated(taken, self.sources, self.steps)
        at = {i: number for number, part in enumerate(parts) for i in part}
        return {
            (source, i) for i in taken for source, _, _ in self.sources[i] if at.get(source, at[i]) != at[i]
        }
