"""A PixelShuffle in the mode the runtime has: the same integers at every place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused
from builders.weighted_layers import Builder, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.depth_to_dcr import DepthToDcr
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.numbers.verify_regions import verify_local
from npuscope.planning.placement_fixes import propose_fixes
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shuffle")


def shuffled(
    channels: int,
    block: int,
    kernel: int,
    activation: str,
    per_channel: bool,
    bias: str,
    seed: int,
    turned: bool = False,
    mode: str = "CRD",
    shared: bool = False,
    size: tuple[int, int] = (5, 6),
) -> onnx.ModelProto:
    """x -> DQ -> Conv A [-> activation] -> Q -> DQ -> DepthToSpace S -> Q -> y [, z]."""
    rng = np.random.default_rng(seed)
    build, och = Builder(), channels * block**2
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(rng.choice((-128, 0, 9))))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    scales = rng.uniform(0.002, 0.02, och).astype(np.float32) if per_channel else np.float32(0.01)
    axis = {"axis": 1 if turned else 0} if per_channel else {}
    shape = (3, och, kernel, kernel) if turned else (och, 3, kernel, kernel)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    build.dequantized(build.constant("w", weights), scales, np.zeros(np.shape(scales), np.int8), **axis)
    inputs = ["xf", "w_dq"]
    if bias == "float":
        inputs.append(build.constant("b", rng.normal(0, 3, och).astype(np.float32)))
    elif bias == "int32":
        stored_bias = build.constant("b", rng.integers(-900, 900, och).astype(np.int32))
        per: dict[str, Any] = {"axis": 0} if per_channel else {}
        zeros = np.zeros(np.shape(scales), np.int32)
        inputs.append(
            build.dequantized(stored_bias, (scales * np.float32(0.02)).astype(np.float32), zeros, **per)
        )
    last = build.node("ConvTranspose" if turned else "Conv", "A", inputs, "s")
    if activation == "Relu":
        last = build.node("Relu", "relu", [last], "r")
    elif activation == "Clip":
        bounds = [build.constant("low", np.float32(-1)), build.constant("high", np.float32(2))]
        last = build.node("Clip", "clip", [last, *bounds], "r")
    grid = [build.constant("m_s", np.float32(0.06)), build.constant("m_z", np.int8(2))]
    build.node("QuantizeLinear", "m_q", [last, *grid], "m")
    build.node("DequantizeLinear", "m_dq", ["m", *grid], "mf")
    build.node("DepthToSpace", "S", ["mf"], "d", blocksize=block, mode=mode)
    build.node("QuantizeLinear", "y_q", ["d", *grid], "y")
    outputs = ["y"]
    if shared:
        build.node("Sigmoid", "also", ["mf"], "z")
        outputs.append("z")
    graph = helper.make_graph(
        build.nodes,
        "shuffle",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 3, *size])],
        [helper.make_tensor_value_info(name, (TensorProto.INT8, TensorProto.FLOAT)[i], None)
         for i, name in enumerate(outputs)],
        build.initializers,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


@FEW
@given(
    channels=st.integers(1, 5),
    block=st.integers(2, 3),
    kernel=st.integers(1, 3),
    activation=st.sampled_from(("", "Relu", "Clip")),
    per_channel=st.booleans(),
    bias=st.sampled_from(("", "float", "int32")),
    seed=st.integers(0, 99),
    turned=st.booleans(),
)
def test_kernels_are_exchanged_and_no_node_is_added(
    channels: int,
    block: int,
    kernel: int,
    activation: str,
    per_channel: bool,
    bias: str,
    seed: int,
    turned: bool,
    folder: Path,
) -> None:
    made = shuffled(channels, block, kernel, activation, per_channel, bias, seed, turned)
    source = saved(made, folder)
    session = opened(source)
    after = edited(session, DepthToDcr("S"))
    assert DepthToDcr("S").exactness is Exactness.BIT_EXACT
    assert [layer.name for layer in after.layers.layers] == [layer.name for layer in session.layers.layers]
    assert after.layers.by_name["S"].core.text("mode", "") == "DCR"
    assert verify(source, after, samples=3).bit_exact
    (region,) = verify_local(after, samples=1).regions
    assert region.bit_exact and len(region.outputs) == 1


def test_channels_that_keep_their_order_are_refused(tmp_path: Path) -> None:
    dcr = shuffled(2, 2, 1, "", True, "", 0, mode="DCR")
    assert "not a DepthToSpace of mode CRD" in refused(opened(saved(dcr, tmp_path)), DepthToDcr("S"))
    shared = shuffled(2, 2, 1, "", True, "", 0, shared=True)
    assert "has other readers" in refused(opened(saved(shared, tmp_path)), DepthToDcr("S"))


def test_a_pixel_shuffle_in_software_becomes_a_routine(tmp_path: Path) -> None:
    session = opened(saved(shuffled(4, 2, 3, "Relu", True, "int32", 0, size=(60, 80)), tmp_path))
    before = analyse(session)
    assert before.by_name["S"].placement.on_cpu
    (fix,) = propose_fixes(session, before, "S")
    assert fix.edit == DepthToDcr("S") and fix.after is Placement.HYBRID
    made = plan(session, before)
    assert [step.edit for step in made.steps] == [DepthToDcr("S")]
    assert made.after.on_cpu < made.before.on_cpu
