"""A ConvTranspose as a Conv and a DepthToSpace: the same integers, with fewer routines of the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused
from builders.networks.compiled import network
from builders.weighted_layers import Builder, saved
from hypothesis import given
from hypothesis import strategies as st

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.transposed_to_conv import TransposedToConv
from npuscope.numbers.verify_models import verify
from npuscope.planning.planner import plan
from npuscope.planning.rewrites import propose_forms
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transposed")


def transposed(
    ich: int, och: int, size: tuple[int, int], kernel: tuple[int, int], seed: int, **attributes: Any
) -> onnx.ModelProto:
    """x -> DQ -> ConvTranspose T [-> Relu] -> Q -> y; the seed draws what else there is."""
    rng = np.random.default_rng(seed)
    build = Builder()
    zero = int(rng.choice((-128, 0, 9)))
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(zero))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    several = bool(rng.integers(2))
    scales = rng.uniform(0.002, 0.02, och).astype(np.float32) if several else np.float32(0.01)
    axis = {"axis": 1} if several else {}
    weights = rng.integers(-127, 128, (ich, och, *kernel)).astype(np.int8)
    build.dequantized(build.constant("w", weights), scales, np.zeros(np.shape(scales), np.int8), **axis)
    inputs = ["xf", "w_dq"]
    bias = rng.integers(3)
    if bias == 1:
        inputs.append(build.constant("b", rng.normal(0, 3, och).astype(np.float32)))
    elif bias == 2:
        stored_bias = build.constant("b", rng.integers(-900, 900, och).astype(np.int32))
        per = {"axis": 0} if several else {}
        zeros = np.zeros(np.shape(scales), np.int32)
        inputs.append(
            build.dequantized(stored_bias, (scales * np.float32(0.02)).astype(np.float32), zeros, **per)
        )
    last = build.node("ConvTranspose", "T", inputs, "s", **attributes)
    if rng.integers(2):
        last = build.node("Relu", "relu", [last], "r")
    grid = [build.constant("y_s", np.float32(0.05 * np.sqrt(ich))), build.constant("y_z", np.int8(2))]
    build.node("QuantizeLinear", "y_q", [last, *grid], "y")
    return build.model([1, ich, *size])


@FEW
@given(
    ich=st.integers(1, 6),
    och=st.integers(1, 6),
    size=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    stride=st.integers(2, 3),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pads=st.tuples(*[st.integers(0, 2)] * 4),
    more=st.tuples(*[st.integers(0, 1)] * 2),
    even=st.sampled_from((True, True, True, False)),
    auto=st.sampled_from(("", "", "SAME_UPPER", "SAME_LOWER")),
    seed=st.integers(0, 999),
)
def test_all_phases_are_one_conv(
    ich: int,
    och: int,
    size: tuple[int, int],
    stride: int,
    kernel: tuple[int, int],
    pads: tuple[int, int, int, int],
    more: tuple[int, int],
    even: bool,
    auto: str,
    seed: int,
    folder: Path,
) -> None:
    attributes: dict[str, Any] = {"kernel_shape": list(kernel), "strides": [stride] * 2}
    if auto and min(kernel) >= stride:
        attributes["auto_pad"] = auto
    else:
        pads = tuple(min(pad, (kernel[i % 2] - 1) // 2) for i, pad in enumerate(pads))  # type: ignore[assignment]
        if even:  # rows and columns that the stride divides
            more = (pads[0] + pads[2] - kernel[0]) % stride, (pads[1] + pads[3] - kernel[1]) % stride
        attributes |= {"pads": list(pads), "output_padding": list(more)}
    source = saved(transposed(ich, och, size, kernel, seed, **attributes), folder)
    session = opened(source)
    edit = TransposedToConv("T")
    assert edit.exactness is Exactness.BIT_EXACT
    result = source.graph.type("y").dims
    assert result is not None
    if result[2] % stride or result[3] % stride:
        assert "does not divide" in refused(session, edit)
        return
    outcome = session.edit(edit)
    if not isinstance(outcome, Session):
        assert "crops more" in str(outcome)
        return
    after = edited(session, edit)
    assert [layer.name for layer in after.layers.layers] == ["T_Conv", "T_DepthToSpace"]
    assert all(layer.quantized for layer in after.layers.layers)
    assert verify(source, after, samples=2).bit_exact


def test_what_is_no_such_conv_is_refused(tmp_path: Path) -> None:
    for attributes, texts in (
        ({"strides": [1, 1]}, "one stride above 1"),
        ({"strides": [2, 3]}, "one stride above 1"),
        ({"strides": [2, 2], "dilations": [2, 2]}, "or a dilation"),
    ):
        made = transposed(2, 2, (4, 4), (2, 2), 0, kernel_shape=[2, 2], **attributes)
        assert texts in refused(opened(saved(made, tmp_path)), TransposedToConv("T"))


def test_one_routine_of_the_cpu_is_saved(tmp_path: Path) -> None:
    made = transposed(24, 24, (20, 20), (2, 2), 0, kernel_shape=[2, 2], strides=[2, 2])
    session = opened(saved(made, tmp_path))
    snapshot = analyse(session)
    assert snapshot.summary.epochs_hybrid == 2
    (proposal,) = propose_forms(session, snapshot, "T")
    assert proposal.edit == TransposedToConv("T")
    planned = plan(session, snapshot)
    assert [step.edit for step in planned.steps] == [proposal.edit]
    after = session.edit(proposal.edit)
    assert isinstance(after, Session)
    assert analyse(after).summary.epochs_hybrid == 1
    assert analyse(after).summary.milliseconds < snapshot.summary.milliseconds


def test_the_head_of_a_real_detector(tmp_path: Path) -> None:
    source = network("ocr_det_160")
    session = opened(source, "2.2")
    before = analyse(session)
    names = [layer.name for layer in session.layers.layers if layer.kind == "ConvTranspose"]
    for name in names:
        session = edited(session, TransposedToConv(name))
    assert len(names) == 2
    assert analyse(session).summary.epochs_hybrid < before.summary.epochs_hybrid
    assert verify(source, session, samples=1).bit_exact
