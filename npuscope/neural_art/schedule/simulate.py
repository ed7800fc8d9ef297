"""From a schedule to figures: traffic, memory, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npuscope.machine.machine import Target
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.neural_art.lowering.borders import quantized_inputs
from npuscope.neural_art.schedule.dataflow import NONE_MOVED, NONE_SETTLED, dataflow
from npuscope.neural_art.schedule.latency import price
from npuscope.neural_art.schedule.memory import allocate
from npuscope.neural_art.schedule.reuse import Allocated, Reuse
from npuscope.npu.cost import Cost, Epoch, Memory


def simulate(
    graph: Graph,
    layers: Layers,
    costs: Mapping[str, Cost | None],
    epochs: Sequence[Epoch],
    target: Target,
    before: Reuse | None = None,
    after: Reuse | None = None,
    settled: Mapping[str, object] = NONE_SETTLED,
) -> tuple[tuple[Epoch, ...], Memory]:
    """The epochs with their figures, and where everything lies; `costs` maps the names of layers to their prices.

    `before` is what the analysis of another state of the model for the same target left, `after` takes what this one leaves;
    the layers in `settled` are the same in both, and so are their prices.
    """
    borders = tuple(quantized_inputs(graph, layers, target.build))
    if borders:
        epochs = [epoch.numbered(i + 1) for i, epoch in enumerate((*borders, *epochs))]
    kept = before.allocated if before is not None else None
    moved = dataflow(
        graph, layers, costs, epochs, target, kept.moved if kept is not None else NONE_MOVED, settled
    )
    weights = {
        name: cost.weights_bytes for name, cost in costs.items() if cost is not None and cost.weights_bytes
    }
    listed = tuple(weights.items())
    if kept is not None and kept.buffers == moved.buffers and kept.weights == listed:
        memory = kept.memory
    else:
        memory = allocate(moved.buffers, weights, len(epochs), target)
    if after is not None:
        after.allocated = Allocated(moved.buffers, listed, memory, moved.moved)
    known = [reuse.repricing if reuse is not None else None for reuse in (before, after)]
    return price(epochs, layers, costs, moved, memory, target, *known), memory
