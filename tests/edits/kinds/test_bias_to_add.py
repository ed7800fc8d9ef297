"""A bias that the model computes, added behind the layer: within the rounding of the product, and on the NPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import NAME, Builder, Spec, model, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.bias_to_add import BiasToAdd
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify
from npuscope.planning.plan import Budget
from npuscope.planning.planner import plan
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bias")


def computed(
    op: str, activation: str, per_channel: bool, zero: int, seed: int, wide: bool = True, **attributes: Any
) -> onnx.ModelProto:
    """x -> DQ -> op with the bias c -> DQ [-> Relu] -> Q -> y."""
    rng = np.random.default_rng(seed)
    build, ich, och = Builder(), 6, 5
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(zero))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    own = [build.constant("c_s", np.float32(0.02)), build.constant("c_z", np.int8(-5))]
    build.node("DequantizeLinear", "c_dq", ["c", *own], "cf")
    scales = rng.uniform(0.002, 0.02, och).astype(np.float32) if per_channel else np.float32(0.01)
    gemm, turned = op == "Gemm", op == "ConvTranspose"
    shape = (ich, och) if gemm else (ich, och, 2, 2) if turned else (och, ich, 2, 2)
    axis = {"axis": 1 if gemm or turned else 0} if per_channel else {}
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    build.dequantized(build.constant("w", weights), scales, np.zeros(np.shape(scales), np.int8), **axis)
    last = build.node(op, "L", ["xf", "w_dq", "cf"], "s", **attributes)
    if activation:
        last = build.node(activation, "after", [last], "r")
    grid = [build.constant("y_s", np.float32(0.05)), build.constant("y_z", np.int8(-20))]
    build.node("QuantizeLinear", "y_q", [last, *grid], "y")
    bias = [3, och] if gemm and wide else [och]
    graph = helper.make_graph(
        build.nodes,
        "bias",
        [
            helper.make_tensor_value_info("x", TensorProto.INT8, [3, ich] if gemm else [1, ich, 4, 4]),
            helper.make_tensor_value_info("c", TensorProto.INT8, bias),
        ],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        build.initializers,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


@FEW
@given(
    op=st.sampled_from(("Gemm", "Conv", "ConvTranspose")),
    activation=st.sampled_from(("", "Relu")),
    per_channel=st.booleans(),
    zero=st.sampled_from((-128, 0, 9)),
    wide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_product_is_rounded_and_nothing_else(
    op: str, activation: str, per_channel: bool, zero: int, wide: bool, seed: int, folder: Path
) -> None:
    source = saved(computed(op, activation, per_channel, zero, seed, wide), folder)
    session = opened(source)
    assert "N207" in {finding.code for finding in report(session, "L").findings}
    after = edited(session, BiasToAdd("L"))
    assert BiasToAdd("L").exactness is Exactness.APPROXIMATE
    # 255 steps of 0.05, and 255 of 0.02, over 255
    assert verify(source, after, samples=3).outputs[0].max_steps <= (0.05 + 0.02) / 0.05 / 2 + 1.01
    assert all(layer.quantized for layer in after.layers.layers)
    assert report(after, "L_add").layer.fused == ((activation,) if activation else ())
    assert not any(f.code == "N207" for r in analyse(after).layers for f in r.findings)


def test_a_layer_with_a_computed_bias_comes_onto_the_npu(tmp_path: Path) -> None:
    session = opened(saved(computed("Gemm", "", True, 0, 0), tmp_path))
    before = analyse(session)
    assert before.by_name["L"].off_npu
    made = plan(session, before, Budget(slower=True))  # alone it costs more set-up than it saves
    assert [step.edit for step in made.steps] == [BiasToAdd("L")] and made.after.off_npu == 0
    after = edited(session, made.steps[0].edit)
    assert report(after, "L_Gemm").placement is report(after, "L_add").placement is Placement.HW


def test_other_biases_are_refused(tmp_path: Path) -> None:
    assert "no bias that the model computes" in refused(
        opened(saved(model(Spec()), tmp_path)), BiasToAdd(NAME)
    )
    matmul = opened(saved(model(Spec(kind="matmul")), tmp_path))
    assert "only Gemm, Conv and ConvTranspose" in refused(matmul, BiasToAdd(NAME))
    made = computed("Gemm", "", True, 0, 0, beta=0.5)
    assert "has a beta" in refused(opened(saved(made, tmp_path)), BiasToAdd("L"))
