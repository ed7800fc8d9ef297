"""What is shown before a model is: an analysis of nothing, so that no widget needs a case for it."""

from __future__ import annotations

from npuscope.machine.machine import target
from npuscope.model.graph import Graph
from npuscope.npu.cost import Memory
from npuscope.snapshot import Snapshot, Summary

EMPTY = Snapshot(
    graph=Graph((), {}, {}, (), (), {}),
    target=target(),
    layers=(),
    epochs=(),
    memory=Memory((), 0, 0),
    summary=Summary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0),
)
