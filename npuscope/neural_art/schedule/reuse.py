"""What the analysis of one state of a model leaves for that of the next: lowered layers, packings, memory, prices of epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.neural_art.lowering.journal import Journal
from npuscope.neural_art.schedule.dataflow import Buffer, Moved
from npuscope.neural_art.schedule.repricing import Repricing
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.cost import Memory


class Allocated(NamedTuple):
    """Where buffers and weights were put."""

    buffers: tuple[Buffer, ...]
    weights: tuple[tuple[str, int], ...]
    """(layer, bytes), in the order in which they are put."""
    memory: Memory
    moved: Mapping[int, Moved]
    """What epochs moved."""


class Reuse:
    """Filled in by one analysis, read by others; it holds for one target. `before` is what the one before left."""

    def __init__(self, target: Target, before: Reuse | None = None) -> None:
        self.target = target
        self.journal: Journal | None = None
        self.graph: StepGraph | None = None
        self.allocated: Allocated | None = None
        self.scheduled: object = None
        """What trials of edits make of it, once the first of them asks."""
        older: Repricing | None = before.repricing if before is not None and before.target is target else None
        self.repricing: Repricing = Repricing(older)
