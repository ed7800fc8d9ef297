"""The orders in which steps may be numbered, and the cycles they take: what the schedule is chosen by.

The compiler's graphs (blazeface_128, ssd_mobilenet_v1_256, ocr_det_160) number operators breadth first, level by level,
the readers of a tensor mostly last one first. Its profiles ask for `--Oauto-sched`, which tries schedules and keeps the
fastest; which ones it tries is not known. Here four numberings are tried: level by level, or all of a layer at once, with
the readers of a tensor in either order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.npu.cost import Cost


def numberings(graph: StepGraph) -> Iterator[list[int]]:
    """The steps in each numbering, as lists of their positions."""
    steps = graph.steps
    yield by_levels(graph, last_first=True)
    yield by_levels(graph, last_first=False)
    yield list(range(len(steps)))
    numbers = [graph.numbered.get(step.layer, -1) for step in steps]
    yield sorted(range(len(steps)), key=numbers.__getitem__)


def orders(graph: StepGraph) -> Iterator[list[int]]:
    """The numberings that may lead to different epochs: none that repeats one before it, one where nothing forks."""
    sequences: list[list[int]] = []
    for order in numberings(graph) if forks(graph) else islice(numberings(graph), 1):
        if order not in sequences:
            sequences.append(order)
            yield order


def forks(graph: StepGraph) -> bool:
    """A step has two readers, or two wait for nothing; else one step alone can go on, in whatever order."""
    return len(graph.begin) > 1 or any(len(readers) > 1 for readers in graph.readers)


def by_levels(graph: StepGraph, last_first: bool) -> list[int]:
    """Breadth first from the inputs."""
    steps = graph.steps
    order = levels(steps, graph.readers, list(graph.waiting), graph.begin, last_first)
    if len(order) < len(steps):  # a cycle: what is left comes in the order given
        taken = set(order)
        order += [i for i in range(len(steps)) if i not in taken]
    return order


def levels(
    steps: Sequence[Step],
    readers: Sequence[Sequence[int]],
    left: list[int],
    begin: Sequence[int],
    last_first: bool,
) -> list[int]:
    """The same for steps of which each waits for `left` operands, and those of `begin` for none; what is in a cycle is left out.

    A convolution on several CAs is a chain of as many operators, each a level.
    """
    later: dict[int, list[int]] = {}
    """Steps behind such a chain, by their levels."""
    order: list[int] = []
    level, depth = begin, 0
    while level or later:
        order += level
        depth += 1
        below = later.pop(depth, [])
        for i in level:
            behind = readers[i]
            for reader in reversed(behind) if last_first and len(behind) > 1 else behind:
                count = left[reader] = left[reader] - 1
                if count == 0:
                    conv = steps[i].conv
                    if conv < 2:
                        below.append(reader)
                    else:
                        later.setdefault(depth + conv - 1, []).append(reader)
        level = below
    return order


def durations(steps: Sequence[Step], costs: Mapping[str, Cost | None]) -> list[int]:
    """Compute cycles of each step with ideal memory."""
    times = []
    for step in steps:
        cost = costs.get(step.layer) if step.lead else None
        if step.copy or step.free:
            times.append(0)
        elif cost is None:
            times.append(step.elements)
        else:
            times.append(cost.compute_cycles // (cost.tiling.steps if cost.tiling is not None else 1))
    return times
