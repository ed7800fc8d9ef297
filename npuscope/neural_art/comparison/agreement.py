"""Where prediction and tools differ, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from npuscope.neural_art.artefacts.matching import alike
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, Epoch, Totals
from npuscope.neural_art.comparison.values import (
    TOLERANCE,
    Agreement,
    CpuEpochs,
    Difference,
    Figures,
    LayerComparison,
    Tally,
)
from npuscope.snapshot import LayerReport, Snapshot

ON_CPU = ("sw_int", "sw_float")


def predicted(report: LayerReport) -> Figures:
    """A layer as npuscope has it."""
    cost = report.cost
    tiling = cost.tiling if cost is not None else None
    return Figures(
        placement=report.placement.value,
        compute_cycles=cost.compute_cycles if cost is not None else None,
        cycles=cost.cycles if cost is not None else None,
        milliseconds=report.line.milliseconds if cost is not None else None,
        ops_per_cycle=cost.ops_per_cycle if cost is not None and cost.macs else None,
        simd=tiling.simd if tiling is not None else "",
        deep1x1=tiling.deep1x1 if tiling is not None else None,
        dss2=tiling.dss2 if tiling is not None else None,
        accelerators=tiling.accelerators if tiling is not None else None,
        choked_ports=cost.choked_ports if cost is not None else (),
        epoch=report.epoch,
        reason=report.forced_by[0].message if report.forced_by else "",
    )


def same_placement(mine: str, theirs: str, hybrid_is_software: bool) -> bool:
    """Whether two words mean one place. Up to 2.2 the tools say software of hybrid epochs too."""
    if theirs == HW:
        return mine in (HW, "none")
    if theirs == SW:
        return mine in ON_CPU or (hybrid_is_software and mine == HYBRID)
    return mine == theirs


def differences(mine: Figures, theirs: Figures, hybrid_is_software: bool) -> tuple[Difference, ...]:
    """Each figure that both give and that differs. Only layers on the NPU are compared beyond their placement."""
    found: list[Difference] = []
    if theirs.placement and not same_placement(mine.placement, theirs.placement, hybrid_is_software):
        return (Difference("placement", mine.placement, theirs.placement),)
    if not _on_npu(mine, theirs):
        return ()
    if _both(mine.compute_cycles, theirs.compute_cycles) and not _close(mine, theirs):
        found.append(Difference("compute_cycles", str(mine.compute_cycles), str(theirs.compute_cycles)))
    for what in ("simd", "deep1x1", "accelerators"):
        ours, given = getattr(mine, what), getattr(theirs, what)
        if ours not in (None, "") and given not in (None, "") and ours != given:
            found.append(Difference(what, str(ours), str(given)))
    if mine.choked_ports and theirs.choked_ports and set(mine.choked_ports) != set(theirs.choked_ports):
        found.append(Difference("choked_ports", " ".join(mine.choked_ports), " ".join(theirs.choked_ports)))
    return tuple(found)


def _on_npu(mine: Figures, theirs: Figures) -> bool:
    return mine.placement == HW and theirs.placement in (HW, "")


def _both(first: object, second: object) -> bool:
    return first is not None and second is not None


def _close(mine: Figures, theirs: Figures) -> bool:
    ours, given = mine.compute_cycles or 0, theirs.compute_cycles or 0
    return abs(ours - given) <= max(TOLERANCE * given, 1)


def cpu_epochs(snapshot: Snapshot, epochs: Sequence[Epoch], given: Totals) -> CpuEpochs | None:
    """The epochs that need the CPU on both sides; None unless the tools' are all listed, with their operators."""
    off = [epoch for epoch in epochs if epoch.placement in (SW, HYBRID)]
    if given.sw is None or len(off) != given.sw + (given.hybrid or 0) or not all(e.op for e in off):
        return None
    actual = Counter(epoch.op for epoch in off)
    mine = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement.value != HW)
    common = 0
    for same in (True, False):  # first operators of one name, then those that are two words for one
        for op in list(mine):
            for other in list(actual):
                if (op == other) if same else alike(op, other):
                    shared = min(mine[op], actual[other])
                    common += shared
                    mine[op] -= shared
                    actual[other] -= shared
    missing, invented = (tuple(sorted((+side).items())) for side in (actual, mine))
    return CpuEpochs(common, missing, invented)


def agreement(
    snapshot: Snapshot, layers: Sequence[LayerComparison], given: Totals, epochs: Sequence[Epoch] = ()
) -> Agreement:
    """The figures of the whole model."""
    summary = snapshot.summary
    return Agreement(
        layers=len(layers),
        placement=_tally(layers, "placement", lambda f: f.placement, npu_only=False),
        compute_cycles=_tally(layers, "compute_cycles", lambda f: f.compute_cycles),
        choked_ports=_tally(layers, "choked_ports", lambda f: f.choked_ports),
        simd=_tally(layers, "simd", lambda f: f.simd),
        deep1x1=_tally(layers, "deep1x1", lambda f: f.deep1x1),
        accelerators=_tally(layers, "accelerators", lambda f: f.accelerators),
        epochs_predicted=(summary.epochs, summary.epochs_hybrid, summary.epochs_sw),
        epochs_actual=(given.epochs, given.hybrid, given.sw),
        milliseconds_predicted=summary.milliseconds,
        milliseconds_actual=given.milliseconds,
        cpu_epochs=cpu_epochs(snapshot, epochs, given),
    )


def _tally(
    layers: Sequence[LayerComparison], what: str, of: Callable[[Figures], object], npu_only: bool = True
) -> Tally:
    """Layers for which both sides give a figure, and those of them that do not differ in it."""
    compared = [
        layer
        for layer in layers
        if layer.actual is not None
        and of(layer.predicted) not in (None, "", ())
        and of(layer.actual) not in (None, "", ())
        and (not npu_only or _on_npu(layer.predicted, layer.actual))
    ]
    same = sum(all(difference.what != what for difference in layer.differences) for layer in compared)
    return Tally(same, len(compared))
