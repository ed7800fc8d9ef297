"""Slices with steps written as Convs, and weights stored in fewer bits: no value changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.models import from_text
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.kinds.activations_int8 import ActivationsInt8
from npuscope.edits.kinds.narrow_weights import NarrowWeights
from npuscope.edits.kinds.slice_to_conv import SliceToConv
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.placement_fixes import propose_answers
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("picked")


def sliced(
    bounds: tuple[tuple[int, ...], ...], size: tuple[int, int], taken: tuple[int, int], last: str = ""
) -> str:
    """A Slice (starts, ends, axes, steps) of a quantized map of 3 channels; another operator may read it before the Q."""
    named = ", ".join(
        f"int64[{len(one)}] {name} = {{{', '.join(map(str, one))}}}"
        for name, one in zip("beak", bounds, strict=True)
    )
    rows, columns = taken
    body = "y = QuantizeLinear(r, s, z)" if not last else f"v = {last} y = QuantizeLinear(v, s, z)"
    return f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,3,{size[0]},{size[1]}] x) => (int8[1,3,{rows},{columns}] y) <float s = {{0.1}}, int8 z = {{5}}, {named}>
    {{ f = DequantizeLinear(x, s, z) [op] r = Slice(f, b, e, a, k) {body} }}"""


@given(
    st.tuples(st.integers(4, 9), st.integers(4, 9)),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    st.tuples(st.integers(2, 4), st.integers(1, 4)),
    st.sampled_from(("", "Relu(r)", "Identity(r)")),
)
@FEW
def test_a_slice_with_steps_is_a_conv(
    folder: Path, size: tuple[int, int], starts: tuple[int, int], steps: tuple[int, int], last: str
) -> None:
    first = [min(max(s + (n if s < 0 else 0), 0), n - 1) for s, n in zip(starts, size, strict=True)]
    if steps[1] == 1:
        first[1], starts = 0, (starts[0], 0)
    taken = tuple(len(range(f, n, k)) for f, n, k in zip(first, size, steps, strict=True))
    clamped = tuple(s if -n <= s < n else f for s, n, f in zip(starts, size, first, strict=True))
    text = sliced((clamped, (2**31 - 1, 99), (2, 3), steps), size, (taken[0], taken[1]), last)
    session = opened(from_text(text, folder), "4.0")
    after = edited(session, SliceToConv("op"))
    assert verify(session.source, after, samples=2).bit_exact
    assert report(after, "op_conv").placement is not Placement.SW_FLOAT


WHOLE = ((0, 0), (6, 8), (2, 3), (2, 2))


@pytest.mark.parametrize(
    ("bounds", "taken", "reason"),
    [
        (((0, 0), (4, 8), (2, 3), (2, 2)), (2, 4), ""),
        (((1, 3), (3, 5), (2, 3), (1, 2)), (2, 1), ""),
        (((0, 1), (1, 4), (2, 3), (2, 2)), (1, 2), ""),
        (((0, 2), (6, 8), (2, 3), (2, 1)), (3, 6), ""),
        (((0, 0), (6, 8), (2, 3), (1, 1)), (6, 8), "no steps above 1"),
        (((5, 0), (-9, 8), (2, 3), (-2, 1)), (3, 8), "no steps above 1"),
    ],
)
def test_what_no_conv_picks_is_refused(
    bounds: tuple[tuple[int, ...], ...], taken: tuple[int, int], reason: str, tmp_path: Path
) -> None:
    session = opened(from_text(sliced(bounds, (6, 8), taken), tmp_path), "4.0")
    if reason:
        assert reason in refused(session, SliceToConv("op"))
    else:
        assert verify(session.source, edited(session, SliceToConv("op")), samples=2).bit_exact


