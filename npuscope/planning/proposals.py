"""What an edit would bring, and the splits worth trying on a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar

from npuscope.edits.edit import Edit, Exactness, Patch, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.toolkit.sizes import equal_parts
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers, fold
from npuscope.model.names import quoted
from npuscope.model.validity.faults import invalid_node
from npuscope.neural_art.judge import judge
from npuscope.neural_art.mapping.pieces import waiting_cycles
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.neural_art.price.estimate import layer_cost, with_memory
from npuscope.npu.cost import Cost
from npuscope.npu.ledger import line_alone
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Finding, Placement
from npuscope.planning.overlay import Overlay
from npuscope.planning.remembered import once
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot

EQUAL_PARTS = (2, 3, 4)
"""Numbers of equal parts that are always tried."""

BEST_PAIRS = 3
"""How many of the pairs of sizes with the lowest simulated cost are tried in full."""

PAIRS_APART = 16
"""Pairs that are tried differ by at least this fraction of the channels (1/16) in their sizes."""

PAIRS_SIMULATED = 256
"""About so many pairs are simulated; above that many channels, one size of each pair is a multiple of 8 or more."""

Wanted = Callable[[Edit], bool]
"""Whether what an edit would bring is asked for: to find out takes most of the time of a plan."""


def any_edit(_: Edit) -> bool:
    """All are wanted."""
    return True


SEVERAL = 2
"""Layers beside the one it is for from which on an edit that brings them onto the NPU comes first."""


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What an edit would change.

    1. `layers` are the layers it would put in place of the one it names, judged and priced as an analysis would.
    2. Cycles and milliseconds are sums over those, set-up of epochs left out; None where a figure is not known, and for
       cycles where one of them is on the CPU. What changes in `also` (other layers, which keep their names) is added to
       the figures after; where that is more than the layer took, both figures are sums over those layers too.
    3. An edit that is made for what lies around a layer has what it saves there in the milliseconds before.
    4. `findings` are what would still be said of `layers`.
    """

    edit: Edit
    before: Placement
    after: Placement
    """The worst of the layers put in place."""
    compute_cycles: tuple[int | None, int | None]
    """(before, after), with ideal memory."""
    cycles: tuple[int | None, int | None]
    """(before, after), with memory."""
    milliseconds: tuple[float | None, float | None]
    """(before, after)."""
    ops_per_cycle: tuple[float | None, float | None]
    """(before, after), over the layers that multiply."""
    layers: tuple[LayerReport, ...]
    findings: tuple[Finding, ...]
    also: tuple[str, ...] = ()
    """Names of the other layers it touches."""
    brings: int = 0
    """How many of those it brings onto the NPU."""

    @property
    def exactness(self) -> Exactness:
        """What the edit does to the numbers."""
        return self.edit.exactness

    @property
    def added(self) -> tuple[str, ...]:
        """Names of the layers put in place."""
        return tuple(report.name for report in self.layers)

    @property
    def saved_milliseconds(self) -> float | None:
        """Time the edit saves, negative where it costs some."""
        before, after = self.milliseconds
        return before - after if before is not None and after is not None else None

    @property
    def standing(self) -> int:
        """Rank of the placement after; a copy beside it that the CPU drives counts as the NPU's where time is saved."""
        hybrid = self.before is Placement.HW and self.after is Placement.HYBRID
        return self.before.rank if hybrid and (self.saved_milliseconds or 0.0) > 0 else self.after.rank


def in_turn(previews: Sequence[Preview]) -> list[Preview]:
    """The first of each kind, then the second of each."""
    seen = Counter[str]()
    turns = []
    for index, preview in enumerate(previews):
        turns.append((seen[preview.edit.kind], index))
        seen[preview.edit.kind] += 1
    return [previews[index] for _, index in sorted(turns)]


