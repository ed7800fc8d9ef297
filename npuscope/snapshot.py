"""Snapshot: everything a view or a report shows, as one frozen value, and `analyse`, which makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from npuscope.garbage import without_collections
from npuscope.machine.machine import Target
from npuscope.model.budget import tick, working
from npuscope.model.graph import Graph
from npuscope.model.inspection.parameters import parameters
from npuscope.model.layers import Layer, Layers, changed_layers
from npuscope.model.links import Links
from npuscope.npu.cause import Cause
from npuscope.npu.cost import Cost, Epoch, Memory
from npuscope.npu.ledger import Charges, Ledger, Line, line_alone
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Finding, Placement, Severity
from npuscope.record import dataclass, record
from npuscope.session import Session

if TYPE_CHECKING:
    from npuscope.neural_art.dependencies import Dependencies
    from npuscope.neural_art.lowering.lower import Placed
    from npuscope.neural_art.schedule.reuse import Reuse

# Rules, kernels and the schedule are imported by the first analysis: a draft is on the screen before.

NEGLIGIBLE = 0.01
"""Part of the model's time below which a layer off the NPU is not an alarm."""


@record(eq=False)
class LayerReport:
    """A layer with its verdict and its price; `line` is what it takes of the model's time.

    `cost` is None where a shape is not known.
    """

    layer: Layer
    placement: Placement
    findings: tuple[Finding, ...]
    cost: Cost | None
    epoch: int | None
    line: Line
    causes: tuple[Cause, ...] = ()
    """What the choice of its kernel rests on."""

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def forced_by(self) -> tuple[Finding, ...]:
        """The findings that keep the layer off the NPU, the deciding one first."""
        if not self.findings:
            return ()
        forcing = [f for f in self.findings if f.placement is not None and f.placement.rank > 0]
        return tuple(sorted(forcing, key=lambda f: -(f.placement.rank if f.placement else 0)))

    @property
    def off_npu(self) -> bool:
        """Not entirely on the NPU."""
        return self.placement.rank > 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole model in figures."""

    layers: int
    hw: int
    hybrid: int
    sw_int: int
    sw_float: int
    parameters: int
    macs: int
    compute_cycles: int
    cycles: int
    milliseconds: float
    weights_bytes: int
    activations_bytes: int
    epochs: int
    epochs_hw: int
    epochs_hybrid: int
    epochs_sw: int
    milliseconds_error: float = 0.0
    """How far `milliseconds` may be off, either way (docs/accuracy-cost.md)."""
    millijoules: float = 0.0
    """Energy of an inference, the CPU's left out, as the compiler estimates it."""

    @property
    def on_cpu(self) -> int:
        """Layers in software."""
        return self.sw_int + self.sw_float

    @property
    def off_npu(self) -> int:
        """Layers that need the CPU at all."""
        return self.on_cpu + self.hybrid


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The analysis of one state of a session.

    1. `layers` is in graph order; `changed` names the layers the last edit made or touched.
    2. `before` is the summary of the model as it was opened.
    3. `times` are layers' milliseconds where a board measured some: those of `measured` are its own figures.
    """

    graph: Graph
    target: Target
    layers: tuple[LayerReport, ...]
    epochs: tuple[Epoch, ...]
    memory: Memory
    summary: Summary
    before: Summary | None = None
    changed: frozenset[str] = frozenset()
    times: Mapping[str, float] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()
    own_decibels: Mapping[str, float] = field(default_factory=dict)
    """Layers' own SQNR against a float model, where somebody measured it."""
    reuse: Reuse | None = field(default=None, repr=False)
    """What speeds up the analysis of the model with another edit; None where none is expected."""
    dependencies: Dependencies | None = field(default=None, repr=False)
    """What the verdicts rest on; None where there are none."""
    folded: Layers = field(default=Layers((), ()), repr=False)
    """The layers of the reports, and who writes and reads what."""

    @property
    def draft(self) -> bool:
        """Its layers are not judged yet."""
        return bool(self.layers) and self.layers[0].placement is Placement.OPEN

    @cached_property
    def by_name(self) -> Mapping[str, LayerReport]:
        """Layer name -> report."""
        return {report.layer.name: report for report in self.layers}

    @cached_property
    def off_npu(self) -> tuple[LayerReport, ...]:
        """The layers that are not entirely on the NPU, in graph order."""
        return tuple(report for report in self.layers if report.off_npu)

    @cached_property
    def links(self) -> Links:
        """Which layers feed which."""
        return Links(self.folded)

    @cached_property
    def graph_order(self) -> tuple[Mapping[str, Layer], Mapping[str, int]]:
        """Layer name -> layer, and its place in the graph."""
        return self.folded.by_name, {layer.name: i for i, layer in enumerate(self.folded.layers)}

    @cached_property
    def ledger(self) -> Ledger:
        """What each layer takes of the model's time and cycles, as predicted."""
        return Ledger(tuple(report.line for report in self.layers), self.summary.milliseconds)

    def share(self, report: LayerReport) -> float:
        """A layer's part of the model's time, 0 to 1."""
        total = self.layer_milliseconds
        return self.time_of(report) / total if total > 0 else 0.0

    def alarming(self, report: LayerReport) -> bool:
        """It is off the NPU, and takes enough time to matter."""
        return report.off_npu and self.share(report) >= NEGLIGIBLE

    @cached_property
    def warned(self) -> tuple[tuple[Finding, LayerReport], ...]:
        """What is more than advice and is not why its layer is off the NPU, in graph order."""
        return tuple(
            (finding, report)
            for report in self.layers
            for finding in report.findings
            if finding.severity is not Severity.ADVICE
            and not (report.off_npu and any(finding is forcing for forcing in report.forced_by))
        )

    @cached_property
    def unpriced(self) -> tuple[LayerReport, ...]:
        """Layers of unknown size: no figure of the model holds anything of them."""
        return tuple(report for report in self.layers if report.cost is None and report.off_npu)

    @cached_property
    def off_npu_share(self) -> float:
        """The part of the model's time, 0 to 1, that layers off the NPU take."""
        return sum(self.share(report) for report in self.off_npu)

    @cached_property
    def hottest(self) -> float:
        """The largest share of a layer."""
        return max((self.share(report) for report in self.layers), default=0.0)

    def time_of(self, report: LayerReport) -> float:
        """A layer's milliseconds, its part of the set-up of its epochs included; measured where `measured` names it."""
        measured = self.times.get(report.name) if self.times else None
        return measured if measured is not None else report.line.milliseconds

    @cached_property
    def layer_milliseconds(self) -> float:
        """Sum over all layers: the time of the model."""
        return sum(self.time_of(report) for report in self.layers) if self.times else self.ledger.milliseconds


