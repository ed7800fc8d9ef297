"""The schedule: which steps share an epoch.

The compiler's way, read off its graphs (docs/accuracy-placement.md): a greedy list schedule.
1. A step in software or hybrid is an epoch of its own, and goes first as soon as it is ready; of several the one that
   became ready last (mobilefacenet_qop runs DequantizeLinear, Conv and Cast of one sub-mask after the other).
2. Else an epoch takes one step after the other while units and stream engines last. A step joins if each of its
   operands lies in memory or comes straight from a step of the epoch that it may be chained to.
3. Copies (no unit) come last. A tensor that is read outside the epoch takes a stream engine more.
4. Where two chains of the epoch that part at one step meet again, the stream that arrives first would wait for ever:
   the meeting step and all behind it are moved to an epoch of their own, what lies between goes through memory. Chains
   behind a convolution that writes little at a time are exempt.
5. With `--Oalt-sched` (2.1, 2.2) it is another scheduler: `npuscope.neural_art.schedule.depth_first`.
6. A convolution whose partial sums go through memory writes them by its own stream engine while nothing is chained to it,
   so two of two CAs each share an epoch (yolov8_face, 2.2; both pairs of a yolov8n, talgarph1/solar-node-ai-docs, 2.1). The
   scale then finds no engine left, and scale, bias and Swish of both are an epoch each.
7. Of two corrections of a product of two maps, one that reads from memory what the product reads there does not share its
   epoch: the second up to 3.0, from 4.0 on both (`lowering/products.py`). From 4.0 on the product joins others only where its
   corrections would find units as well.
8. Two steps that read the same two steps of an epoch go to the next one (boxes of yolov8_face and of that yolov8n).
9. With neither `--Oauto-sched` nor `--Oalt-sched` (up to 2.2) nothing is chained to a convolution of the epoch while another one
   that reads the same map finds too few CAs: scale and bias read its sums in memory, beside those of the other (seven of seven
   forks of a YOLOX of 64 to 1,024 channels, rzetelnyStudent/stm32ai-modelzoo-services, and one of two of ssd_mobilenet_v1_256,
   both 2.1).
10. From 4.0 on a step of an ARITH unit that reads what the CPU wrote begins an epoch, which only what is chained to it
   joins (residual Adds and products with Resizes and Transposes of seven builds; up to 2.2 they join others).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from npuscope.machine.machine import Target, Units
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.cuts import separated
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.neural_art.schedule.taking_over import TakingOver
from npuscope.npu.verdict import Placement

PATIENCE = 48
"""Ready steps that are tried for an epoch before it is closed; a wide graph has thousands."""


class Way(NamedTuple):
    """What depends on the scheduler that the options ask for."""

    depth_first: bool = False
    """`--Oalt-sched` (rule 5); one order is tried."""
    apart: bool = False
    """Nothing is chained to a convolution beside one that finds too few CAs (rule 9); one order is tried."""


FREELY = Way()


def way(target: Target) -> Way:
    """The compiler's, for these options."""
    return Way(target.alt_scheduler, target.plain_scheduler)


def pack(steps: Sequence[Step], units: Units) -> list[list[int]]:
    """The epochs, each as the positions of its steps in the order in which they were taken."""
    return pack_in_order(StepGraph(steps), units, range(len(steps)))


def pack_in_order(
    graph: StepGraph, units: Units, order: Sequence[int], way: Way = FREELY, noted: bool = False
) -> list[list[int]]:
    """The same for the steps numbered in another order, a list of their positions.

    `noted`: the graph of another state of the model will follow this packing, as this one does that of the state before.
    """
    return Packing(graph, units, order, way, noted).pack()


