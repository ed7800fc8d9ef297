"""Sums and means over channels as Convs of ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.edit_checks import FEW, edited, opened, refused
from builders.models import from_text
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.kinds.sum_to_conv import SumToConv
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sums")


def reduced(op: str, source: tuple[int, ...], axis: int, keeps: bool, real: bool = False) -> str:
    """A ReduceSum or ReduceMean over an axis of a quantized map; its result is quantized, or read in float."""
    rank, by_input = len(source), op == "ReduceSum"
    dropped = axis % rank
    result = (
        [1 if i == dropped else size for i, size in enumerate(source)]
        if keeps
        else [size for i, size in enumerate(source) if i != dropped]
    )
    shape, into = ",".join(map(str, source)), ",".join(map(str, result))
    attributes = f"<keepdims = {int(keeps)}>" if by_input else f"<keepdims = {int(keeps)}, axes = [{axis}]>"
    reads = "f, a" if by_input else "f"
    axes = f", int64[1] a = {{{axis}}}" if by_input else ""
    ends = (f"float[{into}] y", "y = Relu(r)") if real else (f"int8[{into}] y", "y = QuantizeLinear(r, t, z)")
    return f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[{shape}] x) => ({ends[0]}) <float s = {{0.1}}, float t = {{0.4}}, int8 z = {{5}}{axes}>
    {{ f = DequantizeLinear(x, s, z) [op] r = {op} {attributes} ({reads}) {ends[1]} }}"""


@given(
    st.sampled_from(("ReduceSum", "ReduceMean")),
    st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)) | st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 5)),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
@FEW
def test_a_sum_over_channels_is_a_conv(
    folder: Path, op: str, source: tuple[int, ...], keeps: bool, back: bool, real: bool
) -> None:
    text = reduced(op, source, 1 - len(source) if back else 1, keeps, real)
    session = opened(from_text(text, folder), "4.0")
    after = edited(session, SumToConv("op"))
    compared = verify(session.source, after, samples=2)
    assert all(output.max_steps <= 1 for output in compared.outputs)
    assert any(layer.kind == "Conv" for layer in after.layers.layers)


@pytest.mark.parametrize(
    ("source", "axis", "reason"),
    [((1, 4, 3, 3), 2, "channels alone"), ((2, 4, 3, 3), 1, "2 batches"), ((1, 4), 1, "known size")],
)
def test_other_sums_are_refused(source: tuple[int, ...], axis: int, reason: str, tmp_path: Path) -> None:
    session = opened(from_text(reduced("ReduceSum", source, axis, True), tmp_path), "4.0")
    assert reason in refused(session, SumToConv("op"))


def test_a_plan_takes_a_sum_of_scores_to_the_npu(tmp_path: Path) -> None:
    """A detector's head that sums its classes for a filter of its own (rknn_model_zoo)."""
    session = opened(from_text(reduced("ReduceSum", (1, 20, 32, 32), 1, True), tmp_path), "4.0")
    snapshot = analyse(session)
    assert snapshot.by_name["op"].placement is Placement.SW_FLOAT
    steps = plan(session, snapshot).steps
    assert [step.edit.kind for step in steps] == ["sum-to-conv"]
    assert not analyse(edited(session, steps[0].edit)).off_npu
