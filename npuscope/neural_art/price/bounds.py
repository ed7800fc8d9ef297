"""What bounds a model: the time of its epochs, put down to what sets it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from npuscope.npu.cost import NOTHING, Cost, Epoch
from npuscope.npu.ledger import START
from npuscope.record import dataclass

"""The set-up of epochs."""


@dataclass(frozen=True, slots=True)
class Part:
    """An epoch's time under one bound."""

    epoch: Epoch
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that sets the time of epochs, and all it sets, the longest first.

    `name` is a port, a memory pool, 'elements', 'dma', 'cpu', 'start' for set-up, or 'nothing'.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def milliseconds(self) -> float:
        """Its part of the model's time."""
        return sum(part.milliseconds for part in self.parts)


def bounds(epochs: Iterable[Epoch], costs: Mapping[str, Cost | None]) -> tuple[Bound, ...]:
    """Where the time goes, the largest part first; the parts add up to the time of the epochs.

    The set-up of an epoch is put down to 'start', the rest to what bounds the work itself.
    """
    by_bound: dict[str, list[Part]] = {}
    for epoch in epochs:
        core = epoch.milliseconds - epoch.start_milliseconds
        if epoch.start_milliseconds > 0:
            by_bound.setdefault(START, []).append(Part(epoch, epoch.start_milliseconds))
        if core > 0:
            by_bound.setdefault(work_bound(epoch, costs), []).append(Part(epoch, core))
    made = (
        Bound(name, tuple(sorted(parts, key=lambda part: -part.milliseconds)))
        for name, parts in by_bound.items()
    )
    return tuple(sorted(made, key=lambda bound: -bound.milliseconds))


def work_bound(epoch: Epoch, costs: Mapping[str, Cost | None]) -> str:
    """What bounds an epoch once it is set up."""
    if epoch.bound_by and epoch.bound_by != START:
        return epoch.bound_by
    known = [cost for name in epoch.layers if (cost := costs.get(name)) is not None]
    slowest = max(known, key=lambda cost: cost.milliseconds, default=None)
    if slowest is None:
        return "dma" if epoch.inserted else NOTHING
    return slowest.busiest