class Packing(TakingOver):
    """One packing in the making, epoch by epoch."""

    def __init__(self, graph: StepGraph, units: Units, order: Sequence[int], way: Way, noted: bool) -> None:
        super().__init__(graph, order, noted)
        self.units, self.way = units, way

    def pack(self) -> list[list[int]]:
        self.run.begun += sorted(self.graph.begin, key=self.rank.__getitem__)
        for i in list(self.run.begun):
            self.enqueue(i)
        self.trail.note(None)
        self.follow_first(begins=True)
        while self.left > 0:
            if self.apart:
                self.apart = {i for i in self.apart if not self.done[i]}
            if not self.apart and self.sorted:
                if self.replay is not None and self.follow_run(self.replay):
                    continue
                if self.run.noted:
                    self.run.note((tuple(sorted([self.order[k] for k in self.ready])), tuple(self.software)))
                if len(self.ready) == 1 and not self.software and (self.follow_first() or self.skip()):
                    continue
            if self.software:
                taken = [self.software.pop()]
                self.epochs.append(taken)
            elif self.ready:
                taken = self.epoch()
                self.epochs += separated(taken, self.sources, self.steps)
            else:  # a cycle: the graph is not sorted; take what is left in order
                taken = [next(i for i in self.unsorted if not self.done[i])]
                self.epochs.append(taken)
                self.sorted = False
            for i in taken:
                self.done[i] = True
            self.left -= len(taken)
            self.passed += taken
            for i in taken:
                for reader in self.release(i):
                    self.enqueue(reader)
        if self.sorted:
            if self.stretch is not None:
                self.sequence.append(self.ranked(self.passed[self.stretch[2] :]))
            self.trail.note(None)
            self.graph.packings.append(self.trail)
        if self.sorted and not self.apart and self.run.noted:
            self.run.note(((), ()))
        return self.epochs

    def enqueue(self, i: int) -> None:
        """All a step reads is in memory."""
        stack = [i]
        while stack:
            index = stack.pop()
            step = self.steps[index]
            if not step.free:
                if step.placement is Placement.HW:
                    self.await_turn(index)
                else:
                    self.software.append(index)
                continue
            self.done[index] = True
            self.left -= 1
            self.passed.append(index)
            stack += self.release(index)

    def await_turn(self, i: int) -> None:
        """A step on the NPU is ready."""
        heappush(self.ready, self.rank[i])

    def release(self, i: int) -> list[int]:
        """The steps that waited for this one alone."""
        released = []
        for reader in self.readers[i]:
            self.waiting[reader] -= 1
            if self.waiting[reader] == 0:
                self.run.begun.append(reader)
                if not self.done[reader]:
                    released.append(reader)
        if len(released) > 1:
            released.sort(key=self.rank.__getitem__)
        return released

    def epoch(self) -> list[int]:
        """The steps of the next epoch; what was ready and did not fit stays ready."""
        ready, chained, order, steps, done = self.ready, list[int](), self.order, self.steps, self.done
        copies, refused, taken = list[int](), list[int](), list[int]()
        inside, outputs = set[int](), set[int]()
        use = [0, 0, 0, 0, 0]
        tries, closed = 0, False
        while tries < PATIENCE and (chained or (ready and not closed)):
            follows = bool(chained) and (closed or not ready or chained[0] < ready[0])
            i = order[heappop(chained if follows else ready)]
            if i in inside or done[i]:
                continue
            step = steps[i]
            if step.begins and inside:
                tries += 1
                if not follows:
                    refused.append(i)
            elif step.copy:
                copies.append(i)
                tries += 1
            elif self.take(i, inside, outputs, use):
                taken.append(i)
                closed = closed or step.begins
                self.follow(i, inside, chained)
            else:
                tries += 1
                if not follows:
                    refused.append(i)
                    if self.way.apart and step.conv:
                        self.keep_apart(i, taken, chained)
        for i in copies:
            if self.take(i, inside, outputs, use):
                taken.append(i)
                self.follow_views(i, inside, taken, outputs, use)
            else:
                refused.append(i)
        for i in refused:
            heappush(ready, self.rank[i])
        return taken or [order[heappop(ready)]]  # larger than the machine: it has an epoch to itself

    def keep_apart(self, i: int, taken: Sequence[int], chained: list[int]) -> None:
        """A convolution finds too few CAs: nothing is chained to one in the epoch that reads the same map (rule 9)."""
        beside = {j for j in taken if self.steps[j].conv and not self.maps(j).isdisjoint(self.maps(i))}
        if beside:
            chained[:] = [
                k
                for k in chained
                if beside.isdisjoint(source for source, _, _ in self.sources[self.order[k]])
            ]
            heapify(chained)

    def maps(self, i: int) -> set[str]:
        """What a convolution reads, and what a Sub before it does."""
        subs = [source for source, _, _ in self.sources[i] if self.steps[source].op == "Sub"]
        return {read.tensor for step in (i, *subs) for read in self.steps[step].reads}

    def take(self, i: int, inside: set[int], outputs: set[int], use: list[int]) -> bool:
        """Take a step in if units and stream engines last."""
        step, units = self.steps[i], self.units
        conv, arith, activ, pool, taken = use
        conv, arith, activ, pool = conv + step.conv, arith + step.arith, activ + step.activ, pool + step.pool
        if conv > units.conv or arith > units.arithmetic or activ > units.activation or pool > units.pool:
            return False
        if inside and arith + step.corrected > units.arithmetic:
            return False
        streams = self.fetched[i]
        if not step.renames:
            streams += 1  # its own output, until all readers are in the epoch
        closed = list[int]()
        for source, _, count in self.sources[i]:
            if source not in inside:
                streams += count
            elif source in outputs and source not in closed and self.all_inside(source, inside, i):
                closed.append(source)
        looping = [source for source in closed if self.steps[source].loops] if closed else closed
        streams -= len(closed) - len(looping)
        if taken + streams > units.stream and inside:
            if looping:
                self.apart.add(i)
            return False
        use[:] = conv, arith, activ, pool, taken + streams
        outputs.difference_update(closed)
        if not step.renames:
            outputs.add(i)
        inside.add(i)
        return True

    def all_inside(self, source: int, inside: set[int], joining: int) -> bool:
        return all(reader in inside or reader == joining for reader in self.readers[source])

    def follow(self, i: int, inside: set[int], chained: list[int]) -> None:
        """The readers of a step whose operands are all at hand."""
        if i in self.apart:
            self.apart.update(r for r in self.readers[i] if self.finishes(r, i))
            return
        done = self.done
        for reader in self.readers[i]:
            if reader in inside:
                continue
            step = self.steps[reader]
            if step.copy or step.free or step.placement is not Placement.HW:
                continue
            for source, free, _ in self.sources[reader]:
                if not done[source] and not (free and source in inside):
                    break
            else:
                heappush(chained, self.rank[reader])

    def finishes(self, reader: int, i: int) -> bool:
        """A step goes on with what a convolution made: its scale, bias and activation."""
        step = self.steps[reader]
        return step.activ > 0 or (step.arith > 0 and step.layer == self.steps[i].layer)

    def follow_views(
        self, i: int, inside: set[int], taken: list[int], outputs: set[int], use: list[int]
    ) -> None:
        """A copy may write its result transposed: the views behind it come along."""
        for reader in sorted(self.readers[i], key=self.rank.__getitem__):
            step = self.steps[reader]
            busy = step.conv or step.arith or step.activ or step.pool or step.copy or step.free
            if busy or reader in inside or not step.on_npu:
                continue
            at_hand = all(self.done[s] or (s in inside and free) for s, free, _ in self.sources[reader])
            if at_hand and self.take(reader, inside, outputs, use):
                taken.append(reader)
                self.follow_views(reader, inside, taken, outputs, use)
