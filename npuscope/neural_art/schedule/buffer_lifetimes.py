"""Activations over time: which buffers live in which epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npuscope.machine.machine import Target
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.neural_art.schedule.dataflow import Buffer, alive, dataflow
from npuscope.npu.cost import Cost, Epoch
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Lifetimes:
    """The life of every buffer. `alive` has the bytes that live in each epoch, in their order."""

    buffers: tuple[Buffer, ...]
    alive: tuple[int, ...]

    @property
    def peak(self) -> int:
        """Position of the epoch in which most bytes live; 0 where there is no epoch."""
        return max(range(len(self.alive)), key=lambda position: self.alive[position], default=0)

    def at(self, position: int) -> tuple[Buffer, ...]:
        """The buffers that live in an epoch, largest first."""
        alive = [buffer for buffer in self.buffers if buffer.first <= position <= buffer.last and buffer.size]
        return tuple(sorted(alive, key=lambda buffer: -buffer.size))


def buffer_lifetimes(
    graph: Graph,
    layers: Layers,
    costs: Mapping[str, Cost | None],
    epochs: Sequence[Epoch],
    target: Target,
) -> Lifetimes:
    """The buffers of a schedule, and how many bytes live when."""
    buffers = dataflow(graph, layers, costs, epochs, target).buffers
    return Lifetimes(buffers, tuple(alive(buffers, len(epochs))))
