"""The planner makes these edits automatically, exact ones first, with scales from samples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened
from builders.float_layers import LAYER, Float, float_model
from builders.networks.compiled import network
from builders.weighted_layers import saved

from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.model.load import load
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.planning.cut import Cut, cut
from npuscope.planning.placement_fixes import propose_fixes
from npuscope.planning.plan import Allowed, Budget, apply
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import analyse

_ISLANDS = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,11] x) => (int8[1,8] y, int8[1,8,4,11] v, int8[1,8,4,11] u, int8[1,8,1,1] t)
<float s = {0.1}, int8 z = {0}, int64[2] k = {1, 8}, float zero = {0.0}, float one = {1.0}>
{ q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  [top] p = GlobalMaxPool(f)
  r = Reshape(p, k)
  y = QuantizeLinear(r, s, z)
  [max] m = Max(f, zero)
  v = QuantizeLinear(m, s, z)
  [sub] n = Sub(one, f)
  u = QuantizeLinear(n, s, z)
  [mean] a = GlobalAveragePool(f)
  t = QuantizeLinear(a, s, z) }"""


def test_a_plan_takes_the_edit_that_loses_least(tmp_path: Path) -> None:
    source = models.from_text(_ISLANDS, tmp_path)
    session = opened(source)
    snapshot = analyse(session)
    planned = plan(session, snapshot, Budget(slower=True))  # a model so small is no faster on the NPU
    kinds = {step.layer: step.edit.kind for step in planned.steps}
    assert (
        kinds["max"] == "same-operator" and kinds["sub"] == "sub-to-add" and kinds["mean"] == "pool-to-conv"
    )
    after = apply(session, planned, samples=random_samples(source, 2))
    assert isinstance(after, Session)
    now = analyse(after)
    assert now.summary.off_npu < snapshot.summary.off_npu
    assert not [
        report.name for report in now.off_npu if report.layer.kind in ("Max", "Sub", "GlobalAveragePool")
    ]
    assert max(output.max_steps for output in verify(source, after).outputs) <= 1
    exact = plan(session, snapshot, Budget(Allowed.EXACT))
    assert {step.layer for step in exact.steps} >= {"max", "sub"}
    after = apply(session, exact)
    assert isinstance(after, Session) and verify(source, after).bit_exact


def test_proposals_without_scales_get_them_from_the_samples(tmp_path: Path) -> None:
    source = saved(float_model(Float("PRelu", quantized_out=False)), tmp_path)
    session = opened(source)
    proposed = [preview.edit for preview in propose_fixes(session, analyse(session), LAYER)]
    assert proposed == [QuantizeLayer(LAYER)]
    after = apply(
        session, plan(session, analyse(session), Budget(slower=True)), samples=random_samples(source, 2)
    )
    assert isinstance(after, Session)
    (edit,) = after.done
    assert isinstance(edit, QuantizeLayer) and [tensor for tensor, _, _ in edit.scales] == ["y"]


def test_what_runs_on_the_npu_is_left_alone(tmp_path: Path) -> None:
    session = opened(load(models.SAMPLES / "mobilenet_mini_int8.onnx"))
    snapshot = analyse(session)
    kinds = Counter(
        preview.edit.kind
        for report in snapshot.layers
        if not report.off_npu
        for preview in propose_fixes(session, snapshot, report.name)
    )
    assert kinds.keys() <= {"drop-pair"}
    assert not list(propose_fixes(session, snapshot, "no such layer"))


@pytest.mark.parametrize(
    ("case", "tools", "skipped", "off"),
    [
        ("mobilenet_v2_224", "2.2", 51, (1, 0)),
        ("speech_tcnn_257", "2.1", 0, (7, 1)),
        ("mobilefacenet_qop", "2.1", 77, (8, 1)),
    ],
)
def test_real_models_are_brought_onto_the_npu(
    case: str, tools: str, skipped: int, off: tuple[int, int]
) -> None:
    """The layers after so many: blocks before them are of the same kinds."""
    session = opened(network(case), tools)
    if skipped:
        made = cut(session, [session.layers.layers[skipped - 1].outputs[0].tensor])
        assert isinstance(made, Cut), made
        session = made.tail
    before = analyse(session)
    assert before.summary.off_npu == off[0]
    after = apply(session, plan(session, before, Budget(slower=True, seconds=300)))
    assert isinstance(after, Session)
    assert analyse(after).summary.off_npu <= off[1]
