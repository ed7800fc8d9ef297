"""Milliseconds of a model with an edit made, from the analysis of the model without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.neural_art.lowering.dispatch import lower
from npuscope.neural_art.lowering.journal import lowered
from npuscope.neural_art.lowering.lower import Placed, Readers
from npuscope.neural_art.schedule.epochs import layer_ranks
from npuscope.neural_art.schedule.reuse import Reuse
from npuscope.neural_art.trial.milliseconds import milliseconds
from npuscope.neural_art.trial.scheduled import Scheduled
from npuscope.npu.cost import Cost, Epoch, Memory


class Without(NamedTuple):
    """The analysis of the model without the edit; `reuse` is what it left for others."""

    graph: Graph
    layers: Layers
    costs: Mapping[str, Cost | None]
    epochs: Sequence[Epoch]
    memory: Memory
    reuse: Reuse


def with_edit(graph: Graph, layers: Layers, placed: Sequence[Placed], without: Without) -> float | None:
    """None where the model is to be scheduled as a whole."""
    reuse = without.reuse
    if reuse.scheduled is None:
        reuse.scheduled = _scheduled(without) or False
    known = reuse.scheduled
    if not isinstance(known, Scheduled):
        return None
    readers = Readers(placed)
    numbered = readers if graph.imported else readers.as_imported()
    made, _ = lowered(numbered.in_order(), layers, known.target, lower, reuse.journal)
    return milliseconds(known, graph, layers, readers.costs, made, layer_ranks(numbered))


def _scheduled(without: Without) -> Scheduled | None:
    graph, target = without.reuse.graph, without.reuse.target
    if graph is None or not graph.written_once or target.epoch_controller:
        return None
    if not graph.runs or any(len(run.passed) < len(graph.steps) or not run.moments for run in graph.runs):
        return None
    return Scheduled(*without[:3], graph, *without[3:5], without.reuse.repricing, target)
