"""How the first order was packed, for the orders after it: these number most stretches as it does.

Where one step alone can go on, the steps done are the same in all orders: it comes before all others. From there the epochs are
those of the first order up to the first stretch that another one numbers otherwise.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from npuscope.neural_art.schedule.replay import Run


class Seam(NamedTuple):
    """How many stretches, steps begun and done, epochs and moments there were before one step alone goes on.

    None does at the end, and at the beginning, where all do that wait for nothing.
    """

    stretches: int
    begun: int
    passed: int
    epochs: int
    moments: int
    goes_on: int | None


class Trail:
    """A packing by its seams; `stretches` are the steps of each stretch in the order of their numbers."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stretches: list[tuple[int, ...]] = []
        self.seams: list[Seam] = []
        self.place: dict[int | None, int] = {}
        """Step that goes on -> its seam; None -> where all that waits for nothing does."""

    def note(self, goes_on: int | None) -> None:
        """A seam of the packing as far as it is: `goes_on` is None at the beginning and at the end."""
        run = self.run
        self.place.setdefault(goes_on, len(self.seams))
        sizes = (len(run.begun), len(run.passed), len(run.epochs), len(run.moments))
        self.seams.append(Seam(len(self.stretches), *sizes, goes_on))

    def breaks(self, rank: Sequence[int]) -> list[int]:
        """The stretches that are numbered otherwise."""
        return [k for k, steps in enumerate(self.stretches) if not ascending(steps, rank)]

    def ahead(self, goes_on: int | None, breaks: Sequence[int]) -> tuple[Seam, Seam] | None:
        """The seam at a step, and the last one before the next of these stretches; None where that is no other."""
        number = self.place.get(goes_on)
        if number is None:
            return None
        here = self.seams[number]
        index = bisect_right(breaks, here.stretches - 1)
        most = breaks[index] if index < len(breaks) else len(self.stretches)
        there = self.seams[bisect_right(self.seams, (most + 1,)) - 1]
        return (here, there) if there.stretches > here.stretches else None


def ascending(steps: Sequence[int], rank: Sequence[int]) -> bool:
    """The numbers of some steps ascend."""
    numbers = [rank[i] for i in steps]
    return numbers == sorted(numbers)
