"""Epochs of several artefacts as one sequence, and the layers behind epochs that carry no names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from npuscope.neural_art.artefacts.artefact import Artefact, filled, joined
from npuscope.neural_art.artefacts.matching import same_kind
from npuscope.neural_art.artefacts.values import HW, HYBRID, SW, ReportedEpoch, Totals
from npuscope.neural_art.schedule.epochs import lowered_name
from npuscope.npu.verdict import Placement
from npuscope.record import dataclass
from npuscope.snapshot import LayerReport, Snapshot

ASSIGNED, GUESSED = 0.8, 0.4
"""Confidence where as many layers are predicted in software as there are such epochs, and where not."""

MOST_STEPS = 64
"""Epochs allowed for one layer."""

MOST_OPS = 300
"""Different operators off the NPU; no network has so many."""

MAX_CELLS = 16_000_000
"""Cells of the largest alignment made."""

_TRUST = ("network_c", "report", "timing", "c_info", "network_csv", "dot")
"""Kinds in the order in which their word on an epoch counts; a graph's cycles are rounded."""

_INSERTED = frozenset(
    ("DequantizeLinear", "QuantizeLinear", "RequantizeLinear", "Identity", "Transpose", "Reshape", "SpaceToDepth",
     "DepthToSpace", "Cast", "Split", "Concat", "Slice", "Pad")
)  # fmt: skip
"""Operators the compiler adds automatically."""


def merged(artefacts: Iterable[Artefact]) -> tuple[ReportedEpoch, ...]:
    """One entry for each epoch, from all artefacts."""
    by_index: dict[int, ReportedEpoch] = {}
    known = tuple(artefacts)
    # A graph lists the epochs of a blob that c_info.json gives as one: only the parts count, or both would be added.
    single = {epoch.index for a in known if a.kind == "dot" for epoch in a.epochs if epoch.last is None}
    for artefact in sorted(known, key=lambda a: _TRUST.index(a.kind) if a.kind in _TRUST else len(_TRUST)):
        for epoch in artefact.epochs:
            if artefact.kind == "c_info" and epoch.last is not None and _within(epoch, single):
                continue
            by_index[epoch.index] = joined(by_index[epoch.index], epoch) if epoch.index in by_index else epoch
    return tuple(by_index[index] for index in sorted(by_index))


def _within(blob: ReportedEpoch, single: set[int]) -> bool:
    """More than one epoch of a blob is listed on its own."""
    return sum(blob.index <= index <= (blob.last or blob.index) for index in single) > 1


def totals(artefacts: Sequence[Artefact], epochs: Sequence[ReportedEpoch], tells_hybrid: bool) -> Totals:
    """The figures the artefacts give for the whole network; where none counts the epochs, their sums.

    `tells_hybrid`: the version tells hybrid epochs from software. A blob of the epoch controller is one entry for
    an unknown number of epochs, so such a list is not counted.
    """
    result = Totals()
    for artefact in artefacts:
        result = filled(result, artefact.totals)
    in_blobs = result.epochs is None and any(epoch.printed == "EC" for epoch in epochs)
    if epochs and result.sw is None and result.epochs in (None, len(epochs)) and not in_blobs:
        counts = [sum(epoch.placement == word for epoch in epochs) for word in (SW, HYBRID, HW)]
        if sum(counts) == len(epochs):
            hybrid = counts[1] if tells_hybrid or counts[1] else None
            result = replace(result, epochs=len(epochs), sw=counts[0], hybrid=hybrid, hw=counts[2])
    return result


@dataclass(frozen=True, slots=True)
class Assigned:
    """Layers behind epochs without names.

    1. `layers` maps a layer to (epoch, confidence), `epochs` an epoch's index to its layer.
    2. `complete`: every epoch off the NPU is listed and has a layer, or is of the compiler's own making.
    3. `open_ops` are operators of which it is not certain which layers are meant.
    """

    layers: Mapping[str, tuple[ReportedEpoch, float]]
    epochs: Mapping[int, str]
    complete: bool
    open_ops: frozenset[str]

    def on_npu(self, report: LayerReport) -> bool:
        """No epoch off the NPU can be this layer's."""
        return self.complete and not any(_is(report, op) for op in self.open_ops)


