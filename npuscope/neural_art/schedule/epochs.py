"""The sequence of epochs: what the compiler would run, one step after the other (docs/accuracy-placement.md).

Layers are lowered to the compiler's operators, with what it inserts (`npuscope.neural_art.lowering.lower`), and these are packed
into epochs as its scheduler does (`npuscope.neural_art.schedule.scheduler`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from npuscope.machine.machine import Target, target
from npuscope.model.layers import Layer, Layers
from npuscope.neural_art.lowering.dispatch import lower
from npuscope.neural_art.lowering.journal import lowered
from npuscope.neural_art.lowering.lower import Lowering, Placed, Readers, in_order
from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.lowering.units import printed
from npuscope.neural_art.mapping.layout import repeats
from npuscope.neural_art.schedule.depth_first import pack_depth_first
from npuscope.neural_art.schedule.moves import moves
from npuscope.neural_art.schedule.orders import by_levels, durations, orders
from npuscope.neural_art.schedule.reuse import Reuse
from npuscope.neural_art.schedule.scheduler import pack_in_order, way
from npuscope.neural_art.schedule.step_graph import StepGraph, step_graph
from npuscope.npu.cost import Cost, Epoch, Inserted, Move
from npuscope.npu.verdict import Placement

__all__ = ["Placed", "lowered_name", "schedule", "steps"]


def schedule(
    placed: Iterable[Placed] | Readers,
    layers: Layers,
    machine: Target | None = None,
    before: Reuse | None = None,
    after: Reuse | None = None,
) -> tuple[Epoch, ...]:
    """The epochs; a layer that takes several is in each of them, one that is only a view of its input in none.

    `before` is what the analysis of another state of the model left, `after` takes what this one leaves.
    """
    machine = machine or target()
    readers = placed if isinstance(placed, Readers) else Readers(list(placed))
    if before is None and after is None:
        made = _lowered(readers.in_order(), layers, machine)
        graph = StepGraph(made, layer_ranks(readers))
    else:
        known = before.journal if before is not None else None
        made, journal = lowered(readers.in_order(), layers, machine, lower, known)
        graph = step_graph(made, before.graph if before is not None else None, layer_ranks(readers))
        if after is not None:
            after.journal, after.graph = journal, graph
    number = fastest(graph, readers.costs, machine, noted=after is not None)
    if number not in graph.epochs:
        graph.epochs[number] = _epochs(graph, graph.packed[number])
    graph.change = None
    graph.alike.let_go()
    return graph.epochs[number]


def fastest(graph: StepGraph, costs: Mapping[str, Cost | None], machine: Target, noted: bool = False) -> int:
    """The number of the packing with the fewest compute cycles, the first one of equals; each order leads to one."""
    if not graph.packed:
        chosen = way(machine)
        if chosen.depth_first:
            graph.packed.append(pack_depth_first(graph, machine.units, by_levels(graph, last_first=True)))
            return 0
        for order in islice(orders(graph), 1 if chosen.apart else None):
            if not graph.packed_alike(order):
                packed = pack_in_order(graph, machine.units, order, chosen, noted)
                if packed not in graph.packed:
                    graph.packed.append(packed)
        if not noted:
            graph.runs.clear()
    if len(graph.packed) == 1:
        return 0
    cycles = durations(graph.steps, costs)
    totals = [sum([max([cycles[i] for i in taken]) for taken in packed]) for packed in graph.packed]
    return totals.index(min(totals))


def layer_ranks(readers: Readers) -> dict[str, int]:
    """Layer -> its number, breadth first, the readers of a tensor last one first."""
    return {item.layer.name: i for i, item in enumerate(readers.in_order(last_first=True))}


def steps(placed: Iterable[Placed], layers: Layers, machine: Target) -> list[Step]:
    """The compiler's operators, in the order in which they are lowered."""
    return _lowered(in_order(list(placed)), layers, machine)


def _lowered(order: Iterable[Placed], layers: Layers, machine: Target) -> list[Step]:
    lowering = Lowering(layers, machine)
    for item in order:
        lower(lowering, item)
    return lowering.steps


def _epochs(graph: StepGraph, packing: Sequence[Sequence[int]]) -> tuple[Epoch, ...]:
    made = graph.steps
    packed = [[made[i] for i in taken] for taken in packing]
    needed_by = needed_layers(made)
    known = [graph.change.known(taken) if graph.change is not None else None for taken in packing]
    moved = moves(made, packed, [epoch.moves if epoch is not None else None for epoch in known])
    epochs = []
    for k, (epoch, taken) in enumerate(zip(known, packed, strict=True)):
        if epoch is None or epoch.moves is not moved[k]:
            epoch = described(k + 1, taken, moved[k], needed_by)
        epochs.append(epoch.numbered(k + 1))
    graph.described = {tuple(taken): epoch for taken, epoch in zip(packing, epochs, strict=True)}
    return tuple(epochs)


def needed_layers(steps: Sequence[Step]) -> dict[str, str]:
    """Tensor that a step of no layer writes -> the first layer that reads it: a copy of an input belongs to it."""
    wanted = {tensor for step in steps if not step.layer for tensor in step.writes}
    needed_by: dict[str, str] = {}
    for step in steps if wanted else ():
        for tensor, _, _ in step.reads:
            if tensor in wanted and step.layer:
                needed_by.setdefault(tensor, step.layer)
                if len(needed_by) == len(wanted):
                    return needed_by
    return needed_by


def described(
    index: int, taken: Sequence[Step], moved: tuple[Move, ...], needed_by: Mapping[str, str]
) -> Epoch:
    leading = [s for s in taken if s.lead]
    first = next((s for s in taken if s.conv), None) or (leading or taken)[0]
    placement = next((s.placement for s in taken if s.placement is not Placement.HW), Placement.HW)
    return Epoch(
        index=index,
        placement=placement,
        op=first.op,
        layers=tuple(dict.fromkeys([name for s in leading for name in (s.layer, *s.beside)])),
        inserted=tuple(
            [
                Inserted(
                    s.op,
                    s.elements,
                    s.constant_bytes,
                    s.layer or next((needed_by[name] for name in s.writes if name in needed_by), ""),
                )
                for s in taken
                if not s.lead
            ]
        ),
        moves=moved,
    )


def lowered_name(layer: Layer) -> str:
    """What the compiler's report calls a layer: a Gemm or MatMul is a Conv, a Resize that repeats values a DepthToSpace."""
    if layer.kind in ("Resize", "Upsample") and repeats(layer):
        return "DepthToSpace"
    return printed(layer.kind)
