"""What is shown before a model is: an analysis of nothing, so that no widget needs a case for it."""

from __future__ import annotations

from npuscope.cost.values import Memory
from npuscope.model.graph import Graph
from npuscope.snapshot import Snapshot, Summary
from npuscope.target.machine import target

EMPTY = Snapshot(
    graph=Graph((), {}, {}, (), (), {}),
    target=target(),
    layers=(),
    epochs=(),
    memory=Memory((), 0, 0),
    summary=Summary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0),
)