def assign(
    snapshot: Snapshot, epochs: Sequence[ReportedEpoch], actual: Totals, taken: Mapping[str, str]
) -> Assigned:
    """Find the layer of each epoch off the NPU by the order of the epochs.

    `taken` maps layers that are known to be off the NPU already to their operator; each uses up one epoch.
    """
    off = [epoch for epoch in epochs if epoch.placement in (SW, HYBRID)]
    spare = _without([epoch for epoch in off if not epoch.nodes], taken.values())
    free = [report for report in snapshot.layers if report.name not in taken]
    by_epoch = _aligned(spare, epochs, free)
    layers: dict[str, tuple[ReportedEpoch, float]] = {}
    open_ops: set[str] = set()
    ops = _by_op(spare)
    unexpected = len(ops) > MOST_OPS
    for op, own in list(ops.items())[:MOST_OPS]:
        expected = sum(_steps(report) for report in free if report.off_npu and _is(report, op))
        certain = len(own) in (expected, sum(_is(report, op) for report in free))
        for epoch in own:
            if epoch.index in by_epoch:
                layers.setdefault(by_epoch[epoch.index], (epoch, ASSIGNED if certain else GUESSED))
        if not certain and any(_is(report, op) for report in free):
            open_ops.add(op)
        unexpected |= op not in _INSERTED and any(epoch.index not in by_epoch for epoch in own)
    listed = actual.sw is not None and len(off) == actual.sw + (actual.hybrid or 0)
    return Assigned(layers, by_epoch, listed and not unexpected, frozenset(open_ops))


def _by_op(epochs: Iterable[ReportedEpoch]) -> dict[str, list[ReportedEpoch]]:
    by_op: dict[str, list[ReportedEpoch]] = {}
    for epoch in epochs:
        by_op.setdefault(epoch.op, []).append(epoch)
    return by_op


def _without(epochs: Sequence[ReportedEpoch], ops: Iterable[str]) -> list[ReportedEpoch]:
    """The epochs that are left when each operator in `ops` takes one, the first of its kind."""
    left = _by_op(epochs)
    for op in ops:
        matching = next((word for word in left if left[word] and same_kind(word, op)), None)
        if matching is not None:
            left[matching] = left[matching][1:]
    kept = {epoch.index for own in left.values() for epoch in own}
    return [epoch for epoch in epochs if epoch.index in kept]


def _is(report: LayerReport, op: str) -> bool:
    """The tool would call the layer so."""
    return same_kind(lowered_name(report.layer), op) or report.layer.kind == op


def _steps(report: LayerReport) -> int:
    """Epochs a layer in software takes: a product of two activations is one Conv for each matrix (FORUM-2)."""
    layer = report.layer
    result = layer.output_dims
    if (
        layer.kind not in ("MatMul", "Gemm")
        or layer.weight is not None
        or len(layer.inputs) < 2
        or result is None
    ):
        return 1
    return max(1, min(math.prod(result[:-2]), MOST_STEPS))


def _aligned(
    spare: Sequence[ReportedEpoch], epochs: Sequence[ReportedEpoch], free: Sequence[LayerReport]
) -> dict[int, str]:
    """Epoch index -> layer, by aligning the tool's epochs with the layers in graph order.

    An epoch off the NPU wants a layer of its operator, one predicted off the NPU before any other; epochs on the NPU
    only keep the two sequences in step.
    """
    indices = frozenset(epoch.index for epoch in spare)
    steps = [report for report in free for _ in range(_steps(report) if report.off_npu else 1)]
    if not indices or len(steps) * len(epochs) > MAX_CELLS:
        return {}
    gains = np.zeros((len(steps), len(epochs)), np.float32)
    on_npu = np.array([epoch.placement == HW for epoch in epochs])
    columns = {
        op: np.array([epoch.index in indices and epoch.op == op for epoch in epochs])
        for op in list(_by_op(spare))[:MOST_OPS]
    }
    for i, report in enumerate(steps):
        if report.placement is Placement.HW:
            gains[i, on_npu] = 1
        for op, matching in columns.items():
            if _is(report, op):
                gains[i, matching] = 2000 if report.off_npu else 1000
    return {epochs[j].index: steps[i].name for i, j in _path(gains) if epochs[j].index in indices}


def _path(gains: NDArray[np.float32]) -> list[tuple[int, int]]:
    """The pairs of the alignment with the largest sum of gains; gaps cost nothing."""
    rows, columns = gains.shape
    sums = np.zeros((rows + 1, columns + 1), np.float32)
    for i in range(rows):
        best = np.maximum(sums[i, 1:], sums[i, :-1] + gains[i])
        sums[i + 1, 1:] = np.maximum.accumulate(best)
    pairs = []
    i, j = rows, columns
    while i and j:
        if gains[i - 1, j - 1] > 0 and sums[i, j] == sums[i - 1, j - 1] + gains[i - 1, j - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif sums[i, j] == sums[i - 1, j]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]
