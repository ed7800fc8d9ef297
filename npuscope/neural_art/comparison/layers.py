"""What the artefacts say of one layer: its nodes and their epochs, brought down to the layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from npuscope.model.layers import WEIGHTED
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.matching import Match, Matching, Operator, operators
from npuscope.neural_art.artefacts.text.names import parse
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, Lowering, Node, ReportedEpoch
from npuscope.neural_art.comparison.values import Evidence, Figures
from npuscope.snapshot import LayerReport

OFF = (SW, HYBRID, "sw_int", "sw_float")
"""Words for a place that needs the CPU."""

MOST_NUMBERS = 1_000_000
"""Numbers that the epochs of one network may span."""

_TRUST = ("dot", "c_info", "network_c")
"""Kinds in the order in which their word on a node counts."""


def nodes(artefacts: Iterable[Artefact], lowerings: Iterable[Lowering]) -> tuple[Node, ...]:
    """One Node for each name, from all artefacts; the log adds operators that no other artefact knows."""
    by_name: dict[str, Node] = {}
    for artefact in sorted(
        artefacts, key=lambda a: _TRUST.index(a.kind) if a.kind in _TRUST else len(_TRUST)
    ):
        for node in artefact.nodes:
            by_name[node.name] = _joined(by_name[node.name], node) if node.name in by_name else node
    known = {operator.name.base for operator in operators(by_name.values())}
    for lowering in lowerings:
        if parse(lowering.node).base not in known:
            counts = (lowering.ch, lowering.chin)
            by_name[lowering.node] = Node(
                lowering.node,
                lowering.kind,
                placement=lowering.placement,
                channels=None if None in counts else counts,  # type: ignore[arg-type]
            )
    return tuple(by_name.values())


def _joined(first: Node, second: Node) -> Node:
    """`first`, with what only `second` says."""
    unknown = (None, "", ())
    both = {f.name: (getattr(first, f.name), getattr(second, f.name)) for f in fields(Node)}
    joined = {name: other if own in unknown else own for name, (own, other) in both.items()}
    if first.placement == SW and second.placement in OFF:
        joined["placement"] = second.placement
    return Node(**joined)


class ActualFigures:
    """Actual figures of matched layers. Knows which layers share an epoch."""

    def __init__(
        self, matching: Matching, epochs: Sequence[ReportedEpoch], lowerings: Iterable[Lowering]
    ) -> None:
        self.matching = matching
        self.epoch_at = _by_number(epochs)
        self.reasons = {
            parse(lowering.node).base: lowering for lowering in lowerings if lowering.placement in OFF
        }
        self.tenants: dict[int, set[str]] = {}
        for match in matching.matches:
            for number in _epochs_of(match):
                self.tenants.setdefault(number, set()).add(match.layer)
        for operator in matching.unmatched:
            for node in _leads(operator):
                if node.epoch is not None:
                    self.tenants.setdefault(node.epoch, set()).add(f"\0{operator.name.base}")

    def actual(self, report: LayerReport) -> tuple[Figures, Evidence] | None:
        """Figures of a layer, None where it was not matched."""
        match = self.matching.by_layer.get(report.name)
        if match is None:
            return None
        operator = match.operator
        leads = _leads(operator)
        numbers = _epochs_of(match)
        weighted = operator.name.kind in WEIGHTED
        figures = Figures(
            placement=self._placement(leads, operator.nodes),
            compute_cycles=_compute_cycles(operator.nodes if weighted else leads, weighted),
            ops_per_cycle=leads[0].ops_per_cycle,
            simd=leads[0].simd,
            deep1x1=leads[0].deep1x1,
            dss2=leads[0].dss2,
            accelerators=_in_series(operator.nodes, operator.undivided)
            if weighted and leads[0].unit
            else None,
            choked_ports=leads[0].choked_ports,
            epoch=numbers[0] if numbers else None,
            reason=self._reason(operator.name.base) or self._in_part(operator.nodes),
            epochs=tuple(numbers),
        )
        evidence = Evidence(match.by, match.confidence, tuple(node.name for node in operator.nodes))
        return self._with_epochs(figures, match.layer, operator.name.base, numbers), evidence

    def _placement(self, leads: Sequence[Node], parts: Sequence[Node]) -> str:
        """The leads' place; hybrid where they are on the NPU, but the CPU drives another part of the same layer."""
        words = [self._refined(node) for node in leads]
        off = next((word for word in words if word in OFF), "")
        if off or HW not in words:
            return off
        return HYBRID if any(self._refined(node) in OFF for node in parts) else HW

    def _refined(self, node: Node) -> str:
        """A node's word, or its epoch's where that says more."""
        epoch = self.epoch_at.get(node.epoch) if node.epoch is not None else None
        if node.placement in ("", SW) and epoch is not None and epoch.last is None and epoch.placement:
            return epoch.placement
        return node.placement

    def _with_epochs(self, figures: Figures, layer: str, layer_base: str, numbers: Sequence[int]) -> Figures:
        """Cycles and time of the layer's epochs, where it has them to itself."""
        own = [self.epoch_at.get(number) for number in numbers]
        if not own or None in own or any(self.tenants[number] != {layer} for number in numbers):
            return figures
        known = [epoch for epoch in own if epoch is not None and epoch.last is None]
        if len(known) != len(numbers) or any(_beside(name, layer_base) for e in known for name in e.nodes):
            return figures
        compute = total(epoch.compute_cycles for epoch in known)
        return replace(
            figures,
            compute_cycles=compute if figures.compute_cycles is None else figures.compute_cycles,
            cycles=total(epoch.cycles for epoch in known),
            milliseconds=total(epoch.milliseconds for epoch in known),
        )

    def _in_part(self, leads: Sequence[Node]) -> str:
        off = sum(self._refined(node) in OFF for node in leads)
        return f"{off} of its {len(leads)} parts are in software" if 0 < off < len(leads) else ""

    def _reason(self, base: str) -> str:
        lowering = self.reasons.get(base)
        return lowering.refusals[0] if lowering is not None and lowering.refusals else ""


