"""`compare`: the snapshot of a model held against artefacts, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from npuscope.machine.catalogue import DEFAULT_TOOLCHAIN
from npuscope.machine.machine import Target, target
from npuscope.machine.toolchain import last_with
from npuscope.model.convolution import convolution
from npuscope.model.layers import WEIGHTED
from npuscope.neural_art.artefacts.artefact import Artefact
from npuscope.neural_art.artefacts.matching import match
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, Pool, ReportedEpoch, Totals
from npuscope.neural_art.comparison.agreement import agreement, differences, predicted
from npuscope.neural_art.comparison.clocks import clock_notes, profile_of
from npuscope.neural_art.comparison.diagnosis import from_log
from npuscope.neural_art.comparison.epoch_alignment import Place, aligned_epochs
from npuscope.neural_art.comparison.epochs import Assigned, assign, merged, totals
from npuscope.neural_art.comparison.layers import OFF, ActualFigures, nodes, total
from npuscope.neural_art.comparison.off_npu import off_npu
from npuscope.neural_art.comparison.values import Comparison, Evidence, Figures, LayerComparison
from npuscope.neural_art.schedule.epochs import lowered_name
from npuscope.npu.verdict import Placement
from npuscope.snapshot import LayerReport, Snapshot

BY_ELIMINATION = 0.8
"""Confidence that a layer is on the NPU where every epoch off it belongs to another."""


def toolchain(artefacts: Iterable[Artefact]) -> str:
    """The version the artefacts were made with, '' where they do not tell."""
    return next((artefact.version for artefact in artefacts if artefact.version), "")


def likely(artefacts: Iterable[Artefact]) -> str:
    """The version to judge for where none is stated: `_mul_scale_` nodes tell (FORMATS 6). '' otherwise."""
    separate = any("_mul_scale_" in node.name for artefact in artefacts for node in artefact.nodes)
    return last_with("separate_scale") if separate else ""


def compare(
    snapshot: Snapshot | None, artefacts: Sequence[Artefact], judged_for: Target | None = None
) -> Comparison:
    """What the artefacts say and, with a snapshot, how far it agrees.

    A snapshot brings its own target; without one, channel numbers are judged for `judged_for`, or for the version
    the artefacts state.
    """
    stated = toolchain(artefacts)
    epochs = merged(artefacts)
    if snapshot is not None:
        judged_for = snapshot.target
    judged_for = judged_for or target(stated or likely(artefacts) or DEFAULT_TOOLCHAIN)
    recent = judged_for.toolchain.reports_hybrid
    printed = totals(artefacts, epochs, recent)
    lowerings = tuple(lowering for artefact in artefacts for lowering in artefact.lowerings)
    explained = tuple(from_log(one, judged_for) for one in lowerings if one.placement in OFF)
    plain = Comparison(
        artefacts=tuple(artefacts),
        toolchain=judged_for.toolchain.version,
        toolchain_stated=bool(stated),
        epochs=epochs,
        totals=printed,
        pools=_pools(artefacts),
        off_npu=off_npu(epochs, explained, {}, {}),
        notes=(*_notes(artefacts, epochs, printed), *_guessed(artefacts, stated)),
        profile=judged_for.profile,
        profile_stated=profile_of(artefacts) == judged_for.profile,
        clocks=judged_for.clocks,
        build=judged_for.build,
    )
    if snapshot is None:
        return plain
    originals = [pair for artefact in artefacts for pair in artefact.originals]
    matching = match(
        [report.layer for report in snapshot.layers], snapshot.graph, nodes(artefacts, lowerings), originals
    )
    figures = ActualFigures(matching, epochs, lowerings)
    actual = {report.name: pair for report in snapshot.layers if (pair := figures.actual(report)) is not None}
    assigned = _assigned(snapshot, epochs, printed, actual)
    hybrid_is_software = _hybrid_is_software(recent, artefacts)
    places = aligned_epochs(snapshot, epochs)
    layers = tuple(_layer(report, actual, assigned, places, hybrid_is_software) for report in snapshot.layers)
    of_node = {name: layer for layer, (_, seen) in actual.items() for name in seen.nodes}
    entries = off_npu(epochs, explained, of_node, assigned.epochs, snapshot)
    epoch_of = {entry.layer: entry.epoch for entry in reversed(entries) if entry.layer}
    layers = tuple(_located(layer, epoch_of) for layer in layers)
    return replace(
        plain,
        off_npu=entries,
        layers=layers,
        agreement=agreement(snapshot, layers, printed, epochs),
        unmatched=tuple(op.name.base for op in matching.unmatched if op.name.kind in WEIGHTED),
        notes=(*plain.notes, *clock_notes(artefacts, judged_for.clocks), *_doubts(assigned)),
    )


def _hybrid_is_software(recent: bool, artefacts: Sequence[Artefact]) -> bool:
    """No artefact tells hybrid epochs from software: an old version, or only a graph."""
    return not recent or all(artefact.kind in ("dot", "lowering_log") for artefact in artefacts)


Actual = Mapping[str, tuple[Figures, Evidence]]


def _assigned(
    snapshot: Snapshot, epochs: Sequence[ReportedEpoch], printed: Totals, actual: Actual
) -> Assigned:
    taken = {
        name: lowered_name(snapshot.by_name[name].layer)
        for name, (figures, _) in actual.items()
        if figures.placement in OFF
    }
    return assign(snapshot, epochs, printed, taken)


def _layer(
    report: LayerReport,
    actual: Actual,
    assigned: Assigned,
    places: Mapping[str, Place],
    hybrid_is_software: bool,
) -> LayerComparison:
    prediction = predicted(report)
    figures, evidence = actual.get(report.name, (None, None))
    if figures is None or not figures.placement:
        figures, evidence = _from_epochs(report, assigned) or (figures, evidence)
    if (
        report.name in places
        and figures is not None
        and figures.epoch in (None, places[report.name].epochs[0].index)
    ):
        figures, evidence = _placed(figures, evidence, places[report.name])
    return LayerComparison(
        name=report.name,
        op=report.layer.op,
        channels=_channels(report),
        predicted=prediction,
        actual=figures,
        evidence=evidence,
        differences=differences(prediction, figures, hybrid_is_software) if figures is not None else (),
    )


def _placed(figures: Figures, evidence: Evidence | None, place: Place) -> tuple[Figures, Evidence | None]:
    """The figures with epoch and, where the layer has its epochs to itself, their cycles and time."""
    if (figures.placement == HW) != all(epoch.placement == HW for epoch in place.epochs):
        return figures, evidence
    numbers = tuple(epoch.index for epoch in place.epochs)
    placed = replace(figures, epoch=numbers[0], epochs=numbers)
    if place.alone:
        placed = replace(
            placed,
            compute_cycles=total(epoch.compute_cycles for epoch in place.epochs)
            if placed.compute_cycles is None
            else placed.compute_cycles,
            cycles=total(epoch.cycles for epoch in place.epochs) if placed.cycles is None else placed.cycles,
            milliseconds=total(epoch.milliseconds for epoch in place.epochs)
            if placed.milliseconds is None
            else placed.milliseconds,
        )
    if evidence is None or evidence.by == "elimination":
        evidence = Evidence("in_step", place.confidence)
    return placed, evidence


def _located(layer: LayerComparison, epoch_of: Mapping[str, int | None]) -> LayerComparison:
    """The layer with the epoch that the list of epochs off the NPU gives it."""
    epoch = epoch_of.get(layer.name)
    if epoch is None or layer.actual is None or layer.actual.epoch is not None:
        return layer
    return replace(layer, actual=replace(layer.actual, epoch=epoch))


def _doubts(assigned: Assigned) -> tuple[str, ...]:
    ops = sorted(assigned.open_ops)
    if not ops:
        return ()
    of = " and ".join((", ".join(ops[:-1]), ops[-1])) if len(ops) > 1 else ops[0]
    return (f"another number of {of} epochs is off the NPU than predicted; which layers they are is a guess",)


def _channels(report: LayerReport) -> str:
    conv = convolution(report.layer)
    return "" if conv is None else f"{conv.in_channels}→{conv.out_channels}"


def _from_epochs(report: LayerReport, assigned: Assigned) -> tuple[Figures, Evidence] | None:
    """Placement from the sequence of epochs alone."""
    if report.name in assigned.layers:
        epoch, confidence = assigned.layers[report.name]
        figures = Figures(
            epoch.placement,
            epoch.compute_cycles,
            epoch.cycles,
            epoch.milliseconds,
            epoch=epoch.index,
        )
        return figures, Evidence("epochs", confidence)
    if report.placement is Placement.NONE or not assigned.on_npu(report):
        return None
    return Figures(HW), Evidence("elimination", BY_ELIMINATION)


def _pools(artefacts: Sequence[Artefact]) -> tuple[Pool, ...]:
    """The pools of the first artefact that says how much is used, else of the first that lists any."""
    listed = [artefact.pools for artefact in artefacts if artefact.pools]
    used = [pools for pools in listed if any(pool.used is not None for pool in pools)]
    return next(iter(used or listed), ())


def _guessed(artefacts: Sequence[Artefact], stated: str) -> tuple[str, ...]:
    if stated or not likely(artefacts):
        return ()
    return (
        "the graph has _mul_scale_ nodes, which Core 2.x makes; --toolchain 2.0 or 2.1 says which of them it is",
    )


def _notes(artefacts: Sequence[Artefact], epochs: Sequence[ReportedEpoch], actual: Totals) -> tuple[str, ...]:
    notes = []
    versions = sorted({artefact.version for artefact in artefacts if artefact.version})
    if len(versions) > 1:
        notes.append(f"the artefacts come from different versions: {', '.join(versions)}")
    off = sum(epoch.placement in (SW, HYBRID) for epoch in epochs)
    counted = None if actual.sw is None else actual.sw + (actual.hybrid or 0)
    if counted is not None and off != counted:
        notes.append(
            f"{off} of the {counted} epochs off the NPU are listed; the rest is missing from the artefact"
        )
    elif (
        actual.epochs is not None
        and epochs
        and sum(e.placement == HW for e in epochs) == 0 < actual.epochs - off
    ):
        notes.append("the epochs on the NPU are not listed")
    return tuple(notes)