def preview(session: Session, snapshot: Snapshot, edit: Edit) -> Preview | Refusal:
    """What the edit would change, or why it cannot be made. Only the layers it puts in place are examined.

    What an invalid node computes is not known: no edit is proposed that would change it, or its layer.

    `snapshot` is the analysis of the session as it is.
    """
    return once(snapshot, _preview, session, edit)


def _preview(session: Session, snapshot: Snapshot, edit: Edit) -> Preview | Refusal:
    patch = edit.apply(session.graph, session.layers)
    if isinstance(patch, Refusal):
        return patch
    named = snapshot.by_name.get(edit.layer)
    invalid = invalid_node(session.graph, (*patch.touched, *(named.layer.nodes if named is not None else ())))
    if invalid:
        return Refusal(f"node {quoted(invalid)} is not valid", "repair the model first")
    local = _around(session.graph, patch)
    folded = fold(local).through
    context = Context(local, folded, session.target)
    reports = []
    for layer in _holding(folded, {node.name for node in patch.added}, _outputs(patch.added)):
        verdict = judge(layer, context)
        cost = layer_cost(layer, verdict.placement, session.target)
        alone = line_alone(layer.name, verdict.placement, cost, session.target.clocks.cpu_hz)
        reports.append(LayerReport(layer, verdict.placement, verdict.findings, cost, None, alone))
    return _compared(edit, _touched(session, snapshot, patch), tuple(reports))


def _compared(edit: Edit, old: tuple[LayerReport, ...], new: tuple[LayerReport, ...]) -> Preview:
    """The preview of an edit that makes `new` of the layers `old`."""
    was = {report.name: report for report in old}
    named = edit.layer in was
    also = [report for report in new if named and report.name in was and report.name != edit.layer]
    names = {report.name for report in also}
    before = tuple(report for report in old if report.name not in names)
    after = tuple(report for report in new if report.name not in names)
    same = tuple(was[report.name] for report in also)
    worse = tuple(report for report in also if report.placement.rank > was[report.name].placement.rank)
    around = tuple(also)
    own = _milliseconds(before), _milliseconds(after)
    gained = _milliseconds(same) or 0.0, _milliseconds(around) or 0.0
    # Where the others gain more than this layer took, what it took is not a measure any more.
    summed = own[1] is not None and own[1] + gained[1] - gained[0] <= 0
    return Preview(
        edit=edit,
        before=_worst(before),
        after=_worst((*after, *worse)),
        compute_cycles=_with_change(
            _compute_cycles(before),
            _compute_cycles(after),
            _compute_cycles(same),
            _compute_cycles(around),
            summed,
        ),
        cycles=_with_change(_cycles(before), _cycles(after), _cycles(same), _cycles(around), summed),
        milliseconds=_with_change(
            _milliseconds(before), _milliseconds(after), _milliseconds(same), _milliseconds(around), summed
        ),
        ops_per_cycle=(_ops_per_cycle(before), _ops_per_cycle(after)),
        layers=after,
        findings=tuple(finding for report in after for finding in report.findings),
        also=tuple(report.name for report in also),
        brings=sum(was[report.name].off_npu and not report.off_npu for report in also),
    )


Figure = TypeVar("Figure", int, float)


def _with_change(
    before: Figure | None, after: Figure | None, same: Figure | None, around: Figure | None, summed: bool
) -> tuple[Figure | None, Figure | None]:
    """(before, after) of a layer, with what other layers gain or lose; with all that is theirs where `summed`."""
    if before is None or after is None or same is None or around is None:
        return before, after
    return (before + same, after + around) if summed else (before, after + around - same)


def _outputs(nodes: Iterable[Node]) -> set[str]:
    return {name for node in nodes for name in node.outputs if name}


def _holding(layers: Layers, nodes: Collection[str], tensors: Collection[str]) -> Iterator[Layer]:
    """The layers that hold one of the nodes or read one of the tensors."""
    for layer in layers.layers:
        if any(name in nodes for name in layer.nodes) or any(name in tensors for name in layer.core.inputs):
            yield layer


