"""A model in two: head and tail in a row give what the model gives, and what the two take is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import models
from builders.edit_checks import opened
from builders.layer_chains import chain, chains
from builders.longer import suite_or_long
from builders.networks.compiled import network
from builders.weighted_layers import saved
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npuscope.cli.main import main
from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.sub_to_add import SubToAdd
from npuscope.jobs import QUIET
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.planning import planner
from npuscope.planning.cut import Cut, cut, propose_cut, tensors_named, times, verify_cut
from npuscope.planning.plan import Plan
from npuscope.planning.search.improve import Trial, tried
from npuscope.reports.cut_report import offer_text
from npuscope.session import Session
from npuscope.snapshot import analyse

BLOCK = models.SAMPLES / "attention_block_int8.onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


def cut_at_random(data: st.DataObject, session: Session) -> Cut | Refusal:
    """A cut at some layers' outputs, and at what its tail reads beside them."""
    layers = session.layers.layers
    names = [o.tensor for layer in layers for o in layer.outputs if o.tensor in session.graph.producers]
    tensors = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    for _ in range(20):
        made = cut(session, tensors)
        if isinstance(made, Cut) or "cut there as well: " not in made.hint:
            return made
        tensors = [*tensors, *made.hint.removeprefix("cut there as well: ").split(" ")]
    return made


@settings(max_examples=suite_or_long(8, 300), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_head_and_tail_in_a_row_are_the_model(data: st.DataObject, folder: Path) -> None:
    sample = data.draw(st.booleans())
    source = load(BLOCK) if sample else saved(chain(data.draw(chains())), folder, "chain.onnx")
    session = opened(source)
    made = cut_at_random(data, session)
    if isinstance(made, Refusal):
        assert "every output of the model is computed before" in made.reason
        return
    assert set(made.head.graph.outputs) >= set(made.tensors)
    assert set(made.tail.graph.inputs) <= {*made.tensors, *session.graph.inputs}
    assert {*made.head.graph.outputs, *made.tail.graph.outputs} >= set(session.graph.outputs)
    assert verify_cut(made, count=1).bit_exact


def test_what_the_two_take_is_the_sum(tmp_path: Path) -> None:
    session = opened(load(BLOCK))
    before = analyse(session)
    layer = before.layers[len(before.layers) // 2]
    made = cut(session, tensors_named(session.layers, [layer.name]))
    while isinstance(made, Refusal):
        made = cut(session, (layer.layer.outputs[0].tensor, *made.hint.split(": ")[1].split(" ")))
    timed = times(made, before)
    assert timed.head == analyse(made.head).summary.milliseconds < before.summary.milliseconds
    assert timed.tail is not None and timed.after == pytest.approx(timed.head + timed.tail)
    assert timed.saved == pytest.approx(timed.before - timed.head - timed.tail)


_TWO_OUTPUTS = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4] x) => (float[1,4] y, float[1,4] u)
{ [first] a = Relu(x)
  [second] b = Exp(a)
  [third] y = Add(a, b)
  [apart] u = Neg(x) }"""


def test_a_cut_that_leaves_something_out_says_what(tmp_path: Path) -> None:
    session = opened(models.from_text(_TWO_OUTPUTS, tmp_path))
    made = cut(session, ["b"])
    assert isinstance(made, Refusal) and "'a'" in made.reason and made.hint == "cut there as well: a"
    both = cut(session, ["b", "a"])
    assert isinstance(both, Cut)
    assert both.head.graph.outputs == ("u", "b", "a") and both.tail.graph.outputs == ("y",)
    for tensors, words in (
        (["x"], "not a tensor"),
        (["q"], "not a tensor"),
        ([], "no tensor"),
        (["y"], "every output"),
    ):
        refusal = cut(session, tensors)
        assert isinstance(refusal, Refusal) and words in refusal.reason


def test_the_two_models_are_written_and_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = models.save_text(_TWO_OUTPUTS, tmp_path / "m.onnx")
    head, tail = tmp_path / "head.onnx", tmp_path / "tail.onnx"
    command = ["cut", str(model), "--at", "second", "first", "-o", str(head), "--tail", str(tail), "--json"]
    assert main(command) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "npuscope.cut/1" and data["tensors"] == ["b", "a"]
    assert data["verified"]["bit_exact"] and data["written"] == [str(head), str(tail)]
    again = opened(load(head))
    assert verify(again, again, samples=1).bit_exact
    assert load(tail).graph.inputs == ("a", "b")
    assert main(command) == 2 and "force" in capsys.readouterr().err
    assert main([*command[:-2], str(head), "--force"]) == 2
    assert main(["cut", str(model), "--at", "first", "second", "-o", str(head)]) == 2
    assert main(["cut", str(model)]) == 2 and "no cut" in capsys.readouterr().err


_CHAIN = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x) => (int8[1,4] y) <float s = {0.1}, int8 z = {0}>
{ a = DequantizeLinear(x, s, z)
  f = Relu(a)
  b = QuantizeLinear(f, s, z)
  c = DequantizeLinear(b, s, z)
  d = Add(c, c)
  y = QuantizeLinear(d, s, z) }"""


