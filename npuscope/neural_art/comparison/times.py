"""A snapshot with the times a board took, in place of the predicted ones where they are known."""

from __future__ import annotations

from dataclasses import replace

from npuscope.neural_art.comparison.values import Comparison
from npuscope.snapshot import LayerReport, Snapshot


def with_times(snapshot: Snapshot, comparison: Comparison | None) -> Snapshot:
    """The snapshot with measured times; itself where nothing was measured that is a layer's own.

    1. A layer has a time of its own where its epochs hold no other layer and were measured.
    2. Layers made or altered since, whose figures are not those the comparison saw, keep their predicted time.
    3. What is left of the measured whole goes to the other layers in proportion to their predicted times.
    """
    if comparison is None:
        return snapshot
    measured: dict[str, float] = {}
    others: list[LayerReport] = []
    edited: list[LayerReport] = []
    for report in snapshot.layers:
        layer = comparison.by_layer.get(report.name)
        if layer is None or report.cost is None or layer.predicted.milliseconds != report.line.milliseconds:
            edited.append(report)
        elif layer.actual is not None and layer.actual.milliseconds is not None:
            measured[report.name] = layer.actual.milliseconds
        else:
            others.append(report)
    if not measured:
        return snapshot
    total, predicted = comparison.totals.milliseconds, snapshot.ledger.total(report.name for report in others)
    rest = None if total is None else total - sum(measured.values())
    scale = rest / predicted if rest is not None and rest > 0 and predicted > 0 and not edited else 1.0
    times = {report.name: report.line.milliseconds * scale for report in others}
    return replace(snapshot, times={**times, **measured}, measured=frozenset(measured))
