"""A constant added behind a product becomes its bias: no value moves by more than a step of the output."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.models import from_text
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.kinds.add_to_bias import AddToBias
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bias")


def added(
    op: str, each: list[float], own: bool = False, several: bool = False, shape: str = "", more: str = ""
) -> str:
    """A Conv, Gemm or MatMul of four inputs and three outputs, and an Add of a float constant behind it."""
    weights = ", ".join(str(i * 7 % 23 - 11) for i in range(12))
    conv = op == "Conv"
    size, source, result = ("3,4,1,1", "1,4,2,2", "1,3,2,2") if conv else ("4,3", "2,4", "2,3")
    scales = (
        "float[3] ws = {0.01, 0.02, 0.03}, int8[3] wz = {0, 0, 0}"
        if several
        else "float ws = {0.01}, int8 wz = {0}"
    )
    axis = f"<axis = {0 if conv else 1}>" if several else ""
    form = shape or (f"{len(each)},1,1" if conv else str(len(each)))
    bias = "float[3] c = {0.4, -0.3, 0.2}, " if own else ""
    reads = "f, w, c" if own else "f, w"
    return f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[{source}] x) => (int8[{result}] y)
    <float s = {{0.1}}, int8 z = {{5}}, {scales}, {bias}float[{form}] b = {{{", ".join(map(str, each))}}}, int8[{size}] wq = {{{weights}}}>
    {{ f = DequantizeLinear(x, s, z) w = DequantizeLinear {axis} (wq, ws, wz) [product] m = {op}({reads}) [op] r = Add(m, b) {more}
      y = QuantizeLinear({"v" if more else "r"}, s, z) }}"""


@given(
    st.sampled_from(("Conv", "Gemm", "MatMul")),
    st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3) | st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=1),
    st.booleans(), st.booleans(), st.sampled_from(("op", "product")), st.sampled_from(("", "v = Relu(r)")),
)  # fmt: skip
@FEW
def test_what_is_added_is_a_bias(
    folder: Path, op: str, each: list[float], own: bool, several: bool, layer: str, more: str
) -> None:
    own = own and op != "MatMul"
    session = opened(from_text(added(op, each, own, several, more=more), folder), "4.0")
    after = edited(session, AddToBias(layer))
    assert all(output.max_steps <= 1 for output in verify(session.source, after, samples=3).outputs)
    assert not any(layer.kind in ("Add", "MatMul") for layer in after.layers.layers)
    assert not analyse(after).off_npu


@pytest.mark.parametrize(
    ("op", "each", "shape", "reason"),
    [
        ("MatMul", [1.0] * 6, "2,3", "more than one number for each output channel"),
        ("Conv", [1.0] * 4, "1,1,2,2", "more than one number for each output channel"),
        ("Gemm", [1e9, 0.0, 0.0], "3", "steps of the sums"),
        ("Gemm <alpha = 0.5>", [1.0, 2.0, 3.0], "3", "has an alpha"),
    ],
)
def test_what_is_no_bias_is_refused(
    op: str, each: list[float], shape: str, reason: str, tmp_path: Path
) -> None:
    session = opened(from_text(added(op, each, shape=shape), tmp_path), "4.0")
    assert reason in refused(session, AddToBias("op"))
    said = " ".join(finding.fix for finding in analyse(session).by_name["product"].findings)
    assert ("add-to-bias" in said) == ("steps of the sums" in reason)


@pytest.mark.parametrize(("form", "made"), [("3,1", False), ("1,3", True), ("3", True)])
def test_a_gemm_that_adds_by_row_keeps_its_add(form: str, made: bool, tmp_path: Path) -> None:
    """As many rows as columns: its C may be either."""
    text = added("Gemm", [1.0, 2.0, 3.0], own=True).replace("2,4", "3,4").replace("2,3]", "3,3]")
    text = text.replace("float[3] c", f"float[{form}] c")
    session = opened(from_text(text, tmp_path), "4.0")
    if made:
        after = edited(session, AddToBias("op"))
        assert all(output.max_steps <= 1 for output in verify(session.source, after, samples=3).outputs)
    else:
        assert "more than one number for each output channel" in refused(session, AddToBias("op"))


def test_a_product_with_two_readers_keeps_its_add(tmp_path: Path) -> None:
    text = added("Gemm", [1.0, 2.0, 3.0]).replace("(int8[2,3] y)", "(int8[2,3] y, float[2,3] m)")
    assert "nothing else reads" in refused(opened(from_text(text, tmp_path), "4.0"), AddToBias("op"))


def test_a_linear_layer_exported_apart_is_brought_to_the_npu(tmp_path: Path) -> None:
    """AIMET's nn.Linear: the result of the MatMul has no scale, so that it and its bias are float."""
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,128] x) => (int8[1,64] y)
    <float s = {{0.1}}, int8 z = {{5}}, float ws = {{0.01}}, int8 wz = {{0}}, int64[2] k = {{128, 64}}, float[64] b = {{{", ".join("0.5" for _ in range(64))}}}>
    {{ wq = ConstantOfShape <value: tensor = int8[1] {{3}}> (k) f = DequantizeLinear(x, s, z) w = DequantizeLinear(wq, ws, wz)
      [product] m = MatMul(f, w) [op] r = Add(m, b) y = QuantizeLinear(r, s, z) }}"""
    session = opened(from_text(text, tmp_path), "4.0")
    snapshot = analyse(session)
    assert snapshot.by_name["product"].placement is Placement.SW_FLOAT
    assert "its bias (edit add-to-bias)" in snapshot.by_name["product"].findings[0].fix
    steps = plan(session, snapshot).steps
    assert [step.edit.kind for step in steps] == ["add-to-bias"]
    made = edited(session, steps[0].edit)
    assert report(made, "product_Gemm").placement is Placement.HW