def draft(session: Session) -> Snapshot:
    """The layers of a session before they are judged: what a view shows while `analyse` works."""
    state, target = session.states[-1], session.target
    place, hz = Placement.OPEN, target.clocks.cpu_hz
    reports = [
        LayerReport(layer, place, (), None, None, line_alone(layer.name, place, None, hz))
        for layer in state.layers.layers
    ]
    summary = Summary(len(reports), 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0)
    figures = (tuple(reports), (), Memory((), 0, 0), summary)
    return Snapshot(state.graph, target, *figures, folded=state.layers)


def analyse(session: Session, previous: Snapshot | None = None, keep: bool = False) -> Snapshot:
    """Judge and price every layer of a session.

    `previous` is the snapshot of the session's last state: layers that are not in it count as changed. With `keep` the
    snapshot holds what speeds up the analysis of the next state; one that follows such a snapshot does so, too.
    """
    with without_collections(), working("judging the model"):  # all that is made stays
        return _analyse(session, previous, keep or (previous is not None and previous.reuse is not None))


def _analyse(session: Session, previous: Snapshot | None, keep: bool) -> Snapshot:
    from npuscope.neural_art.price.moot import with_moot
    from npuscope.neural_art.schedule.reuse import Reuse

    state, target = session.states[-1], session.target
    reuse = Reuse(target, previous.reuse if previous is not None else None) if keep else None
    judged = judged_layers(session, previous)
    known, placed, findings, rests_on = judged
    epochs, memory = epochs_of(session, judged, previous, reuse)
    epoch_of = {name: epoch.index for epoch in epochs for name in epoch.layers}
    charges = Charges(epochs, target.clocks.cpu_hz)
    by_name = state.layers.by_name if state.compiled is not state.layers else {}
    made: list[LayerReport] = []
    for (layer, placement, cost, causes), layer_findings in zip(placed, findings, strict=True):
        name = layer.name
        epoch, report = epoch_of.get(name), known.get(name)
        line = charges.line(name, placement, cost, report.line if report is not None else None)
        if report is None or report.epoch != epoch or report.line is not line:
            worded = with_moot(layer_findings, cost, line, target) if layer_findings else ()
            report = LayerReport(by_name.get(name, layer), placement, worded, cost, epoch, line, causes)
        made.append(report)
    reports = tuple(made)
    count = parameters(state.graph, previous.graph if previous is not None else None)
    summary = _summary(count, reports, epochs, memory, target)
    before = summary
    if session.done:
        before = previous.before if previous is not None and previous.before is not None else None  # type: ignore[assignment]
        if before is None or (previous is not None and previous.target is not target):
            before = analyse(replace(session, states=session.states[:1], done=(), undone=())).summary
    changed = _changed(state.layers, previous.folded) if previous is not None else frozenset()
    figures = (reports, epochs, memory, summary, before, changed)
    return Snapshot(state.graph, target, *figures, reuse=reuse, dependencies=rests_on, folded=state.layers)


def changed_since(snapshot: Snapshot, previous: Snapshot) -> Snapshot:
    """The same analysis as one that follows `previous`."""
    again = copy(snapshot)  # with all that was found out of it
    object.__setattr__(again, "changed", _changed(snapshot.folded, previous.folded))
    return again