def _by_number(epochs: Sequence[ReportedEpoch]) -> dict[int, ReportedEpoch]:
    """Scheduler's number -> epoch; of entries that overlap without end only the first numbers are kept."""
    by_number: dict[int, ReportedEpoch] = {}
    left = MOST_NUMBERS
    for epoch in epochs:
        numbers = epoch.span if len(epoch.span) <= left else (epoch.index,)
        left -= len(numbers)
        by_number |= dict.fromkeys(numbers, epoch)
    return by_number


def _beside(name: str, base: str) -> bool:
    """A node that may run beside an operator in its epoch: what the compiler inserts, another one's offset removal.

    The next operator's `_suboff_` and the last one's `_off_bias_` are links of the same chain.
    """
    parts = parse(name)
    return parts.inserted or (parts.base != base and "_mul_sub" in name)


def _leads(operator: Operator) -> tuple[Node, ...]:
    """The nodes that do the operator's work; all of them where it was replaced by others."""
    return operator.nodes[: operator.leads] if operator.leads else operator.nodes


def _epochs_of(match: Match) -> tuple[int, ...]:
    """The epochs of the operator's own nodes, in order."""
    return tuple(sorted({node.epoch for node in _leads(match.operator) if node.epoch is not None}))


def _compute_cycles(nodes: Sequence[Node], weighted: bool) -> int | None:
    """Units of one epoch run side by side, epochs after each other."""
    by_epoch: dict[int | None, int] = {}
    for node in nodes:
        if node.latency_cycles is not None and (not weighted or node.kind == "Conv"):
            by_epoch[node.epoch] = max(by_epoch.get(node.epoch, 0), node.latency_cycles)
    return sum(by_epoch.values()) if by_epoch else None


def _in_series(nodes: Sequence[Node], undivided: bool) -> int | None:
    return 1 + sum("_ca_pipe_" in node.name for node in nodes) if undivided else None


Number = TypeVar("Number", int, float)


def total(values: Iterable[Number | None]) -> Number | None:
    """The sum, None where a part of it is not known."""
    numbers = list(values)
    known = [value for value in numbers if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(numbers) else None
