"""Scales for many edits from one run of the model, however many layers they are on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from onnx import helper

from npuscope.edits.apply_all import apply_all
from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.quantize_layer import QuantizeLayer, calibrated_layer, float_island, with_ranges
from npuscope.edits.kinds.recentre import Recentre, measured, watched, with_ends
from npuscope.edits.kinds.split_input import SplitInput, sums_grid
from npuscope.edits.toolkit.ranges import quantization
from npuscope.edits.toolkit.weighted import weighted
from npuscope.model.graph import Node
from npuscope.model.tensors import Constant, TensorType
from npuscope.numbers.adapt_inputs import fed
from npuscope.numbers.calibration import Extremes, calibrated, upstream
from npuscope.numbers.runner import Progress, Runner, Sample, ShouldStop, StoppedError
from npuscope.session import Session

Ranges = Sequence[tuple[float, float]]
"""(smallest, largest) of each tensor that was watched."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What to compute beside the model to find an edit's scales."""

    tensors: tuple[str, ...]
    """What to watch."""
    finish: Callable[[Ranges], Edit]
    nodes: tuple[Node, ...] = ()
    constants: tuple[Constant, ...] = ()
    types: Mapping[str, TensorType] | None = None


def calibrate_all(
    session: Session,
    edits: Sequence[Edit],
    samples: Sequence[Sample],
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
    given: bool = False,
    applied: Progress | None = None,
) -> Session | Refusal:
    """The session with all edits; those that take scales and have none get them from the samples.

    1. All edits of layers the session has now are calibrated on the model as it is now, in one run.
    2. An edit of a layer that an earlier one makes is calibrated on the model as it then is.
    3. `given`: the samples are the user's own. Then a re-centred tensor gets its range from them too; random ones are
       no better than the range it has.
    4. `progress` counts samples, `applied` edits.
    5. Raises ModelError where the model does not run, StoppedError where `should_stop` says so.
    """
    probes: dict[int, Probe] = {}
    seen: set[str] = set()
    for position, edit in enumerate(edits):
        if takes_scales(edit, given) and edit.layer not in seen:
            probe = _probe(session, edit)
            if probe is not None:
                probes[position] = probe
        seen.add(edit.layer)
    found = _run(session, list(probes.values()), samples, progress, should_stop) if probes else []
    ready = dict(zip(probes, found, strict=True))
    pending: list[Edit] = []
    for position, edit in enumerate(edits):
        if position not in ready and takes_scales(edit, given):
            session_then = apply_all(session, pending)
            if isinstance(session_then, Refusal):
                return session_then
            session, pending = session_then, []
            scaled = _alone(session, edit, samples, should_stop)
            if isinstance(scaled, Refusal):
                return scaled
            edit = scaled
        pending.append(ready.get(position, edit))
    return apply_all(session, pending, should_stop, applied)


def takes_scales(edit: Edit, given: bool = False) -> bool:
    """An edit that calibration gives scales and that has none yet; `given` as `calibrate_all` takes it."""
    if isinstance(edit, Recentre):
        return given and edit.ends is None
    return isinstance(edit, (SplitInput, QuantizeLayer)) and not edit.scales


def _alone(
    session: Session, edit: Edit, samples: Sequence[Sample], should_stop: ShouldStop | None
) -> Edit | Refusal:
    if isinstance(edit, QuantizeLayer):
        return calibrated_layer(
            session.source, session.graph, edit, samples, session.layers, should_stop=should_stop
        )
    if isinstance(edit, Recentre):
        return measured(session.source, session.graph, session.layers, edit, samples, should_stop=should_stop)
    assert isinstance(edit, SplitInput)
    return calibrated(
        session.source, session.graph, edit, samples, should_stop=should_stop, layers=session.layers
    )


def _probe(session: Session, edit: Edit) -> Probe | None:
    """None where the edit does not fit the session as it is, or takes no scales there."""
    graph = session.graph
    if isinstance(edit, QuantizeLayer):
        return _watched(session, edit)
    if isinstance(edit, Recentre):
        return _recentred(session, edit)
    assert isinstance(edit, SplitInput)
    whole = weighted(graph, session.layers, edit.layer, transposed=True)
    grid = sums_grid(whole) if not isinstance(whole, Refusal) else None
    patch = edit.apply(graph, session.layers)
    if grid is None or isinstance(patch, Refusal):
        return None
    # What writes a tensor the model has stays out: the model itself computes on as it was.
    nodes = [node for node in patch.insert if graph.producers.keys().isdisjoint(node.outputs)]
    operator = session.layers.by_name[edit.layer].kind
    parts = [node.output(0) for node in nodes if node.op == operator]
    types = dict(patch.types)
    tensors, running = list(parts), parts[0]
    for number, part in enumerate(parts[1:-1], start=1):
        total = f"{part}_sum_of_{number + 1}"
        proto = helper.make_node("Add", (running, part), (total,), name=total)
        nodes.append(Node(total, "Add", "", (running, part), (total,), proto))
        types[total] = types.get(part, graph.type(part))
        tensors.append(total)
        running = total

    def finish(ranges: Ranges) -> Edit:
        return replace(edit, scales=tuple(quantization(low, high, grid.stored) for low, high in ranges))

    return Probe(tuple(tensors), finish, tuple(nodes), patch.constants, types)


def _watched(session: Session, edit: QuantizeLayer) -> Probe | None:
    """The model's own tensors that get a Q."""
    island = float_island(session.graph, session.layers, edit.layer)
    if isinstance(island, Refusal) or not island.calibrated:
        return None
    return Probe(
        island.calibrated, lambda ranges: with_ranges(edit, dict(zip(island.calibrated, ranges, strict=True)))
    )


def _recentred(session: Session, edit: Recentre) -> Probe | None:
    """What is quantized anew."""
    tensors = watched(session.graph, session.layers, edit)
    if isinstance(tensors, Refusal):
        return None

    def finish(ranges: Ranges) -> Edit:
        return with_ends(edit, ranges)

    return Probe(tensors, finish)


def _run(
    session: Session,
    probes: Sequence[Probe],
    samples: Sequence[Sample],
    progress: Progress | None,
    should_stop: ShouldStop | None,
) -> list[Edit]:
    graph = session.graph
    constants, types = dict(graph.constants), dict(graph.types)
    nodes = list(graph.nodes)
    for probe in probes:
        nodes += probe.nodes
        constants.update((constant.name, constant) for constant in probe.constants)
        types.update(probe.types or {})
    tensors = tuple(dict.fromkeys(name for probe in probes for name in probe.tensors))
    computed = tuple(name for name in tensors if name not in graph.inputs)
    whole = replace(graph, nodes=tuple(nodes), constants=constants, types=types)
    needed = upstream(whole, computed)
    runner = Runner(session.source, needed) if computed else None
    extremes = {name: Extremes() for name in tensors}
    for done, sample in enumerate(samples):
        if should_stop is not None and should_stop():
            raise StoppedError
        if progress is not None:
            progress(done, len(samples))
        values = dict(sample)
        if runner is not None:
            taken = fed(needed, {name: value for name, value in sample.items() if name in needed.inputs})
            values |= zip(computed, runner.run(taken), strict=True)
        for name, seen in extremes.items():
            seen.add(values[name])
    if progress is not None:
        progress(len(samples), len(samples))
    ranges = {name: (seen.low, seen.high) for name, seen in extremes.items()}
    return [probe.finish([ranges[name] for name in probe.tensors]) for probe in probes]