def _changed(now: Layers, before: Layers) -> frozenset[str]:
    """Names of the layers that an edit made or touched."""
    return frozenset(
        name
        for name in changed_layers(now, before)
        if (layer := now.by_name.get(name)) is not None
        and ((was := before.by_name.get(name)) is None or was.nodes != layer.nodes)
    )


class Judged(NamedTuple):
    """The layers of a state, judged and priced."""

    known: Mapping[str, LayerReport]
    """The reports of the state before that still hold."""
    placed: list[Placed]
    findings: list[tuple[Finding, ...]]
    rests_on: Dependencies


def judged_layers(session: Session, previous: Snapshot | None, worded: bool = True) -> Judged:
    """The layers judged and priced. Without `worded` no layer that is judged anew has findings."""
    from npuscope.model.validity.faults import look_at_all
    from npuscope.neural_art.dependencies import Dependencies
    from npuscope.neural_art.judge import judge, placed
    from npuscope.neural_art.lowering.lower import Placed
    from npuscope.neural_art.price.estimate import layer_cost

    state, target = session.states[-1], session.target
    context = Context(state.graph, state.compiled, target)
    rests_on = Dependencies(state.graph, state.compiled, target)
    # Past an Identity or Dropout more is near than the tables of what changed say.
    known = _untouched(rests_on, previous, worded) if state.compiled is state.layers else {}
    if not known:
        look_at_all(state.graph)
    items, findings = list[Placed](), list[tuple[Finding, ...]]()
    for layer in state.compiled.layers:
        if (report := known.get(layer.name)) is not None:
            items.append(Placed(layer, report.placement, report.cost, report.causes))
            findings.append(report.findings)
            continue
        tick()
        if worded:
            verdict = judge(layer, context)
            placement, causes = verdict.placement, verdict.causes
        else:
            placement, causes = placed(layer, context)
        findings.append(verdict.findings if worded else ())
        items.append(Placed(layer, placement, layer_cost(layer, placement, target, state.compiled), causes))
    return Judged(known, items, findings, rests_on)


def epochs_of(
    session: Session, judged: Judged, previous: Snapshot | None, after: Reuse | None = None
) -> tuple[tuple[Epoch, ...], Memory]:
    """The epochs, and where all lies."""
    from npuscope.neural_art.lowering.lower import Readers
    from npuscope.neural_art.schedule.epochs import schedule
    from npuscope.neural_art.schedule.simulate import simulate

    state, target, readers = session.states[-1], session.target, Readers(judged.placed)
    # An intermediate model lists its operators as the front end has numbered them.
    numbered = readers if state.graph.imported else readers.as_imported()
    before = previous.reuse if previous is not None and previous.target is target else None
    unpriced = schedule(numbered, state.compiled, target, before, after)
    known = judged.known
    return simulate(state.graph, state.compiled, readers.costs, unpriced, target, before, after, known)


def _untouched(now: Dependencies, previous: Snapshot | None, worded: bool) -> Mapping[str, LayerReport]:
    """The reports that still hold: those of layers that neither changed nor looked at what did."""
    from npuscope.neural_art.vicinity import outdated

    was = previous.dependencies if previous is not None else None
    if previous is None or was is None or (names := outdated(now, was, worded)) is None:
        return {}
    known = dict(previous.by_name)
    for name in names:
        known.pop(name, None)
    if worded:
        now.take_over(was, known)
    return known


def _summary(
    count: int, reports: tuple[LayerReport, ...], epochs: tuple[Epoch, ...], memory: Memory, target: Target
) -> Summary:
    from npuscope.neural_art.schedule.uncertainty import milliseconds_error

    placements = Counter(report.placement for report in reports)
    epoch_kinds = Counter(epoch.placement for epoch in epochs)
    costs = [report.cost for report in reports if report.cost is not None]
    return Summary(
        layers=len(reports),
        hw=placements[Placement.HW] + placements[Placement.NONE],
        hybrid=placements[Placement.HYBRID],
        sw_int=placements[Placement.SW_INT],
        sw_float=placements[Placement.SW_FLOAT],
        parameters=count,
        macs=sum(cost.macs for cost in costs),
        compute_cycles=sum(epoch.compute_cycles for epoch in epochs),
        cycles=sum(epoch.cycles for epoch in epochs),
        milliseconds=sum(epoch.milliseconds for epoch in epochs),
        weights_bytes=memory.weights_bytes,
        activations_bytes=memory.activations_bytes,
        epochs=len(epochs),
        epochs_hw=epoch_kinds[Placement.HW],
        epochs_hybrid=epoch_kinds[Placement.HYBRID],
        epochs_sw=epoch_kinds[Placement.SW_INT] + epoch_kinds[Placement.SW_FLOAT],
        milliseconds_error=milliseconds_error(epochs, memory, target),
        millijoules=sum(epoch.millijoules for epoch in epochs),
    )
