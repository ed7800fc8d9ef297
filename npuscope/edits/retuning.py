"""Proposals for what a layer reads: its zero point, and the form it is quantized in."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.cost.tiling import simd_mode
from npuscope.edits.proposals import Preview, preview
from npuscope.edits.recentre import FAST, Recentre
from npuscope.edits.to_qdq import ToQdq
from npuscope.placement.facts import geometry, input_zero_point
from npuscope.session import Session
from npuscope.snapshot import Snapshot


def propose_recentring(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """Zero point 0 or -128 for a Conv, Gemm or MatMul that would then take fewer cycles."""
    report = snapshot.by_name.get(layer)
    if report is None or report.layer.weight is None or geometry(report.layer) is None:
        return
    zero = input_zero_point(report.layer)
    if zero is None or simd_mode(zero) == "8x8":
        return
    for wanted in FAST:
        found = preview(session, snapshot, Recentre(layer, wanted))
        if isinstance(found, Preview) and _fewer_cycles(found):
            yield found


def propose_qdq_form(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The QDQ form of a QLinear operator: the one the compiler is tested with, and other edits need."""
    report = snapshot.by_name.get(layer)
    if report is not None and report.layer.qoperator:
        found = preview(session, snapshot, ToQdq(layer))
        if isinstance(found, Preview):
            yield found


def _fewer_cycles(found: Preview) -> bool:
    before, after = found.compute_cycles
    return before is not None and after is not None and after < before
