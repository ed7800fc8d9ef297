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
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from npuscope.cost.steps import Step
from npuscope.target.machine import Units

PATIENCE = 48
"""Ready steps that are tried for an epoch before it is closed; a wide graph has thousands."""


def pack(steps: Sequence[Step], units: Units) -> list[list[int]]:
    """The epochs, each as the positions of its steps in the order in which they were taken."""
    return _Packing(steps, units).run()


class _Packing:
    def __init__(self, steps: Sequence[Step], units: Units) -> None:
        self.steps, self.units = steps, units
        self.writer: dict[str, int] = {}
        for i, step in enumerate(steps):
            for tensor in step.writes:
                self.writer.setdefault(tensor, i)
        self.readers: list[list[int]] = [[] for _ in steps]
        self.sources: list[list[tuple[int, bool, int]]] = []
        self.fetched: list[int] = []
        """Step -> stream engines for operands that no step makes."""
        self.waiting: list[int] = []
        """Step -> number of operands whose writers have not run."""
        for i, step in enumerate(steps):
            sources = []
            outside = step.extra_streams
            for read in step.reads:
                at = self.writer.get(read.tensor)
                if at is None or at == i:
                    outside += read.streams
                    continue
                sources.append((at, read.chained, read.streams))
                self.readers[at].append(i)
            self.sources.append(sources)
            self.fetched.append(outside)
            self.waiting.append(len(sources))
        self.done = [False] * len(steps)
        self.left = len(steps)
        self.software: list[int] = []
        self.ready: list[int] = []
        self.epochs: list[list[int]] = []

    def run(self) -> list[list[int]]:
        for i in [i for i, count in enumerate(self.waiting) if count == 0]:
            self.enqueue(i)
        while self.left > 0:
            if self.software:
                taken = [self.software.pop()]
                self.epochs.append(taken)
            elif self.ready:
                taken = self.epoch()
                self.epochs += separated(taken, self.sources, self.steps)
            else:  # a cycle: the graph is not sorted; take what is left in order
                taken = [next(i for i, done in enumerate(self.done) if not done)]
                self.epochs.append(taken)
            for i in taken:
                self.done[i] = True
            self.left -= len(taken)
            for i in taken:
                for reader in self.release(i):
                    self.enqueue(reader)
        return self.epochs

    def enqueue(self, i: int) -> None:
        """All a step reads is in memory."""
        stack = [i]
        while stack:
            at = stack.pop()
            if not self.steps[at].free:
                if self.steps[at].on_npu:
                    heappush(self.ready, at)
                else:
                    self.software.append(at)
                continue
            self.done[at] = True
            self.left -= 1
            stack += self.release(at)

    def release(self, i: int) -> list[int]:
        """The steps that waited for this one alone."""
        found = []
        for reader in self.readers[i]:
            self.waiting[reader] -= 1
            if self.waiting[reader] == 0 and not self.done[reader]:
                found.append(reader)
        return found

    def epoch(self) -> list[int]:
        """The steps of the next epoch; what was ready and did not fit stays ready."""
        ready, chained = self.ready, list[int]()
        copies, refused, taken = list[int](), list[int](), list[int]()
        inside, outputs = set[int](), set[int]()
        use = [0, 0, 0, 0, 0]
        tries = 0
        while tries < PATIENCE and (ready or chained):
            follows = bool(chained) and (not ready or chained[0] < ready[0])
            i = heappop(chained if follows else ready)
            if i in inside or self.done[i]:
                continue
            if self.steps[i].copy:
                copies.append(i)
                tries += 1
            elif self.take(i, inside, outputs, use):
                taken.append(i)
                self.follow(i, inside, chained)
            else:
                tries += 1
                if not follows:
                    refused.append(i)
        for i in copies:
            if self.take(i, inside, outputs, use):
                taken.append(i)
                self.follow_views(i, inside, taken, outputs, use)
            else:
                refused.append(i)
        for i in refused:
            heappush(ready, i)
        return taken or [heappop(ready)]  # larger than the machine: it has an epoch to itself

    def take(self, i: int, inside: set[int], outputs: set[int], use: list[int]) -> bool:
        """Take a step in if units and stream engines last."""
        step, units = self.steps[i], self.units
        need = (step.conv, step.arith, step.activ, step.pool)
        limits = (units.conv, units.arithmetic, units.activation, units.pool)
        if any(u + n > limit for u, n, limit in zip(use, need, limits, strict=False)):
            return False
        streams = self.fetched[i]
        chained = []
        for source, _, count in self.sources[i]:
            if source in inside:
                chained.append(source)
            else:
                streams += count
        streams += 1  # its own output, until all readers are in the epoch
        closed = [s for s in set(chained) if s in outputs and self.all_inside(s, inside, i)]
        if use[4] + streams - len(closed) > units.stream and inside:
            return False
        for k, n in enumerate(need):
            use[k] += n
        use[4] += streams - len(closed)
        outputs.difference_update(closed)
        outputs.add(i)
        inside.add(i)
        return True

    def all_inside(self, source: int, inside: set[int], joining: int) -> bool:
        readers = self.readers[source]
        return len(readers) > 0 and all(r in inside or r == joining for r in readers)

    def follow(self, i: int, inside: set[int], chained: list[int]) -> None:
        """The readers of a step whose operands are all at hand."""
        for reader in self.readers[i]:
            step = self.steps[reader]
            if reader in inside or not step.on_npu or step.copy or step.free:
                continue
            if all(self.done[s] or (s in inside and free) for s, free, _ in self.sources[reader]):
                heappush(chained, reader)

    def follow_views(
        self, i: int, inside: set[int], taken: list[int], outputs: set[int], use: list[int]
    ) -> None:
        """A copy may write its result transposed: the views behind it come along."""
        for reader in self.readers[i]:
            step = self.steps[reader]
            busy = step.conv or step.arith or step.activ or step.pool or step.copy or step.free
            if busy or reader in inside or not step.on_npu:
                continue
            at_hand = all(self.done[s] or (s in inside and free) for s, free, _ in self.sources[reader])
            if at_hand and self.take(reader, inside, outputs, use):
                taken.append(reader)
                self.follow_views(reader, inside, taken, outputs, use)


def separated(
    taken: list[int], sources: Sequence[Sequence[tuple[int, bool, int]]], steps: Sequence[Step]
) -> list[list[int]]:
    """An epoch cut where chains that part at one of its steps meet again."""
    inside = set(taken)
    before: dict[int, set[int]] = {}
    late: set[int] = set()
    for i in taken:
        paths = [source for source, _, _ in sources[i] if source in inside]
        if len(paths) > 1:
            reach = [before[s] | {s} for s in paths]
            for n, one in enumerate(reach):
                for other in reach[:n]:
                    if one & other and not any(steps[k].portioned for k in one | other):
                        late.add(i)
        if any(source in late for source in paths):
            late.add(i)
        before[i] = set().union(*(before[s] | {s} for s in paths)) if paths else set()
    if not late or len(late) == len(taken):
        return [taken]
    first = [i for i in taken if i not in late]
    return [first, *separated([i for i in taken if i in late], sources, steps)]
