"""Splits and padding of layers with groups, of transposed Convs, and of QLinear operators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import (
    NAME,
    Builder,
    Spec,
    input_shape,
    model,
    saved,
    sizes,
    specs,
    weight_shape,
)
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.model.convolution import convolution
from npuscope.model.load import load
from npuscope.numbers.calibrate_all import calibrate_all
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.planning.proposals import propose_splits
from npuscope.session import Session
from npuscope.snapshot import analyse

MS = "com.microsoft"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("groups")


@st.composite
def grouped(draw: st.DrawFn) -> Spec:
    """A Conv of some groups, depthwise among them."""
    group = draw(st.integers(2, 4))
    spec = draw(specs(("conv1", "conv2")))
    return replace(
        spec, group=group, ich=group * draw(st.integers(1, 5)), och=group * draw(st.integers(1, 4))
    )


@FEW
@given(data=st.data())
def test_groups_are_split_along_both_axes(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(grouped())
    source = saved(model(spec), folder)
    session = opened(source)
    each = spec.och // spec.group
    cut = tuple(size * each for size in data.draw(sizes(spec.group)))
    after = edited(session, SplitOutput(NAME, cut))
    assert verify(source, after, samples=2).bit_exact
    depth = spec.ich // spec.group
    if depth == 1:
        assert "summed apart" in refused(session, SplitInput(NAME, (1, 1)))
        return
    split = data.draw(sizes(depth))
    after = edited(session, SplitInput(NAME, split))
    parts = [convolution(after.layers.by_name[f"{NAME}_part{i}"]) for i in range(len(split))]
    assert [part.in_channels for part in parts if part is not None] == [size * spec.group for size in split]
    assert verify(source, after, samples=2).outputs[0].max_steps <= reach(after.graph, source.graph)


def reach(graph: Any, original: Any) -> float:
    """Steps of the output that the roundings of partial sums may add up to."""
    scales = [
        float(constant.array().reshape(-1)[0])
        for name, constant in graph.constants.items()
        if name.startswith(NAME) and name.endswith("output_scale")
    ]
    return sum(scales) / 2 / float(original.constants["y_scale"].array().reshape(-1)[0]) + 1.01


def test_groups_that_cannot_be_tiled_come_onto_the_npu(tmp_path: Path) -> None:
    """Two groups of 257 channels: 257 is prime, so no batch depth divides it."""
    source = saved(model(Spec(kind="conv2", ich=514, och=8, group=2, kernel=1)), tmp_path)
    session = opened(source)
    before = analyse(session)
    assert before.by_name[NAME].off_npu
    best = propose_splits(session, before, NAME)[0]
    assert isinstance(best.edit, SplitInput) and sum(best.edit.sizes) == 257
    after = edited(session, best.edit)
    assert not analyse(after).off_npu


def transposed(spec: Spec) -> onnx.ModelProto:
    """x -> DQ -> ConvTranspose of some groups [-> Relu] -> Q -> DQ -> 1x1 Conv B -> Q -> y."""
    rng = np.random.default_rng(spec.seed)
    build = Builder()
    each = spec.och // spec.group
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(spec.zero_point))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    first = rng.integers(-127, 128, (spec.ich, spec.ich, 1, 1)).astype(np.int8)
    build.dequantized(build.constant("v", first), np.float32(0.01), np.int8(0))
    build.node("Conv", "A", ["xf", "v_dq"], "a")
    grid = [build.constant("a_s", np.float32(0.05)), build.constant("a_z", np.int8(spec.zero_point))]
    build.node("QuantizeLinear", "a_q", ["a", *grid], "aq")
    build.node("DequantizeLinear", "a_dq", ["aq", *grid], "af")
    scales = rng.uniform(0.002, 0.02, each).astype(np.float32) if spec.per_channel else np.float32(0.01)
    axis = {"axis": 1} if spec.per_channel else {}
    weights = rng.integers(-127, 128, (spec.ich, each, spec.kernel, spec.kernel)).astype(np.int8)
    build.dequantized(build.constant("w", weights), scales, np.zeros(np.shape(scales), np.int8), **axis)
    inputs = ["af", "w_dq"]
    if spec.bias:
        inputs.append(build.constant("b", rng.normal(0, 3, spec.och).astype(np.float32)))
    last = build.node(
        "ConvTranspose", NAME, inputs, "s",
        strides=[spec.stride] * 2, kernel_shape=[spec.kernel] * 2, group=spec.group,
    )  # fmt: skip
    if spec.activation == "Relu":
        last = build.node("Relu", "relu", [last], "r")
    grid = [build.constant("m_s", np.float32(0.2)), build.constant("m_z", np.int8(2))]
    build.node("QuantizeLinear", "m_q", [last, *grid], "mq")
    build.node("DequantizeLinear", "m_dq", ["mq", *grid], "mf")
    end = rng.integers(-127, 128, (3, spec.och, 1, 1)).astype(np.int8)
    build.dequantized(build.constant("u", end), np.float32(0.01), np.int8(0))
    build.node("Conv", "B", ["mf", "u_dq"], "o")
    build.node("QuantizeLinear", "y_q", ["o", build.constant("y_scale", np.float32(0.3)), "m_z"], "y")
    return build.model([1, spec.ich, 4, 3])


@FEW
@given(data=st.data())
def test_transposed_convs_with_groups_are_split_and_padded(data: st.DataObject, folder: Path) -> None:
    group = data.draw(st.integers(1, 4))
    spec = Spec(
        ich=group * data.draw(st.integers(1, 3)),
        och=group * data.draw(st.integers(1, 3)),
        group=group,
        kernel=data.draw(st.integers(1, 3)),
        stride=data.draw(st.integers(1, 2)),
        per_channel=data.draw(st.booleans()),
        bias=data.draw(st.sampled_from(("", "float"))),
        activation=data.draw(st.sampled_from(("", "Relu"))),
        zero_point=data.draw(st.sampled_from((-128, 0, 7))),
        seed=data.draw(st.integers(0, 99)),
    )
    source = saved(transposed(spec), folder)
    session = opened(source)
    if group > 1:
        each = spec.och // group
        cut = tuple(size * each for size in data.draw(sizes(group)))
        after = edited(session, SplitOutput(NAME, cut))
        assert verify(source, after, samples=2).bit_exact
        assert "summed apart" in refused(session, SplitInput(NAME, (1, 1)))
    else:
        # Its own channels, from the layer before it and to the one behind it.
        for edit in (PadChannels(NAME, spec.ich + 3), PadOutputs(NAME, spec.och + 5)):
            after = edited(session, edit)
            assert len(after.layers.layers) == len(session.layers.layers)
            assert verify(source, after, samples=2).bit_exact
    wider = PadOutputs("A", spec.ich + 2)
    after = edited(session, wider)
    assert verify(source, after, samples=2).bit_exact
    if group == spec.ich:  # zeros travel through groups of one channel
        assert "A_slice" not in after.layers.by_name


def qlinear(spec: Spec) -> onnx.ModelProto:
    """x -> QLinearConv, QGemm or QLinearMatMul -> y, all in integers."""
    rng = np.random.default_rng(spec.seed)
    build = Builder()
    shape, _ = weight_shape(spec)
    several = spec.per_channel and spec.kind not in ("matmul_left",)
    scales = rng.uniform(0.002, 0.02, spec.och if several else 1).astype(np.float32)
    names = {
        "x": (np.float32(0.03), np.array(spec.zero_point, spec.dtype)),
        "w": (scales if several else scales.reshape(()), np.zeros(scales.shape if several else (), np.int8)),
        "y": (np.float32(0.4), np.array(spec.out_zero_point, spec.dtype)),
    }
    grids = {
        key: [build.constant(f"{key}_scale", scale), build.constant(f"{key}_zero_point", zero)]
        for key, (scale, zero) in names.items()
    }
    weights = build.constant("w", rng.integers(-127, 128, shape).astype(np.int8))
    x, w = ["x", *grids["x"]], [weights, *grids["w"]]
    bias = build.constant("b", rng.integers(-900, 900, spec.och).astype(np.int32)) if spec.bias else ""
    conv = spec.kind.startswith("conv")
    if conv:
        rank = int(spec.kind[-1])
        options = {
            "kernel_shape": [spec.kernel] * rank, "strides": [spec.stride] * rank, "group": spec.group,
            "dilations": [spec.dilation] * rank, "pads": [spec.pad] * 2 * rank,
        }  # fmt: skip
        inputs = [*x, *w, *grids["y"], *([bias] if bias else [])]
        build.nodes.append(helper.make_node("QLinearConv", inputs, ["y"], name=NAME, **options))
    elif spec.kind == "gemm":
        inputs = [*x, *w, bias, *grids["y"]]
        turned = {"transA": int(spec.trans_a), "transB": int(spec.trans_b)}
        build.nodes.append(helper.make_node("QGemm", inputs, ["y"], name=NAME, domain=MS, **turned))
    else:
        operands = [*w, *x] if spec.kind == "matmul_left" else [*x, *w]
        build.nodes.append(helper.make_node("QLinearMatMul", [*operands, *grids["y"]], ["y"], name=NAME))
    kind = TensorProto.INT8 if spec.dtype == "int8" else TensorProto.UINT8
    like = model(replace(spec, activation="", float_weights=False, bias=""))
    result = [d.dim_value for d in like.graph.output[0].type.tensor_type.shape.dim]
    graph = helper.make_graph(
        build.nodes,
        "qlinear",
        [helper.make_tensor_value_info("x", kind, input_shape(spec))],
        [helper.make_tensor_value_info("y", kind, result)],
        build.initializers,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@FEW
@given(data=st.data())
def test_qlinear_operators_are_split_along_both_axes(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs() | grouped())
    # onnxruntime has no kernel for int8 weights beside uint8 rows, and none for batches of weights.
    spec = replace(spec, alpha=1.0, beta=1.0, batch=min(spec.batch, 1))
    if spec.kind == "matmul_left" and spec.dtype == "uint8":
        spec = replace(spec, kind="matmul")
    source = saved(qlinear(spec), folder)
    session = opened(source)
    each = spec.och // spec.group if spec.group > 1 else 1
    cut = tuple(size * each for size in data.draw(sizes(spec.och // each)))
    after = edited(session, SplitOutput(NAME, cut))
    assert all(after.layers.by_name[f"{NAME}_part{i}"].qoperator for i in range(len(cut)))
    assert verify(source, after, samples=2).bit_exact
    depth = spec.ich // spec.group
    if depth == 1:
        return
    samples = random_samples(source, 2)
    for split in (
        SplitInput(NAME, data.draw(sizes(depth))),
        calibrated(source, session.graph, SplitInput(NAME, data.draw(sizes(depth))), samples),
    ):
        assert isinstance(split, SplitInput)
        after = edited(session, split)
        assert after.layers.by_name[f"{NAME}_part0"].kind in ("Conv", "Gemm", "MatMul")
        verification = verify(source, after, inputs=samples)
        assert verification.outputs[0].max_steps <= reach(after.graph, source.graph) + 1


@FEW
@given(data=st.data())
def test_rows_of_a_qlinear_conv_are_split(data: st.DataObject, folder: Path) -> None:
    spec = replace(data.draw(specs(("conv1", "conv2"))), pad=0)
    source = saved(qlinear(spec), folder)
    session = opened(source)
    geometry = convolution(session.layers.by_name[NAME])
    assert geometry is not None
    rows = geometry.output_size[0 if spec.kind == "conv2" else 1]
    if rows < 2:
        return
    after = edited(session, SplitRows(NAME, data.draw(sizes(rows))))
    assert verify(source, after, samples=2).bit_exact


def test_several_edits_of_qlinear_operators_are_calibrated_together(tmp_path: Path) -> None:
    source = saved(qlinear(Spec(kind="conv2", ich=12, kernel=3)), tmp_path)
    session = opened(source)
    after = calibrate_all(session, [SplitInput(NAME, (7, 5))], random_samples(source, 2))
    assert isinstance(after, Session)
    (step,) = after.done
    assert isinstance(step, SplitInput) and len(step.scales) == 2


def test_a_layer_of_a_real_qoperator_model_is_split(tmp_path: Path) -> None:
    source = load(models.SAMPLES / "convnet_qoperator.onnx")
    session = opened(source)
    name = next(layer.name for layer in session.layers.layers if layer.op == "QLinearConv")
    geometry = convolution(session.layers.by_name[name])
    assert geometry is not None
    after = edited(session, SplitOutput(name, (geometry.out_channels - 5, 5)))
    assert verify(source, after, samples=2).bit_exact
    assert report(after, f"{name}_part0").layer.op == "QLinearConv"
