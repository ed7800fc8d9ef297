"""Stretches that are alike: a model repeats its blocks, and a block like one before it is packed like that.

A packing asks of a step which units and streams it takes, of its operands how they are read, and of what it finds done
or ready. Where all that is the same so many places further on, and the numbers ascend alike, so are the epochs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import NamedTuple

from npuscope.neural_art.lowering.steps import Step

MOST = 4
"""Stretches that are looked at for another that begins like them: orders pack one in several ways."""


class Stretch(NamedTuple):
    """What is packed between two moments at which all that can go on is one step."""

    ranked: tuple[int, ...]
    """Its steps and the one that goes on, in the order of their numbers: what the packing depends on."""
    steps: tuple[int, ...]
    epochs: tuple[list[int], ...]
    goes_on: int
    behind: tuple[tuple[int, int], ...]
    """Steps behind it, and how many operands they read from it."""


class Alike:
    """The stretches packed so far, by how their first steps look."""

    def __init__(
        self,
        steps: Sequence[Step],
        sources: Sequence[Sequence[tuple[int, bool, int]]],
        readers: Sequence[Sequence[int]],
        fetched: Sequence[int],
    ) -> None:
        self.steps, self.sources, self.readers, self.fetched = steps, sources, readers, fetched
        self._looks = [-1] * len(steps)
        self._numbers: dict[tuple[object, ...], int] = {}
        self._seen: dict[int, list[tuple[Stretch, list[tuple[int, int, int]]]]] = {}
        """With each step behind the first one, how many operands it waited for as that began, and how it looks."""

        self._before: tuple[list[int], Sequence[int], Collection[int]] | None = None

    def follow(self, before: Alike, origin: Sequence[int], other: Collection[int]) -> None:
        """Take over how steps looked in another state of the model: `origin` is where they were, in `other` are those that changed."""
        self._numbers, self._before = before._numbers, (before._looks, origin, other)

    def let_go(self) -> None:
        """Hold nothing of the other state any more."""
        self._before = None

    def _looked(self, i: int) -> int:
        """How a step looked in the other state, where its neighbours are as far from it as they were; else -1."""
        if self._before is None or self.steps[i].corrects:
            return -1
        looks, origin, other = self._before
        was = origin[i]
        if was < 0 or was in other:
            return -1
        shift = was - i
        for source, _, _ in self.sources[i]:
            if origin[source] - source != shift:
                return -1
        for reader in self.readers[i]:
            if origin[reader] - reader != shift:
                return -1
        return looks[was]

    def keep(self, stretch: Stretch, waiting: Sequence[int]) -> None:
        """Others may look like it; `waiting` as it is behind it."""
        inside = set(stretch.steps)
        waited = Counter([r for i in stretch.steps for r in self.readers[i] if r in inside])
        waited.update({reader: waiting[reader] + count for reader, count in stretch.behind})
        seen = self._seen.setdefault(self.look(stretch.steps[0]), [])
        seen.insert(0, (stretch, [(i, count, self.look(i)) for i, count in waited.items()]))
        del seen[MOST:]

    def like(self, first: int, waiting: Sequence[int], rank: Sequence[int]) -> Stretch | None:
        """The stretch that begins with a step, where it is like one that was packed."""
        for seen, waited in self._seen.get(self.look(first), ()):
            by = first - seen.steps[0]
            if self._fits(waited, by, waiting):
                ranked = [i + by for i in seen.ranked]
                if all(rank[i] < rank[j] for i, j in pairwise(ranked)):
                    return _moved(seen, ranked, by)
        return None

    def _fits(self, waited: Sequence[tuple[int, int, int]], by: int, waiting: Sequence[int]) -> bool:
        last, looks, look = len(waiting), self._looks, self.look
        for i, count, looked in waited:
            other = i + by
            if other >= last or waiting[other] != count:
                return False
            known = looks[other]
            if (look(other) if known < 0 else known) != looked:
                return False
        return True

    def look(self, i: int) -> int:
        """A number for all that a packing asks of a step, its neighbours by where they are from here."""
        known = self._looks[i]
        if known < 0:
            known = self._looks[i] = self._looked(i)
        if known < 0:
            steps, step = self.steps, self.steps[i]
            layer = step.layer
            look = (
                id(step.placement),
                step.conv, step.arith, step.activ, step.pool,
                step.copy, step.free, step.renames, step.loops, step.portioned, step.begins, step.corrected,
                step.op == "Sub",
                i if step.corrects else -1,  # what it reads beside is looked at by name
                self.fetched[i],
                tuple([(s - i, free, count, steps[s].layer == layer) for s, free, count in self.sources[i]]),
                tuple([reader - i for reader in self.readers[i]]),
            )  # fmt: skip
            known = self._looks[i] = self._numbers.setdefault(look, len(self._numbers))
        return known


def _moved(stretch: Stretch, ranked: Sequence[int], by: int) -> Stretch:
    return Stretch(
        tuple(ranked),
        tuple([i + by for i in stretch.steps]),
        tuple([[i + by for i in taken] for taken in stretch.epochs]),
        stretch.goes_on + by,
        tuple([(i + by, count) for i, count in stretch.behind]),
    )