def _touched(session: Session, snapshot: Snapshot, patch: Patch) -> tuple[LayerReport, ...]:
    """The layers that hold a node of the patch, or read what one writes, in graph order."""
    graph, of_node = session.graph, session.layers.of_node
    nodes = {graph.node_index[name] for name in patch.touched}
    outputs = _outputs(graph.nodes[i] for i in nodes)
    nodes |= {i for name in outputs for i in graph.consumers.get(name, ())}
    changed = {graph.nodes[i].name for i in sorted(nodes)}
    layers = {layer.name: layer for name in changed if (layer := of_node.get(name)) is not None}
    touched = [
        layer
        for layer in layers.values()
        if layer.core.name in changed or any(name in patch.touched for name in layer.nodes)
    ]
    touched.sort(key=lambda layer: graph.node_index[layer.core.name])
    by_name = snapshot.by_name
    return tuple(by_name[layer.name] for layer in touched if layer.name in by_name)


def propose_splits(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit, limit: int = 8
) -> tuple[Preview, ...]:
    """The splits of a layer worth trying, best first; empty where it cannot be split.

    1. Pairs of sizes are those with the lowest simulated cost; two, three and four equal parts are always tried.
    2. Order: placement, milliseconds, exactness, number of parts; then the more even pair.
    """
    weighted = weighted_layer(session.graph, session.layers, layer)
    if isinstance(weighted, Refusal):
        return ()
    edits = dict.fromkeys(filter(wanted, _candidates(weighted, session.target)))
    trials = [preview(session, snapshot, edit) for edit in edits]
    return tuple(sorted([trial for trial in trials if isinstance(trial, Preview)], key=rank)[:limit])


def rank(proposal: Preview) -> tuple[int, float, int, int]:
    """Sorts proposals: several layers brought onto the NPU, placement, milliseconds, exactness, number of layers."""
    saved = proposal.saved_milliseconds
    return (
        proposal.standing if proposal.brings < SEVERAL else -1,
        -round(saved, 6) if saved is not None else float("inf"),
        _EXACTNESS[proposal.exactness],
        len(proposal.layers),
    )


_EXACTNESS = {Exactness.BIT_EXACT: 0, Exactness.ROUNDING: 1, Exactness.APPROXIMATE: 2}


