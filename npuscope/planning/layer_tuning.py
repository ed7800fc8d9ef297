"""Proposals for what makes a layer slow on the NPU: its zero point, its channel counts, its form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npuscope.edits.kinds.recentre import FAST, Recentre
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.machine.machine import Target
from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point
from npuscope.planning.proposals import Preview, Wanted, any_edit, preview, simulated
from npuscope.session import Session
from npuscope.snapshot import Snapshot

SEARCHED = 64
"""About so many numbers of channels are simulated; where there are more, multiples of 2, 4, 8... are."""

WORTH_PADDING = 0.95
"""Padding is proposed where it leaves at most this part of the cycles."""


def propose_recentring(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit
) -> Iterator[Preview]:
    """Zero point 0 or -128 for a Conv, Gemm or MatMul that would then take fewer cycles."""
    report = snapshot.by_name.get(layer)
    if report is None or report.layer.weight is None or convolution(report.layer) is None:
        return
    zero = input_zero_point(report.layer)
    if zero is None or simd_mode(zero) == "8x8":
        return
    for fast in FAST:
        edit = Recentre(layer, fast)
        trial = preview(session, snapshot, edit) if wanted(edit) else None
        if isinstance(trial, Preview) and _fewer_cycles(trial):
            yield trial


def tuned_channels(layer: Layer, target: Target, inputs: bool) -> int | None:
    """The number of input or output channels to pad to with the lowest simulated cost; None where none is worth it.

    Inputs are searched up to an eighth more, outputs up to a half more (53 to 54: 3 passes instead of 53) and only
    where reading the features again for each pass sets the time.
    """
    conv, zero = convolution(layer), input_zero_point(layer)
    if (
        conv is None
        or conv.group != 1
        or not layer.quantized
        or (zero is None and not awaits_zero_point(layer))
    ):
        return None
    # Where calibration is to come, the mode of most zero points, as in all figures of the model.
    simd = simd_mode(zero)
    tiling, present = choose(conv, simd, target), simulated(conv, simd, target)
    if not inputs and (tiling is None or "feat" not in work(tiling, conv).choked):
        return None
    channels = conv.in_channels if inputs else conv.out_channels
    most = channels + (max(channels // 8, 8) if inputs else channels // 2)
    step = 1 << max((most - channels - 1) // SEARCHED, 0).bit_length()
    priced = []
    for wanted in range(channels // step * step + step, most + 1, step):
        wider = replace(conv, in_channels=wanted) if inputs else replace(conv, out_channels=wanted)
        cost = simulated(wider, simd, target)
        if cost is not None:
            priced.append((*cost, wanted))
    best = min(priced, default=None)
    if best is None or (present is not None and best[0] > WORTH_PADDING * present[0]):
        return None
    return best[2]


def propose_qdq_form(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The QDQ form of a QLinear operator: the one the compiler is tested with, and other edits need."""
    report = snapshot.by_name.get(layer)
    if report is not None and report.layer.qoperator:
        trial = preview(session, snapshot, ToQdq(layer))
        if isinstance(trial, Preview):
            yield trial


def _fewer_cycles(proposal: Preview) -> bool:
    before, after = proposal.compute_cycles
    return before is not None and after is not None and after < before
