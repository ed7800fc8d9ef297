"""Time: from the cycles of an epoch to milliseconds on the board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from npuscope.cost.values import Cost, Epoch, Inserted
from npuscope.placement.verdict import Placement
from npuscope.target.machine import Target


def price(epochs: Iterable[Epoch], costs: Mapping[str, Cost | None], target: Target) -> tuple[Epoch, ...]:
    """The epochs with their figures; `costs` maps the names of layers to their prices."""
    return tuple(_priced(epoch, costs, target) for epoch in epochs)


def _priced(epoch: Epoch, costs: Mapping[str, Cost | None], target: Target) -> Epoch:
    parts = [cost for name in epoch.layers if (cost := costs.get(name)) is not None]
    parts += [inserted_cost(inserted, epoch.placement, target) for inserted in epoch.inserted]
    slowest = max(parts, key=lambda cost: cost.cycles, default=None)
    return replace(
        epoch,
        compute_cycles=max((cost.compute_cycles for cost in parts), default=0),
        cycles=slowest.cycles if slowest is not None else 0,
        milliseconds=epoch_milliseconds(epoch.placement, parts, target),
        bound_by=slowest.bound_by if slowest is not None else "",
        certain=all(cost.certain for cost in parts),
    )


def inserted_cost(inserted: Inserted, placement: Placement, target: Target) -> Cost:
    """Price of an operator the compiler adds."""
    if placement.on_cpu:
        per_element = target.software.quantize_cycles_per_element
        cycles = round(inserted.elements * per_element)
        return Cost(0, cycles, cycles, cycles / target.clocks.cpu_hz * 1e3, "cpu", certain=False)
    if inserted.kind == "Identity":  # a copy by DMA: no accelerator works
        return Cost(0, 0, 0, 0.0, "dma")
    return Cost(
        0, inserted.elements, inserted.elements, inserted.elements / target.clocks.npu_hz * 1e3, "elements"
    )


def epoch_milliseconds(placement: Placement, parts: Sequence[Cost], target: Target) -> float:
    """Milliseconds of an epoch: its slowest part."""
    return max((cost.milliseconds for cost in parts), default=0.0)
