"""Epochs without names, taken for the predicted ones where both sequences go in step from the first to the last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npuscope.neural_art.artefacts.matching import same_kind
from npuscope.neural_art.artefacts.values import HW, ReportedEpoch
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import Snapshot

IN_STEP, UNANCHORED = 0.6, 0.4
"""Confidence where epochs off the NPU, with their operators, hold the two in step, and where there are none."""


@dataclass(frozen=True, slots=True)
class Place:
    """The tools' epochs of a layer; `alone`: they hold no other layer."""

    epochs: tuple[ReportedEpoch, ...]
    alone: bool
    confidence: float


def aligned_epochs(snapshot: Snapshot, epochs: Sequence[ReportedEpoch]) -> Mapping[str, Place]:
    """Layer -> its epochs; empty unless as many are listed as predicted, each where it is predicted."""
    own = snapshot.epochs
    if not own or len(own) != len(epochs) or any(epoch.nodes or epoch.last is not None for epoch in epochs):
        return {}
    for predicted, actual in zip(own, epochs, strict=True):
        if (predicted.placement is Placement.HW) != (actual.placement == HW):
            return {}
        if actual.op and not same_kind(predicted.op, actual.op):
            return {}
    confidence = IN_STEP if any(epoch.op for epoch in epochs) else UNANCHORED
    of_layer: dict[str, list[tuple[ReportedEpoch, bool]]] = {}
    for predicted, actual in zip(own, epochs, strict=True):
        for layer in predicted.layers:
            of_layer.setdefault(layer, []).append((actual, len(predicted.layers) == 1))
    return {
        layer: Place(tuple(epoch for epoch, _ in places), all(alone for _, alone in places), confidence)
        for layer, places in of_layer.items()
    }
