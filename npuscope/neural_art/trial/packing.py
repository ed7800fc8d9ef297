"""The steps of a model with an edit made, and the fastest packing of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npuscope.neural_art.lowering.steps import Step
from npuscope.neural_art.schedule.orders import durations, levels
from npuscope.neural_art.schedule.scheduler import way
from npuscope.neural_art.schedule.step_graph import StepGraph
from npuscope.neural_art.trial.repacking import Repacked, Steps, repacked
from npuscope.neural_art.trial.scheduled import Scheduled
from npuscope.npu.cost import Cost


def steps_now(known: Scheduled, made: Sequence[Step]) -> Steps | None:
    """The steps by their numbers; None where it is not plain what reads what, and what lies in what."""
    count, graph = len(known.steps), known.graph
    order, fresh = _numbered(known, made)
    kept = [i for i in order if i < count]
    gone = frozenset(range(count)).difference(kept) if len(kept) < count else frozenset[int]()
    if kept != sorted(kept) or not graph.written_once:
        return None
    if any(step.free or step.renames for step in (*fresh, *[known.steps[i] for i in gone])):
        return None  # what lies in what may be other all over the model
    steps, new = [*known.steps, *fresh], range(count, count + len(fresh))
    writer = _writers_now(graph, steps, gone, new)
    if writer is None:
        return None
    sources, fetched, waiting = list(graph.sources), list(graph.fetched), list(graph.waiting)
    readers = [*graph.readers, *[list[int]() for _ in new]]
    other, changed = set(gone), set[int]()
    for i in {reader for tensor in writer for reader in known.reading.get(tensor, ())} - gone:
        reads, outside = _read(i, steps[i], writer, graph)
        was = graph.sources[i]
        if outside != graph.fetched[i] or [one[0] for one in reads] != [one[0] for one in was]:
            changed.add(i)
            other.add(i)
            other.update([source for source, _, _ in (*reads, *was)])
            sources[i], fetched[i], waiting[i] = reads, outside, len(reads)
    for i in new:
        reads, outside = _read(i, steps[i], writer, graph)
        sources.append(reads)
        fetched.append(outside)
        waiting.append(len(reads))
        other.update([source for source, _, _ in reads])
    for i in gone:
        other.update([source for source, _, _ in graph.sources[i]])
    _reread(readers, sources, graph.sources, gone, changed, new, order)
    begin = [i for i in order if waiting[i] == 0]
    if begin != graph.begin:
        return None
    return Steps(
        steps, order, sources, readers, fetched, waiting, gone, frozenset([i for i in other if i < count])
    )


def _numbered(known: Scheduled, made: Sequence[Step]) -> tuple[list[int], list[Step]]:
    """The numbers of steps in the order in which they were made, and those that are new."""
    index, count = known.index, len(known.steps)
    order: list[int] = []
    fresh: list[Step] = []
    for step in made:
        i = index.get(id(step))
        if i is None:
            i = count + len(fresh)
            fresh.append(step)
        order.append(i)
    return order, fresh


def _writers_now(
    graph: StepGraph, steps: Sequence[Step], gone: frozenset[int], new: range
) -> dict[str, int | None] | None:
    """Tensors that something else writes than before, None for nothing; None for all where two steps write one."""
    no_more = {tensor for i in gone for tensor in steps[i].writes}
    writer: dict[str, int | None] = dict.fromkeys(no_more)
    for i in new:
        for tensor in steps[i].writes:
            if writer.get(tensor) is not None or (tensor in graph.writer and tensor not in no_more):
                return None
            writer[tensor] = i
    return writer


def _read(
    i: int, step: Step, writer: Mapping[str, int | None], graph: StepGraph
) -> tuple[list[tuple[int, bool, int]], int]:
    """What a step reads of others, and the stream engines for what none makes."""
    sources, outside = [], step.extra_streams
    for tensor, chained, streams in step.reads:
        source = writer[tensor] if tensor in writer else graph.writer.get(tensor)
        if source is None or source == i:
            outside += streams
        else:
            sources.append((source, chained, streams))
    return sources, outside


def _reread(
    readers: list[list[int]],
    sources: Sequence[Sequence[tuple[int, bool, int]]],
    before: Sequence[Sequence[tuple[int, bool, int]]],
    gone: frozenset[int],
    changed: set[int],
    fresh: range,
    order: Sequence[int],
) -> None:
    """The readers of steps that others read now, in the order in which those were made."""
    affected = {source for i in (*gone, *changed) for source, _, _ in before[i]}
    affected |= {source for i in (*changed, *fresh) for source, _, _ in sources[i]}
    if not affected:
        return
    place = [0] * len(readers)
    for number, i in enumerate(order):
        place[i] = number
    again = [(source, i) for i in (*changed, *fresh) for source, _, _ in sources[i]]
    for source in affected - gone:
        read = [i for i in readers[source] if i not in gone and i not in changed]
        read += [i for one, i in again if one == source]
        readers[source] = sorted(read, key=place.__getitem__)


def cycles_now(known: Scheduled, now: Steps, costs: Mapping[str, Cost | None]) -> list[int]:
    """Compute cycles of each step."""
    count = len(known.steps)
    cycles = [*known.cycles, *durations(now.steps[count:], costs)]
    was = known.costs
    for name in [name for name, cost in costs.items() if was.get(name) is not cost]:
        own = known.of_layer.get(name, ())
        for i, taken in zip(own, durations([now.steps[i] for i in own], costs), strict=True):
            cycles[i] = taken
    return cycles


def fastest(
    known: Scheduled, now: Steps, numbered: Mapping[str, int], cycles: Sequence[int]
) -> Repacked | None:
    """The first packing with the fewest cycles, where the one before was of the same order."""
    target = known.target
    begin = [i for i in now.order if now.waiting[i] == 0]
    changed = [i for i, was in enumerate(known.cycles) if cycles[i] != was and i not in now.gone]
    tried: list[tuple[list[int], int, Repacked]] = []
    best: tuple[int, int] | None = None
    for k, packed in enumerate(known.packed):
        if k < 2:
            order = levels(now.steps, now.readers, list(now.waiting), list(begin), last_first=k == 0)
            if len(order) < len(now.order):
                return None
        elif k == 2:
            order = list(now.order)
        else:
            order = sorted(now.order, key=lambda i: numbered.get(now.steps[i].layer, -1))
        same = next((one for one in tried if one[0] == order), None)
        if same is not None:
            tried.append(same)
            continue
        one = repacked(now, packed, order, target.units, way(target))
        if one is None:
            return None
        total = sum([max([cycles[i] for i in taken]) for taken in one.epochs])
        total += sum([packed.cycles[was] for was in one.origin if was >= 0])
        for was in {packed.epoch_of[i] for i in changed}.intersection(one.origin):
            if was >= 0:
                total += max([cycles[i] for i in packed.run.epochs[was]]) - packed.cycles[was]
        tried.append((order, total, one))
        if best is None or total < best[0]:
            best = total, k
    if best is None or not known.alike[best[1]]:
        return None
    return tried[best[1]][2]
