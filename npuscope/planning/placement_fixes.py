"""The edits that may bring a layer onto the NPU by what it is: its quantization, its operator."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.drop_pair import DropPair
from npuscope.edits.kinds.plain_moves import PlainMoves
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.edits.registry import KINDS
from npuscope.model.layers import QUANTIZE, Layer
from npuscope.planning.proposals import Preview, Wanted, any_edit, preview
from npuscope.planning.stripes import propose_stripes
from npuscope.session import Session
from npuscope.snapshot import LayerReport, Snapshot


def propose_fixes(
    session: Session, snapshot: Snapshot, layer: str, wanted: Wanted = any_edit
) -> Iterator[Preview]:
    """The edits of a layer that can be made as they are, those that change no number first.

    1. What runs on the NPU already gets none, but for a Q/DQ pair or a pair of Transposes that does nothing.
    2. Edits that change what the model computes (a linear Resize made nearest) or what the application must do
       (integer borders) are for the user to ask for.
    """
    report = snapshot.by_name.get(layer)
    if report is None:
        return
    for edit in filter(wanted, _edits(report)):
        trial = preview(session, snapshot, edit)
        if isinstance(trial, Preview):
            yield trial


def propose_answers(session: Session, snapshot: Snapshot, layer: str) -> Iterator[Preview]:
    """The edits that answer what is said of a layer, for a user to choose: not all keep the model's function.

    Also stripes of a Conv that external memory slows down: they save time, but at the price of work for the CPU.
    """
    report = snapshot.by_name.get(layer)
    codes = dict.fromkeys(finding.code for finding in report.findings) if report is not None else {}
    if report is None:
        return
    for edit in dict.fromkeys(edit for code in codes for edit in _answers(code, report.layer)):
        trial = preview(session, snapshot, edit)
        if not isinstance(trial, Preview):
            continue
        own = edit.declaration.answers
        still = any(finding.code in codes and finding.code in own for finding in trial.findings)
        if trial.after.rank < trial.before.rank or not still:
            yield trial
    yield from propose_stripes(session, snapshot, layer)


def _answers(code: str, layer: Layer) -> Iterator[Edit]:
    """The edits after which a finding is no longer said of a layer."""
    for cls in KINDS.values():
        if code in cls.declaration.answers:
            yield from cls.for_layer(layer)


def _edits(report: LayerReport) -> Iterator[Edit]:
    layer = report.layer
    if layer.kind == QUANTIZE:
        yield DropPair(layer.name)
    if not report.off_npu:
        if layer.kind == "Transpose" and any(finding.code == "N503" for finding in report.findings):
            yield PlainMoves(layer.name)
        return
    if layer.qoperator:
        yield ToQdq(layer.name)  # by itself it brings nothing; what follows can then be tried
        return
    for cls in KINDS.values():
        if cls.declaration.tried_off_npu and cls.declaration.applies_to(layer.kind):
            yield from cls.for_layer(layer)
