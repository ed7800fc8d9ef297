"""Cut here: the model ends at chosen tensors, and what follows them becomes a second model for the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from npuscope.edits.edit import Refusal
from npuscope.garbage import without_collections
from npuscope.jobs import QUIET, Job
from npuscope.machine.machine import Target
from npuscope.model.budget import working
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node
from npuscope.model.inspection.extent import elements
from npuscope.model.layers import DEQUANTIZE, Layer, Layers, is_qdq
from npuscope.neural_art.price.estimate import COPIES, FREE, layer_cost
from npuscope.npu.verdict import Placement
from npuscope.numbers.adapt_inputs import adapt_inputs
from npuscope.numbers.differences import DifferenceMeter
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Runner, Sample
from npuscope.numbers.verify_models import Verification, output_quant
from npuscope.record import dataclass
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot, analyse
from npuscope.totals import totals

TRIED = 12
"""Cuts that are priced for a model: each begins at one more of its last layers off the NPU."""

LARGEST = 3_000
"""Layers up to which cuts are looked for: each is an analysis of the whole model."""

LEAST_GAIN = 0.005
"""The part of the model's time that a cut must save to be proposed."""

LEAST_BESIDE_EDITS = 0.001
"""The same beside edits that the cut makes needless."""

TABLE_CYCLES = 4.0
"""CPU cycles for an element of a function of one 8-bit value, as a table of 256 entries in plain C: assumed, no board
was asked."""

BY_TABLE = frozenset(
    {
        "Sigmoid",
        "HardSigmoid",
        "Tanh",
        "Relu",
        "LeakyRelu",
        "Clip",
        "Elu",
        "Exp",
        "Gelu",
        "Swish",
        "HardSwish",
    }
)
"""Kinds that are a table where they read and write 8 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A model in two: `head` for the NPU, which ends at `tensors`, and `tail` for the CPU, which begins there.

    Outputs that do not depend on `tensors` stay outputs of the head.
    """

    session: Session
    tensors: tuple[str, ...]
    head: Session
    tail: Session


@dataclass(frozen=True, slots=True)
class CutTimes:
    """Milliseconds before and after; `tail` is on the Cortex-M55, None where a layer's sizes are not known."""

    before: float
    head: float
    tail: float | None

    @property
    def after(self) -> float | None:
        """Head and tail in a row."""
        return None if self.tail is None else self.head + self.tail

    @property
    def saved(self) -> float | None:
        """What the two take less than the model took; negative where they take longer."""
        return None if self.tail is None else self.before - self.head - self.tail


@dataclass(frozen=True, slots=True)
class CutOffer:
    """A cut that is worth it, as plain values: a plan holds it.

    `left_out` are the plan's steps, counted from 0, that are not made for it: they help only what the CPU then computes.
    """

    tensors: tuple[str, ...]
    times: CutTimes
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PricedCut:
    """A cut with what it saves."""

    cut: Cut
    times: CutTimes

    @property
    def offer(self) -> CutOffer:
        """The cut without its models."""
        return CutOffer(self.cut.tensors, self.times)


def tensors_named(layers: Layers, names: Sequence[str]) -> tuple[str, ...]:
    """Names of tensors; that of a layer stands for what it writes."""
    tensors: dict[str, None] = {}
    for name in names:
        layer = layers.by_name.get(name)
        tensors.update(dict.fromkeys(o.tensor for o in layer.outputs) if layer is not None else {name: None})
    return tuple(tensors)


def cut(session: Session, tensors: Sequence[str]) -> Cut | Refusal:
    """The two models of a cut at these tensors, or why there is none."""
    graph = session.graph
    wanted = tuple(dict.fromkeys(tensors))
    if not wanted:
        return Refusal("no tensor to cut at", "name tensors that the check lists as a layer's output")
    for name in wanted:
        if graph.producer(name) is None or name in graph.constants:
            return Refusal(
                f"{name!r} is not a tensor that a node of the model computes", "name a layer's output"
            )
    after = _descendants(graph, wanted)
    kept = [name for name in graph.outputs if graph.producers.get(name, -1) not in after]
    ends = tuple(dict.fromkeys((*kept, *wanted)))
    head = _ancestors(graph, ends)
    open_outputs = tuple(name for name in graph.outputs if graph.producers.get(name, -1) not in head)
    if not open_outputs:
        return Refusal(
            f"every output of the model is computed before {wanted[0]!r}", "cut at an earlier tensor"
        )
    tail = _tail(graph, head, set(ends), open_outputs)
    if isinstance(tail, Refusal):
        return tail
    return Cut(
        session,
        wanted,
        _as_session(session, _part(graph, head, ends)),
        _as_session(session, _part(graph, tail, open_outputs)),
    )