def test_a_slice_of_channels_is_refused(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,4,4,4] x) => (int8[1,2,4,4] y)
    <float s = {0.1}, int8 z = {5}, int64[1] b = {0}, int64[1] e = {4}, int64[1] a = {1}, int64[1] k = {2}>
    { f = DequantizeLinear(x, s, z) [op] r = Slice(f, b, e, a, k) y = QuantizeLinear(r, s, z) }"""
    assert "channels too" in refused(opened(from_text(text, tmp_path)), SliceToConv("op"))


def test_a_plan_takes_the_slices_of_a_focus_to_the_npu(tmp_path: Path) -> None:
    """YOLOX's first layer: four Slices of every second row and column, joined along the channels."""
    corners = [(i, j) for j in (0, 1) for i in (0, 1)]
    starts = ", ".join(f"int64[2] b{n} = {{{i}, {j}}}" for n, (i, j) in enumerate(corners))
    slices = " ".join(f"[cut{n}] c{n} = Slice(f, b{n}, e, a, k)" for n in range(4))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,3,16,16] x) => (int8[1,12,8,8] y)
    <float s = {{0.1}}, int8 z = {{5}}, {starts}, int64[2] e = {{16, 16}}, int64[2] a = {{2, 3}}, int64[2] k = {{2, 2}}>
    {{ f = DequantizeLinear(x, s, z) {slices} r = Concat <axis = 1> (c0, c1, c2, c3) y = QuantizeLinear(r, s, z) }}"""
    session = opened(from_text(text, tmp_path), "4.0")
    made = plan(session, analyse(session))
    assert [step.edit.kind for step in made.steps] == ["slice-to-conv"] * 4
    after = session
    for step in made.steps:
        after = edited(after, step.edit)
    assert not analyse(after).off_npu
    assert verify(session.source, after, samples=2).bit_exact


def weighted(dtype: str, values: list[int], zeros: list[int], opset: int = 21) -> str:
    """A Conv of two output channels whose weights are stored so, with one zero point or one a channel."""
    count = f"[{len(zeros)}]" if len(zeros) > 1 else ""
    axis = "<axis = 0>" if count else ""
    scales = ", ".join(["0.01", "0.02"][: len(zeros)])
    return f"""<ir_version: 10, opset_import: ["" : {opset}]>
    g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
    <float s = {{0.1}}, int8 z = {{5}}, float{count} ws = {{{scales}}}, {dtype}{count} wz = {{{", ".join(map(str, zeros))}}},
     {dtype}[2,2,1,1] wq = {{{", ".join(map(str, values))}}}>
    {{ f = DequantizeLinear(x, s, z) w = DequantizeLinear {axis} (wq, ws, wz) [op] r = Conv(f, w) y = QuantizeLinear(r, s, z) }}"""


@given(
    st.sampled_from(("int16", "uint16", "uint8")),
    st.lists(st.integers(-127, 127), min_size=4, max_size=4),
    st.lists(st.integers(100, 127), min_size=1, max_size=2),
)
@FEW
def test_weights_that_fit_are_stored_as_int8(
    folder: Path, dtype: str, offsets: list[int], zeros: list[int]
) -> None:
    each = [zeros[0], zeros[0], zeros[-1], zeros[-1]]
    values = [max(zero + offset, 0) for zero, offset in zip(each, offsets, strict=True)]
    session = opened(from_text(weighted(dtype, values, zeros), folder), "4.0")
    after = edited(session, NarrowWeights("op"))
    weight = after.layers.by_name["op"].weight
    assert weight is not None and weight.constant is not None and weight.constant.dtype == "int8"
    assert np.array_equal(weight.constant.array().reshape(-1), np.subtract(values, each))
    assert report(after, "op").placement is Placement.HW
    assert verify(session.source, after, samples=2).bit_exact


@pytest.mark.parametrize(
    ("dtype", "values", "zeros", "reason"),
    [
        ("int16", [300, 1, 2, 3], [0], "reach from 0 to 300 steps"),
        ("int8", [1, 2, 3, 4], [0], "int8 with zero point 0 already"),
        ("uint8", [255, 0, 3, 4], [100], "reach from -100 to 155 steps"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    dtype: str, values: list[int], zeros: list[int], reason: str, tmp_path: Path
) -> None:
    assert reason in refused(opened(from_text(weighted(dtype, values, zeros), tmp_path)), NarrowWeights("op"))


@pytest.mark.parametrize(
    ("dtype", "zero"), [(TensorProto.INT4, 0), (TensorProto.INT4, 2), (TensorProto.UINT4, 8)]
)
def test_four_bits_become_eight_for_a_version_that_takes_none(dtype: int, zero: int, tmp_path: Path) -> None:
    text = weighted("int8", [1, 2, 7, 4], [0]).replace('["" : 13]', '["" : 21]')
    from_text(text, tmp_path)
    proto = onnx.load(tmp_path / "model.onnx")
    for constant in proto.graph.initializer:
        if constant.name in ("wq", "wz"):
            values = [1, 2, 7, 4] if constant.name == "wq" else [zero]
            constant.CopyFrom(helper.make_tensor(constant.name, dtype, list(constant.dims), values))
    onnx.save(proto, tmp_path / "narrow.onnx")
    session = opened(load(tmp_path / "narrow.onnx"), "2.2")
    before = analyse(session)
    assert before.by_name["op"].placement is Placement.SW_FLOAT
    assert NarrowWeights("op") in [p.edit for p in propose_answers(session, before, "op")]
    after = edited(session, NarrowWeights("op"))
    assert report(after, "op").placement is Placement.HW
    assert verify(session.source, after, samples=2).bit_exact


def test_unsigned_activations_are_answered_by_making_them_signed(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (uint8[1,2,4,4] x) => (uint8[1,2,4,4] y)
    <float s = {0.1}, uint8 z = {128}, float ws = {0.01}, int8 wz = {0}, int8[2,2,1,1] wq = {1, 2, 3, 4}>
    { f = DequantizeLinear(x, s, z) w = DequantizeLinear(wq, ws, wz) [op] r = Conv(f, w) y = QuantizeLinear(r, s, z) }"""
    session = opened(from_text(text, tmp_path), "4.0")
    proposed = [preview.edit for preview in propose_answers(session, analyse(session), "op")]
    assert ActivationsInt8() in proposed
