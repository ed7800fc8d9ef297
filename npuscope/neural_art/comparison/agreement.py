"""Where prediction and tools differ, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from npuscope.neural_art.artefacts.matching import same_kind
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, ReportedEpoch, Totals
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
    """A layer as npuscope has it; what runs on the CPU has no cycles of the NPU."""
    cost, line = report.cost, report.line
    tiling = cost.tiling if cost is not None else None
    return Figures(
        placement=report.placement.value,
        compute_cycles=line.compute_cycles,
        cycles=line.cycles,
        milliseconds=line.milliseconds if cost is not None else None,
        ops_per_cycle=line.ops_per_cycle,
        simd=tiling.simd if tiling is not None else "",
        deep1x1=tiling.deep1x1 if tiling is not None else None,
        dss2=tiling.dss2 if tiling is not None else None,
        accelerators=tiling.accelerators if tiling is not None else None,
        choked_ports=cost.choked_ports if cost is not None else (),
        epoch=report.epoch,
        reason=report.forced_by[0].message if report.forced_by else "",
    )


def same_placement(prediction: str, actual: str, hybrid_is_software: bool) -> bool:
    """Whether two words mean one place. Up to 2.2 the tools say software of hybrid epochs too."""
    if actual == HW:
        return prediction in (HW, "none")
    if actual == SW:
        return prediction in ON_CPU or (hybrid_is_software and prediction == HYBRID)
    return prediction == actual


def differences(prediction: Figures, actual: Figures, hybrid_is_software: bool) -> tuple[Difference, ...]:
    """Each figure that both give and that differs. Only layers on the NPU are compared beyond their placement."""
    differing: list[Difference] = []
    if actual.placement and not same_placement(prediction.placement, actual.placement, hybrid_is_software):
        return (Difference("placement", prediction.placement, actual.placement),)
    if not _on_npu(prediction, actual):
        return ()
    if _both(prediction.compute_cycles, actual.compute_cycles) and not _close(prediction, actual):
        differing.append(
            Difference("compute_cycles", str(prediction.compute_cycles), str(actual.compute_cycles))
        )
    for what in ("simd", "deep1x1", "accelerators"):
        predicted_value, actual_value = getattr(prediction, what), getattr(actual, what)
        if (
            predicted_value not in (None, "")
            and actual_value not in (None, "")
            and predicted_value != actual_value
        ):
            differing.append(Difference(what, str(predicted_value), str(actual_value)))
    if (
        prediction.choked_ports
        and actual.choked_ports
        and set(prediction.choked_ports) != set(actual.choked_ports)
    ):
        differing.append(
            Difference("choked_ports", " ".join(prediction.choked_ports), " ".join(actual.choked_ports))
        )
    return tuple(differing)


def _on_npu(prediction: Figures, actual: Figures) -> bool:
    return prediction.placement == HW and actual.placement in (HW, "")


def _both(first: object, second: object) -> bool:
    return first is not None and second is not None


def _close(prediction: Figures, actual: Figures) -> bool:
    predicted_cycles, actual_cycles = prediction.compute_cycles or 0, actual.compute_cycles or 0
    return abs(predicted_cycles - actual_cycles) <= max(TOLERANCE * actual_cycles, 1)


def cpu_epochs(snapshot: Snapshot, epochs: Sequence[ReportedEpoch], totals: Totals) -> CpuEpochs | None:
    """The epochs that need the CPU on both sides; None unless the tools' are all listed, with their operators."""
    off = [epoch for epoch in epochs if epoch.placement in (SW, HYBRID)]
    if totals.sw is None or len(off) != totals.sw + (totals.hybrid or 0) or not all(e.op for e in off):
        return None
    actual = Counter(epoch.op for epoch in off)
    prediction = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement.value != HW)
    common = 0
    for same in (True, False):  # first operators of one name, then those that are two words for one
        for op in list(prediction):
            for other in list(actual):
                if (op == other) if same else same_kind(op, other):
                    shared = min(prediction[op], actual[other])
                    common += shared
                    prediction[op] -= shared
                    actual[other] -= shared
    missing, invented = (tuple(sorted((+side).items())) for side in (actual, prediction))
    return CpuEpochs(common, missing, invented)


def agreement(
    snapshot: Snapshot,
    layers: Sequence[LayerComparison],
    totals: Totals,
    epochs: Sequence[ReportedEpoch] = (),
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
        epochs_actual=(totals.epochs, totals.hybrid, totals.sw),
        milliseconds_predicted=summary.milliseconds,
        milliseconds_actual=totals.milliseconds,
        cpu_epochs=cpu_epochs(snapshot, epochs, totals),
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