def _tail(graph: Graph, head: set[int], ends: set[str], outputs: Iterable[str]) -> set[int] | Refusal:
    """The nodes behind the cut. What only unpacks a tensor of the cut, or a constant, may stand on both sides."""
    fixed = _constant_nodes(graph)
    tail, missing = set[int](), dict[str, None]()
    pending = list(outputs)
    while pending:
        name = pending.pop()
        index = graph.producers.get(name, -1)
        if index < 0 or index in tail or name in ends:
            continue
        node = graph.nodes[index]
        unpacks = is_qdq(node) and node.op == DEQUANTIZE and node.input(0) in ends
        if index in head and index not in fixed and not unpacks:
            missing[name] = None
            continue
        tail.add(index)
        pending += _read(node)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Refusal(
            f"what follows the cut also reads {next(iter(missing))!r}{more}, which is computed before it",
            f"cut there as well: {' '.join(list(missing)[:8])}",
        )
    return tail


def _read(node: Node) -> Iterable[str]:
    """The tensors a node reads; a body may read any around it."""
    inner = (name for body in node.subgraphs for inside in body.node for name in inside.input)
    return [name for name in (*node.inputs, *inner) if name]


def _constant_nodes(graph: Graph) -> set[int]:
    """Nodes that read constants only."""
    made: set[str] = set(graph.constants)
    fixed = set[int]()
    for index, node in enumerate(graph.nodes):
        constant = bool(node.inputs) or node.op == "Constant"
        if constant and not node.subgraphs and all(name in made for name in node.inputs if name):
            fixed.add(index)
            made.update(node.outputs)
    return fixed


def _ancestors(graph: Graph, names: Iterable[str]) -> set[int]:
    nodes, pending = set[int](), list(names)
    while pending:
        index = graph.producers.get(pending.pop(), -1)
        if index >= 0 and index not in nodes:
            nodes.add(index)
            pending += _read(graph.nodes[index])
    return nodes


def _descendants(graph: Graph, names: Iterable[str]) -> set[int]:
    nodes, pending = set[int](), list(names)
    while pending:
        for index in graph.consumers.get(pending.pop(), ()):
            if index not in nodes:
                nodes.add(index)
                pending += [name for name in graph.nodes[index].outputs if name]
    return nodes


def _part(graph: Graph, indices: set[int], outputs: tuple[str, ...]) -> Graph:
    """The graph of some of the nodes; what they read and none of them makes are its inputs."""
    nodes = tuple(graph.nodes[i] for i in sorted(indices))
    made = {name for node in nodes for name in node.outputs if name}
    read = dict.fromkeys(name for node in nodes for name in _read(node))
    constants = {name: graph.constants[name] for name in (*read, *made, *outputs) if name in graph.constants}
    inner = {name for node in nodes for body in node.subgraphs for n in body.node for name in n.output}
    own = tuple(name for name in graph.inputs if name in read)
    new = tuple(
        name
        for name in read
        if name not in made and name not in constants and name not in inner and name not in own
        if name in graph.producers
    )
    return replace(graph, nodes=nodes, constants=constants, inputs=(*own, *new), outputs=outputs)


def _as_session(session: Session, graph: Graph) -> Session:
    return Session(session.source, session.target, (State(graph),))


def times(made: Cut, before: Snapshot, head: Snapshot | None = None) -> CutTimes:
    """What the two models take, each layer of the tail by the CPU."""
    after = head.summary.milliseconds if head is not None else _milliseconds(made.head)
    conversions = {report.name for report in before.layers if report.placement is Placement.NONE}
    total: float | None = 0.0
    for layer in made.tail.layers.layers:
        if layer.name not in conversions:  # those the application does already
            own = cpu_milliseconds(layer, made.tail.target)
            total = None if total is None or own is None else total + own
    return CutTimes(before.summary.milliseconds, after, total)


def _milliseconds(session: Session) -> float:
    """What a model takes, without a word on its layers."""
    with without_collections(), working("judging the model"):
        return totals(session).milliseconds


def cpu_milliseconds(layer: Layer, target: Target) -> float | None:
    """A layer in the application's own code on the Cortex-M55; None where its sizes are not known.

    Views take no time, copies a cycle for each element, functions of one byte TABLE_CYCLES; all else is what boards
    showed of the routines of ST's runtime.
    """
    placement = Placement.SW_INT if layer.quantized or layer.qoperator else Placement.SW_FLOAT
    cost = layer_cost(layer, placement, target)
    if cost is None or layer.kind in FREE:
        return None if cost is None else 0.0
    count = elements(layer.output_dims) if layer.output_dims else None
    if count is not None and layer.kind in COPIES:
        return count * target.compiler.copy_cycles_per_element / target.clocks.cpu_hz * 1e3
    if count is not None and layer.kind in BY_TABLE and layer.quantized:
        return count * TABLE_CYCLES / target.clocks.cpu_hz * 1e3
    return cost.milliseconds


