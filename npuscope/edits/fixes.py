"""The edits that may bring a layer onto the NPU by what it is: its quantization, its operator."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.edits.batchnorm_to_conv import BatchNormToConv
from npuscope.edits.div_to_mul import DivToMul
from npuscope.edits.drop_pair import DropPair
from npuscope.edits.edit import Edit
from npuscope.edits.fold_batchnorm import FoldBatchNorm
from npuscope.edits.move_quantize import MoveQuantize
from npuscope.edits.proposals import Preview, preview
from npuscope.edits.quantize_layer import QuantizeLayer
from npuscope.edits.resize_nearest import ResizeFloor
from npuscope.edits.same_operator import SameOperator
from npuscope.model.layers import QUANTIZE
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot


def propose_fixes(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The edits of a layer that can be made as they are, those that change no number first.

    1. What runs on the NPU already gets none, but for a Q/DQ pair that does nothing.
    2. Edits that change what the model computes (a linear Resize made nearest) or what the application must do
       (integer borders) are for the user to ask for.
    """
    report = snapshot.by_name.get(layer)
    if report is None:
        return
    for edit in _edits(report):
        found = preview(session, snapshot, edit)
        if isinstance(found, Preview):
            yield found


def _edits(report: LayerReport) -> Iterator[Edit]:
    name, kind = report.name, report.layer.kind
    if kind == QUANTIZE:
        yield DropPair(name)
    if not report.off_npu:
        return
    yield MoveQuantize(name)
    if kind == "Resize":
        yield ResizeFloor(name)
    if kind == "BatchNormalization":
        yield BatchNormToConv(name)
        yield FoldBatchNorm(name)
        return
    if kind == "Div":
        yield DivToMul(name)
    yield SameOperator(name)
    yield QuantizeLayer(name)