def test_a_cut_within_a_layer_gives_the_tail_layers_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models.save_text(_CHAIN, tmp_path / "m.onnx")
    assert main(["cut", str(model), "--at", "f"]) == 0
    assert "  QuantizeLinear_2 " in capsys.readouterr().out


def test_a_model_that_onnxruntime_refuses_is_cut_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = """<ir_version: 8, opset_import: ["" : 13, "elsewhere" : 1]>
g (float[1,4] x) => (float[1,4] y) <float[1,4] a, float[1,4] b>
{ [first] a = elsewhere.Strange(x)
  [second] b = Relu(a)
  [third] y = elsewhere.Strange(b) }"""
    model = models.save_text(strange, tmp_path / "m.onnx")
    head, tail = tmp_path / "head.onnx", tmp_path / "tail.onnx"
    assert main(["cut", str(model), "--at", "second", "-o", str(head), "--tail", str(tail)]) == 1
    captured = capsys.readouterr()
    assert "head and tail were not compared with the model" in captured.err
    assert f"{head}: onnxruntime: " in captured.err and f"{tail}: onnxruntime: " in captured.err
    assert captured.err.count("(the same holds for m.onnx)") == 2
    assert "in a row" not in captured.out and captured.out.endswith(f"written {tail}\n")
    assert load(head).graph.outputs == load(tail).graph.inputs == ("b",)


def test_the_tail_of_a_yolo_is_proposed() -> None:
    """That of yolov8n_micro: below."""
    session = opened(network("yolov11n_micro_224"), "4.0")
    snapshot = analyse(session)
    priced = propose_cut(session, snapshot)
    assert priced is not None
    kinds = [layer.kind for layer in priced.cut.tail.layers.layers]
    assert {"Softmax", "Sub", "Concat"} <= set(kinds) and len(priced.cut.tensors) == 6
    assert priced.times.saved is not None and 0 < priced.times.saved < snapshot.summary.milliseconds
    assert verify_cut(priced.cut, count=1).bit_exact


def test_a_plan_proposes_no_cut_where_none_pays() -> None:
    session = opened(load(models.SAMPLES / "mobilenet_mini_int8.onnx"))
    assert planner.plan(session, analyse(session)).cut is None


def test_a_plan_leaves_out_what_the_cpu_would_compute_after_a_cut() -> None:
    """yolov8n_micro: the Sub on the NPU saves time, but less than to end the model before it; in 4.0 that saves 0.4 %, too little."""
    session = opened(network("yolov8n_micro_224"), "4.0")
    sub = next(layer.name for layer in session.layers.layers if layer.kind == "Sub")
    second = [layer.name for layer in session.layers.layers if layer.kind == "Conv"][1]
    trial = Trial(session, analyse(session), (), ())
    for edit in (SubToAdd(sub), PadChannels(second, 20)):
        made = tried(trial, edit.layer, edit)
        assert made is not None
        trial = made
    before = analyse(session)
    offer = planner._cut(session, before, Plan(trial.steps, before.summary, trial.snapshot.summary), QUIET)
    assert offer is not None and offer.left_out == (0,) and len(offer.tensors) == 6
    assert offer.times.before == trial.snapshot.summary.milliseconds
    assert offer.times.after is not None and offer.times.after < offer.times.before
    text = offer_text(offer, [step.edit for step in trial.steps])
    assert "without step 1" in text and f"fix MODEL pad-in layer={second} channels=20 -o OUT" in text