def _candidates(weighted: Weighted, target: Target) -> Iterator[SplitInput | SplitOutput]:
    name, group = weighted.layer.name, weighted.group
    conv = convolution(weighted.layer)
    searched = conv is not None and weighted.layer.quantized and group == 1
    simd = simd_mode(input_zero_point(weighted.layer)) if searched else ""
    if group == 1 and conv is not None and searched:
        for sizes in _best_pairs(conv, simd, target, inputs=True):
            yield SplitInput(name, sizes)
    for count in EQUAL_PARTS:
        parts = equal_parts(weighted.inputs_per_group, count)
        if not isinstance(parts, Refusal):
            yield SplitInput(name, parts)
    if conv is not None and searched:
        for sizes in _best_pairs(conv, simd, target, inputs=False):
            yield SplitOutput(name, sizes)
    for count in EQUAL_PARTS:
        parts = equal_parts(weighted.out_channels, count, weighted.out_channels // group if group > 1 else 1)
        if not isinstance(parts, Refusal):
            yield SplitOutput(name, parts)


@lru_cache(maxsize=1 << 10)
def _best_pairs(conv: Convolution, simd: str, target: Target, inputs: bool) -> tuple[tuple[int, int], ...]:
    """The pairs of sizes with the lowest simulated cost, the more even one first where two cost the same."""
    channels = conv.in_channels if inputs else conv.out_channels
    step = 1 if channels <= PAIRS_SIMULATED + 1 else -(-channels // PAIRS_SIMULATED // 8) * 8
    seen: dict[int, tuple[int, int] | None] = {}

    def price(size: int) -> tuple[int, int] | None:
        if size not in seen:
            part = replace(conv, in_channels=size) if inputs else replace(conv, out_channels=size)
            seen[size] = simulated(part, simd, target)
        return seen[size]

    priced = []
    for larger in {max(size, channels - size) for size in range(step, channels, step)}:
        first, second = price(larger), price(channels - larger)
        if first is not None and second is not None:
            priced.append((first[0] + second[0], first[1] + second[1], larger))
    kept: list[int] = []
    for _, _, larger in sorted(priced):
        if len(kept) < BEST_PAIRS and all(abs(larger - other) > channels // PAIRS_APART for other in kept):
            kept.append(larger)
    return tuple((larger, channels - larger) for larger in kept)


def simulated(conv: Convolution, simd: str, target: Target) -> tuple[int, int] | None:
    """Cycles of a convolution with memory, waits for it included, and with ideal memory; None where it has no legal tiling."""
    tiling = choose(conv, simd, target)
    if tiling is None:
        return None
    done = work(tiling, conv)
    moved = conv.batch * (
        conv.in_channels * conv.input_size[0] * conv.input_size[1]
        + conv.out_channels * conv.output_size[0] * conv.output_size[1]
    )
    streamed = with_memory(done.cycles, done.choked[0], conv.weights, moved, target)[0]
    return max(streamed, waiting_cycles(tiling, conv, target)), done.cycles


def _around(graph: Graph, patch: Patch, hops: int = 4) -> Graph:
    """The patched graph near the patch alone: what judging the new layers can depend on."""
    last = max((graph.node_index[name] for name in patch.remove), default=len(graph.nodes) - 1)
    near = {graph.node_index[name] for name in patch.touched}
    edge = near | {
        index
        for node in patch.added
        for name in node.inputs
        for index in (graph.producers.get(name, -1),)
        if index >= 0
    }
    for _ in range(hops):
        near |= edge
        edge = {
            index
            for i in edge
            if graph.nodes[i].op != "Constant"  # half the model may share one
            for index in (
                *(graph.producers.get(name, -1) for name in graph.nodes[i].inputs),
                *(index for name in graph.nodes[i].outputs for index in graph.consumers.get(name, ())),
            )
            if index >= 0 and index not in near
        }
    nodes: list[Node] = []
    for i in sorted(near | edge):
        nodes.extend(patch.at(graph.nodes[i]))
        if i == last:
            nodes.extend(patch.insert)
    added = {constant.name: constant for constant in patch.constants}
    constants = Overlay(added, graph.constants)
    types = Overlay(patch.types, graph.types)
    return replace(graph, nodes=tuple(nodes), constants=constants, types=types, is_part=True)


def _worst(reports: tuple[LayerReport, ...]) -> Placement:
    return max((report.placement for report in reports), key=lambda p: p.rank, default=Placement.NONE)


def _npu_costs(reports: tuple[LayerReport, ...]) -> list[Cost]:
    """The prices of the layers; none where one is not known or on the CPU, whose estimates are no cycles of the NPU."""
    costs = [report.cost for report in reports if report.cost is not None and not report.placement.on_cpu]
    return costs if len(costs) == len(reports) else []


def _compute_cycles(reports: tuple[LayerReport, ...]) -> int | None:
    costs = _npu_costs(reports)
    return sum(cost.compute_cycles for cost in costs) if costs else None


def _cycles(reports: tuple[LayerReport, ...]) -> int | None:
    costs = _npu_costs(reports)
    return sum(cost.cycles for cost in costs) if costs else None


def _milliseconds(reports: tuple[LayerReport, ...]) -> float | None:
    costs = [report.cost for report in reports]
    return sum(c.milliseconds for c in costs if c is not None) if costs and None not in costs else None


def _ops_per_cycle(reports: tuple[LayerReport, ...]) -> float | None:
    multiply = tuple(report for report in reports if report.cost is not None and report.cost.macs)
    costs = _npu_costs(multiply)
    cycles = sum(cost.compute_cycles for cost in costs)
    return 2 * sum(cost.macs for cost in costs) / cycles if cycles else None
