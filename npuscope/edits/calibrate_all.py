"""Scales for many edits from one run of the model, however many layers they are on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from onnx import helper

from npuscope.edits.apply_all import apply_all
from npuscope.edits.calibration import Extremes, calibrated, upstream
from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.ranges import quantization
from npuscope.edits.runner import Progress, Runner, Sample, ShouldStop, StoppedError
from npuscope.edits.split_input import SplitInput, sums_grid
from npuscope.edits.weighted import weighted
from npuscope.model.graph import Node
from npuscope.model.tensors import Constant, TensorType
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
) -> Session | Refusal:
    """The session with all edits; those that take scales and have none get them from the samples.

    1. All edits of layers the session has now are calibrated on the model as it is now, in one run.
    2. An edit of a layer that an earlier one makes is calibrated on the model as it then is.
    3. Raises ModelError where the model does not run, StoppedError where `should_stop` says so.
    """
    probes: dict[int, Probe] = {}
    seen: set[str] = set()
    for position, edit in enumerate(edits):
        if takes_scales(edit) and edit.layer not in seen:
            probe = _probe(session, edit)
            if probe is not None:
                probes[position] = probe
        seen.add(edit.layer)
    found = _run(session, list(probes.values()), samples, progress, should_stop) if probes else []
    ready = dict(zip(probes, found, strict=True))
    pending: list[Edit] = []
    for position, edit in enumerate(edits):
        if position not in ready and takes_scales(edit):
            session_then = apply_all(session, pending)
            if isinstance(session_then, Refusal):
                return session_then
            session, pending = session_then, []
            scaled = _alone(session, edit, samples, should_stop)
            if isinstance(scaled, Refusal):
                return scaled
            edit = scaled
        pending.append(ready.get(position, edit))
    return apply_all(session, pending)


def takes_scales(edit: Edit) -> bool:
    """An edit that calibration gives scales and that has none yet."""
    return isinstance(edit, SplitInput) and not edit.scales


def _alone(
    session: Session, edit: Edit, samples: Sequence[Sample], should_stop: ShouldStop | None
) -> Edit | Refusal:
    assert isinstance(edit, SplitInput)
    return calibrated(
        session.source, session.graph, edit, samples, should_stop=should_stop, layers=session.layers
    )


def _probe(session: Session, edit: Edit) -> Probe | None:
    """None where the edit does not fit the session as it is, or takes no scales there."""
    assert isinstance(edit, SplitInput)
    graph = session.graph
    whole = weighted(graph, session.layers, edit.layer)
    grid = sums_grid(whole) if not isinstance(whole, Refusal) else None
    patch = edit.apply(graph, session.layers)
    if grid is None or isinstance(patch, Refusal):
        return None
    # What writes a tensor the model has stays out: the model itself computes on as it was.
    nodes = [node for node in patch.insert if graph.producers.keys().isdisjoint(node.outputs)]
    operator = session.layers.by_name[edit.layer].core.op
    parts = [node.output(0) for node in nodes if node.op == operator]
    tensors, running = list(parts), parts[0]
    for number, part in enumerate(parts[1:-1], start=1):
        total = f"{part}_sum_of_{number + 1}"
        proto = helper.make_node("Add", (running, part), (total,), name=total)
        nodes.append(Node(total, "Add", "", (running, part), (total,), proto))
        tensors.append(total)
        running = total

    def finish(ranges: Ranges) -> Edit:
        return replace(edit, scales=tuple(quantization(low, high, grid.stored) for low, high in ranges))

    return Probe(tuple(tensors), finish, tuple(nodes), patch.constants, patch.types)


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
    tensors = tuple(name for probe in probes for name in probe.tensors)
    whole = replace(graph, nodes=tuple(nodes), constants=constants, types=types)
    needed = upstream(whole, tensors)
    runner = Runner(session.source, needed)
    extremes = [Extremes() for _ in tensors]
    for done, sample in enumerate(samples):
        if should_stop is not None and should_stop():
            raise StoppedError
        if progress is not None:
            progress(done, len(samples))
        values = runner.run({name: value for name, value in sample.items() if name in needed.inputs})
        for seen, value in zip(extremes, values, strict=True):
            seen.add(value)
    if progress is not None:
        progress(len(samples), len(samples))
    edits, at = [], 0
    for probe in probes:
        stop = at + len(probe.tensors)
        edits.append(probe.finish([(seen.low, seen.high) for seen in extremes[at:stop]]))
        at = stop
    return edits
