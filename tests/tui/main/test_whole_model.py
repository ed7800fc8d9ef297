"""The first pane for the whole model: every reason once, with the layers it holds for."""

from __future__ import annotations

from builders.models import SAMPLES

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.widgets.panes.eligibility import Eligibility, sentence
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.spans import plain


def test_reasons_of_one_rule_are_told_apart_and_what_they_share_is_said_once() -> None:
    snapshot = analyse(Session.open(load(SAMPLES / "denoiser_lstm_float.onnx"), target("2.1")))
    whole_model = Selection(snapshot, "whole model", snapshot.layers, whole_model=True)
    text = "\n".join(plain(line) for line in Eligibility().lines(whole_model, 400))
    messages = {report.forced_by[0].message for report in snapshot.layers if report.forced_by}
    assert len(messages) > 2 and all(text.count(sentence(message)) == 1 for message in messages)
    assert text.count("The NPU computes in integers only") == 1
