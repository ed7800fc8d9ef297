"""Quantization that is exported as arithmetic, written as Q and DQ: within one step of what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused
from builders.models import from_text
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from npuscope.edits.kinds.arithmetic_to_qdq import ArithmeticToQdq
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.reports.plan_report import plan_text
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arithmetic")


def fake(source: str, result: str, by: str, zero: str, low: str, high: str, divides: bool) -> str:
    """A fake quantization of a tensor, its names made of the result's."""
    first = f"{result}a = Div({source}, {by})" if divides else f"{result}a = Mul({source}, {by}k)"
    added = f"{result}c = Add({result}b, {zero}) {result}d = Clip({result}c, {low}, {high}) {result}e = Sub({result}d, {zero})"
    if not zero:
        added = f"{result}e = Clip({result}b, {low}, {high})"
    return f"{first} {result}b = Round({result}a) {added} {result} = Mul({result}e, {by})"


def network(scale: float, zero: int, ends: tuple[int, int], divides: bool, each: bool = False) -> str:
    """A Conv between two fake quantizations, its weights behind a third with a scale, or one a channel."""
    weights = ", ".join(f"{(i * 7 % 23 - 11) / 16}" for i in range(64))
    few = [scale / 4, scale / 8] if each else [scale / 4]
    size = "[2,1,1,1]" if each else ""
    named = "z" if zero else ""
    wide = 32
    return f"""<ir_version: 9, opset_import: ["" : 18]>
    g (float[1,32,{wide},{wide}] x) => (float[1,2,{wide},{wide}] y)
    <float s = {{{scale}}}, float sk = {{{1 / scale}}}, float{size} w = {{{", ".join(map(str, few))}}},
     float{size} wk = {{{", ".join(str(1 / one) for one in few)}}}, float z = {{{zero}}}, float lo = {{{ends[0]}}}, float hi = {{{ends[1]}}},
     float wl = {{-127}}, float wh = {{127}}, float[2,32,1,1] u = {{{weights}}}>
    {{ {fake("x", "q", "s", named, "lo", "hi", divides)} {fake("u", "v", "w", "", "wl", "wh", divides)}
      m = Conv(q, v) {fake("m", "y", "s", named, "lo", "hi", divides)} }}"""


@given(
    st.sampled_from((0.125, 0.1, 0.037)), st.sampled_from((0, 3)), st.sampled_from(((-128, 127), (-127, 127), (0, 255))),
    st.booleans(), st.booleans(),
)  # fmt: skip
@FEW
def test_arithmetic_is_a_pair(
    folder: Path, scale: float, zero: int, ends: tuple[int, int], divides: bool, each: bool
) -> None:
    session = opened(from_text(network(scale, zero, ends, divides, each), folder), "4.0")
    after = edited(session, ArithmeticToQdq())
    assert not any(node.op in ("Round", "Clip") for node in after.graph.nodes)
    assert all(
        output.max_steps * output.step <= 1.01 * scale
        for output in verify(session.source, after, samples=2).outputs
    )
    assert not analyse(after).off_npu


@pytest.mark.parametrize("ends", [(0, 127), (-8, 7), (-32768, 32767)])
def test_other_widths_are_refused(ends: tuple[int, int], tmp_path: Path) -> None:
    text = network(0.1, 3, ends, False).replace("float wl = {-127}", "float wl = {-7}")
    assert "quantizes to 8 bits" in refused(opened(from_text(text, tmp_path), "4.0"), ArithmeticToQdq())


def test_what_is_read_between_stays(tmp_path: Path) -> None:
    text = network(0.1, 3, (-128, 127), False).replace("y) <", "y) <")
    text = text.replace("float[1,2,32,32] y)", "float[1,2,32,32] y, float[1,32,32,32] qb)").replace(
        "{-127}", "{-7}"
    )
    after = edited(opened(from_text(text, tmp_path), "4.0"), ArithmeticToQdq())
    assert sum(node.op == "Round" for node in after.graph.nodes) == 2


FAKE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[3,3] x) => (float[3,3] y)
<float[3,1] k = {8.0, 4.0, 2.0}, float[1,3] s = {0.125, 0.25, 0.5}, float[3,1] t = {0.125, 0.25, 0.5}, float lo = {-128}, float hi = {127}>
{ m = Mul(SOURCE, k) r = Round(m) c = Clip(r, lo, hi) d = Mul(c, s) y = Add(x, d) }"""


@pytest.mark.parametrize(
    ("source", "scale", "reason"),
    [("x", "s", "quantizes to 8 bits"), ("x", "t", ""), ("k", "s", "quantizes to 8 bits")],
    ids=["scales of rows and of columns", "of rows", "of constants alone"],
)
def test_scales_lie_along_one_axis(source: str, scale: str, reason: str, tmp_path: Path) -> None:
    text = FAKE.replace("SOURCE", source).replace("Mul(c, s)", f"Mul(c, {scale})")
    session = opened(from_text(text, tmp_path), "4.0")
    if reason:
        assert reason in refused(session, ArithmeticToQdq())
    else:
        edited(session, ArithmeticToQdq())


def test_ends_that_are_no_numbers_leave_the_others(tmp_path: Path) -> None:
    from_text(network(0.1, 3, (-128, 127), False), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    for constant in model.graph.initializer:
        if constant.name == "wl":
            constant.CopyFrom(numpy_helper.from_array(np.float32(-np.inf), "wl"))
    onnx.save(model, tmp_path / "infinite.onnx")
    source = load(tmp_path / "infinite.onnx")
    after = edited(opened(source, "4.0"), ArithmeticToQdq())
    assert sum(node.op == "Round" for node in after.graph.nodes) == 1


def test_a_plan_reads_the_quantization_of_an_exporter(tmp_path: Path) -> None:
    """torch.onnx.export(dynamo=True) takes fake quantization apart (pytorch issue 127167)."""
    session = opened(from_text(network(0.125, 3, (-128, 127), False), tmp_path), "4.0")
    snapshot = analyse(session)
    steps = plan(session, snapshot).steps
    assert [step.edit.kind for step in steps][:1] == ["arithmetic-to-qdq"]


def test_a_step_of_the_whole_model_is_said_to_be_one(tmp_path: Path) -> None:
    source = from_text(network(0.125, 3, (-128, 127), False), tmp_path)
    session = opened(source, "4.0")
    text = plan_text(plan(session, analyse(session)))
    assert "1  the model: Conv computes in float" in text
