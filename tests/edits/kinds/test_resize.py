"""A Resize in the one form the NPU has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import NAME, Builder, Spec, model, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from npuscope.edits.kinds.resize_nearest import ResizeFloor, ResizeNearest
from npuscope.npu.verdict import Placement
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.session import Session

NORM = "/net/Norm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replacements")


def resize(
    mode: str, coordinates: str, nearest: str, scale: float, size: int, sizes: bool
) -> onnx.ModelProto:
    """x -> Q -> DQ -> Resize -> Q -> DQ -> y."""
    build = Builder()
    grid = [build.constant("x_scale", np.float32(0.03)), build.constant("x_zero", np.int8(4))]
    build.node("QuantizeLinear", "x_QuantizeLinear", ["x", *grid], "x_q")
    build.node("DequantizeLinear", "x_DequantizeLinear", ["x_q", *grid], "x_dq")
    inputs = ["x_dq", ""]
    if sizes:
        to = np.array([1, 2, int(size * scale), int((size + 1) * scale)], np.int64)
        inputs += ["", build.constant("sizes", to)]
    else:
        inputs.append(build.constant("scales", np.array([1, 1, scale, scale], np.float32)))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    last = build.node("Resize", "op", inputs, "n", **attributes)
    build.node("QuantizeLinear", "n_QuantizeLinear", [last, *grid], "n_q")
    build.node("DequantizeLinear", "n_DequantizeLinear", ["n_q", *grid], "y")
    return build.model((1, 2, size, size + 1), TensorProto.FLOAT)


COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@FEW
@given(
    coordinates=st.sampled_from(COORDINATES),
    nearest=st.sampled_from(NEAREST),
    scale=st.sampled_from((1.0, 1.5, 2.0, 3.0, 4.0, 0.5)),
    size=st.integers(2, 7),
    sizes=st.booleans(),
)
def test_a_nearest_resize_changes_its_form_only_where_it_picks_the_same(
    coordinates: str, nearest: str, scale: float, size: int, sizes: bool, folder: Path
) -> None:
    source = saved(resize("nearest", coordinates, nearest, scale, size, sizes), folder)
    outcome = opened(source).edit(ResizeFloor("op"))
    if isinstance(outcome, Session):
        assert verify(source, edited(opened(source), ResizeFloor("op"))).bit_exact
    elif (coordinates, nearest) == ("half_pixel", "round_prefer_floor"):
        assert not scale.is_integer() and "other elements" in str(outcome)


def test_the_usual_upsampling_is_the_npu_form_by_another_name(tmp_path: Path) -> None:
    source = saved(resize("nearest", "half_pixel", "round_prefer_floor", 2.0, 5, False), tmp_path)
    after = edited(opened(source), ResizeFloor("op"))
    assert "already" in refused(after, ResizeFloor("op")) and "already" in refused(after, ResizeNearest("op"))


@FEW
@given(
    mode=st.sampled_from(("linear", "cubic")),
    coordinates=st.sampled_from(("half_pixel", "asymmetric")),
    scale=st.sampled_from((2.0, 3.0, 4.0)),
    size=st.integers(2, 7),
    sizes=st.booleans(),
)
def test_a_linear_resize_becomes_nearest_within_its_neighbours(
    mode: str, coordinates: str, scale: float, size: int, sizes: bool, folder: Path
) -> None:
    source = saved(resize(mode, coordinates, "floor", scale, size, sizes), folder)
    after = edited(opened(source), ResizeNearest("op"))
    assert report(after, "op").placement in (Placement.HW, Placement.HYBRID)
    samples = random_samples(source, 2)
    apart = max(
        float(sum(np.abs(np.diff(sample["x"], axis=axis)).max() for axis in (2, 3))) for sample in samples
    )
    reach = apart * (1 if mode == "linear" else 3) + 0.03 * 3
    result = verify(source, after, inputs=samples).outputs[0]
    assert result.max_steps * result.step <= reach


def test_what_is_no_resize_is_refused(tmp_path: Path) -> None:
    session = opened(saved(model(Spec()), tmp_path))
    assert "not a Resize" in refused(session, ResizeNearest(NAME))
    session = opened(saved(resize("linear", "half_pixel", "floor", 2.0, 4, False), tmp_path))
    assert "is linear; its values are not elements" in refused(session, ResizeFloor("op"))