def propose_cut(session: Session, snapshot: Snapshot, job: Job = QUIET) -> PricedCut | None:
    """The cut before the last layers off the NPU with which head and tail in a row take the least time.

    1. None where no cut saves LEAST_GAIN of the model's time. A layer in software only moves: what is saved are the
       hand-overs, copies and set-ups around it.
    2. Raises StoppedError where the job is stopped.
    """
    return max(
        better_cuts(session, snapshot, job), key=lambda priced: priced.times.saved or 0.0, default=None
    )


def offer_of(
    made: Session | Refusal, before: float, left_out: tuple[int, ...], job: Job, seen: Snapshot | None = None
) -> CutOffer | None:
    """The best cut of a model with some steps made, `seen` its analysis; what it saves is against `before`, in milliseconds."""
    if isinstance(made, Refusal):
        return None
    changed = made.bare()
    priced = propose_cut(changed, seen or analyse(changed), job)
    if priced is None:
        return None
    return CutOffer(priced.cut.tensors, replace(priced.times, before=before), left_out)


def better_cuts(session: Session, snapshot: Snapshot, job: Job = QUIET) -> Iterator[PricedCut]:
    """The cuts that are worth it as they are found, each saving more than the one before; the last is the best."""
    stuck = [report.layer for report in snapshot.layers if report.off_npu]
    if not stuck or len(snapshot.layers) > LARGEST:
        return
    least = LEAST_GAIN * snapshot.summary.milliseconds
    most: float | None = None
    seen: set[frozenset[str]] = set()
    for count in job.each(range(1, min(TRIED, len(stuck)) + 1)):
        tensors = _before(session.layers, stuck[-count:])
        if not tensors or frozenset(tensors) in seen:
            continue
        seen.add(frozenset(tensors))
        made = cut(session, tensors)
        if isinstance(made, Refusal):
            continue
        priced = PricedCut(made, times(made, snapshot))
        saved = priced.times.saved
        if saved is not None and saved >= least and (most is None or saved > most):
            most = saved
            yield priced


def _before(layers: Layers, first: Sequence[Layer]) -> tuple[str, ...]:
    """The stored tensors through which layers, and all that follow from them, get their values."""
    readers: dict[str, list[Layer]] = {}
    for layer in layers.layers:
        for operand in layer.inputs:
            readers.setdefault(operand.tensor, []).append(layer)
    behind, pending = {layer.name: layer for layer in first}, list(first)
    while pending:
        layer = pending.pop()
        for operand in layer.outputs:
            for reader in readers.get(operand.tensor, ()):
                if reader.name not in behind:
                    behind[reader.name] = reader
                    pending.append(reader)
    made = {operand.tensor for layer in behind.values() for operand in layer.outputs}
    return tuple(
        dict.fromkeys(
            operand.tensor
            for layer in layers.layers
            if layer.name in behind
            for operand in layer.inputs
            if operand.constant is None and operand.tensor not in made and operand.tensor in layers.writers
        )
    )


def verify_cut(
    made: Cut, samples: Sequence[Sample] | None = None, count: int = 4, job: Job = QUIET
) -> Verification:
    """Head and tail in a row against the model itself, on the same inputs.

    Raises ModelError where one of them does not run, StoppedError where the job is stopped.
    """
    session, head, tail = made.session, made.head, made.tail
    chosen = tuple(samples) if samples is not None else random_samples(session.source, count)
    if not chosen:
        raise ModelError("no samples to compare the models on")
    complete, first, second = (Runner(session.source, part.graph) for part in (session, head, tail))
    graph = session.graph
    comparisons = [DifferenceMeter(name, output_quant(graph, name)) for name in graph.outputs]
    for sample in job.each(chosen):
        values = adapt_inputs(graph, sample)
        wanted = complete.run({name: values[name] for name in graph.inputs})
        known = dict(values)
        known |= zip(head.graph.outputs, first.run({n: known[n] for n in head.graph.inputs}), strict=True)
        known |= zip(tail.graph.outputs, second.run({n: known[n] for n in tail.graph.inputs}), strict=True)
        for comparison, value in zip(comparisons, wanted, strict=True):
            comparison.add(value, known[comparison.name])
    outputs = tuple(comparison.result() for comparison in comparisons)
    exact = all(output.bit_exact for output in outputs)
    ratios = [output.sqnr_db for output in outputs if output.sqnr_db is not None]
    return Verification(
        exact,
        None if exact else min(ratios, default=0.0),
        outputs,
        len(chosen),
        0 if samples is None else None,
    )
