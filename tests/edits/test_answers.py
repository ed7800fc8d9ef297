"""Edits that answer a finding: operators in the compiler's form, and what a user is offered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import Builder, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.compiler_form import CompilerForm
from npuscope.numbers.verify_models import verify
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.snapshot import analyse

HUGE = (2**63 - 1, 2**31 - 1, -(2**63) + 1, -(2**31) + 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers")


@FEW
@given(
    starts=st.lists(st.sampled_from((0, 1, -2, *HUGE)), min_size=1, max_size=3),
    ends=st.lists(st.sampled_from((3, -1, *HUGE)), min_size=3, max_size=3),
    steps=st.lists(st.sampled_from((1, 2, -1)), min_size=3, max_size=3),
    last=st.booleans(),
)
def test_open_ends_of_a_slice_are_sizes(
    starts: list[int], ends: list[int], steps: list[int], last: bool, folder: Path
) -> None:
    build = Builder()
    count = len(starts)
    axes = list(range(1, 1 + count)) if last else [i - 4 for i in range(1, 1 + count)]
    bounds = [starts, ends[:count], axes, steps[:count]]
    names = [build.constant(f"b{i}", np.array(values, np.int64)) for i, values in enumerate(bounds)]
    build.node("Slice", "op", ["x", *names], "y")
    try:
        source = saved(build.model((1, 5, 4, 6), TensorProto.FLOAT), folder)
    except onnx.shape_inference.InferenceError:  # shape inference refuses some bounds itself
        return
    session = opened(source, "4.0")
    forward = [i for i in range(count) if steps[i] > 0]
    if not any(abs(bound) >= 2**31 - 1 for i in forward for bound in (starts[i], ends[i])):
        assert "no Slice" in refused(session, CompilerForm("op"))
        return
    assert CompilerForm("op").exactness is Exactness.BIT_EXACT
    after = edited(session, CompilerForm("op"))
    assert verify(source, after, samples=1).bit_exact
    if len(forward) == count:
        assert "N703" not in {finding.code for finding in report(after, "op").findings}


_PAD = """<ir_version: 8, opset_import: ["" : 18]>
g (float[1,8,4,4] x) => (float[1,8,6,6] y) <int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float c = {0.5}, int64[4] a = {0, 1, 2, 3}>
{ [op] y = Pad(%s) }"""


@pytest.mark.parametrize("inputs", ["x, p, c", "x, p, , a", "x, p, c, a"])
def test_a_pad_says_its_value_as_one_element(inputs: str, tmp_path: Path) -> None:
    source = models.from_text(_PAD % inputs, tmp_path)
    session = opened(source, "4.0")
    after = edited(session, CompilerForm("op"))
    assert verify(source, after, samples=1).bit_exact
    codes = {finding.code for finding in report(session, "op").findings}
    assert "N702" in codes and "N702" not in {finding.code for finding in report(after, "op").findings}
    assert CompilerForm("op") in [one.edit for one in propose_edits(session, analyse(session), "op")]
    assert "no Slice, Pad or Clip" in refused(after, CompilerForm("op"))


_CLIP = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {60}, int8 w = {1}, int64[2] ws = {8, 8}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  [op] r = Clip(f, , k)
  y = QuantizeLinear(r, s, z) }"""


def test_bounds_of_a_clip_are_plain_constants(tmp_path: Path) -> None:
    source = models.from_text(_CLIP, tmp_path)
    session = opened(source)
    after = edited(session, CompilerForm("op"))
    assert verify(source, after).bit_exact
    assert "N706" not in {finding.code for finding in report(after, "op").findings}


_OFFERED = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,2,4,4] x) => (float[1,2,8,8] y) <float s = {0.1}, int8 z = {0}, float[4] k = {1, 1, 2, 2}>
{ [first] q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  [resize] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  t = QuantizeLinear(r, s, z)
  [last] y = DequantizeLinear(t, s, z) }"""


def test_a_user_is_offered_what_a_plan_does_not_do_of_its_own_accord(tmp_path: Path) -> None:
    session = opened(models.from_text(_OFFERED, tmp_path))
    snapshot = analyse(session)
    kinds = {
        name: [one.edit.kind for one in propose_edits(session, snapshot, name)]
        for name in ("first", "resize", "last")
    }
    assert kinds == {"first": ["int8-borders"], "resize": ["resize-nearest"], "last": ["int8-borders"]}
