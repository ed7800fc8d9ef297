"""Splits along rows and of a ConvTranspose, and strides taken out: the same integers at every place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import NAME, Builder, Spec, model, saved, sizes, specs
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.fold_stride import FoldStride
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.split_rows import SplitRows
from npuscope.machine.machine import target
from npuscope.model.convolution import convolution
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify
from npuscope.planning.placement_fixes import propose_answers
from npuscope.planning.stripes import propose_stripes
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stripes")


@FEW
@given(data=st.data())
def test_stripes_of_rows_change_no_number(data: st.DataObject, folder: Path) -> None:
    spec = data.draw(specs(("conv1", "conv2")))
    group = data.draw(st.sampled_from((1, 1, 2)))
    spec = replace(spec, group=group, ich=spec.ich * group, och=spec.och * group, size=spec.size + 6)
    made = model(spec)
    if data.draw(st.booleans()) and spec.stride == 1 and spec.dilation == 1:
        node = next(node for node in made.graph.node if node.name == NAME)
        kept = [attribute for attribute in node.attribute if attribute.name != "pads"]
        del node.attribute[:], made.graph.value_info[:]
        made.graph.output[0].type.tensor_type.ClearField("shape")
        node.attribute.extend(
            [
                *kept,
                helper.make_attribute("auto_pad", data.draw(st.sampled_from(("SAME_UPPER", "SAME_LOWER")))),
            ]
        )
        made = onnx.shape_inference.infer_shapes(made, strict_mode=True)
    source = saved(made, folder)
    session = opened(source)
    rows = source.graph.type("y").dims
    assert rows is not None
    if rows[2] < 2:
        return
    edit = SplitRows(NAME, data.draw(sizes(rows[2])))
    after = edited(session, edit)
    assert edit.exactness is Exactness.BIT_EXACT and verify(source, after, samples=2).bit_exact
    stripes = [
        convolution(layer)
        for layer in after.layers.layers
        if "_stripe" in layer.name and layer.kind == "Conv"
    ]
    assert [s.output_size[0] for s in stripes if s is not None] == list(edit.sizes)
    assert sum(s.macs for s in stripes if s is not None) == convolution_of(session).macs
    assert all(layer.quantized for layer in after.layers.layers)


def convolution_of(session: object) -> object:
    geometry = convolution(session.layers.by_name[NAME])  # type: ignore[attr-defined]
    assert geometry is not None
    return geometry


def test_rows_that_cannot_be_cut_say_why(tmp_path: Path) -> None:
    session = opened(saved(model(Spec(kind="conv2", kernel=3, pad=1)), tmp_path))
    assert "writes 5 rows" in refused(session, SplitRows(NAME, (2, 2)))
    assert "a part without rows" in refused(session, SplitRows(NAME, (5, 0)))
    assert "only a Conv has rows" in refused(opened(saved(model(Spec()), tmp_path)), SplitRows(NAME, (1, 1)))
    wide = opened(saved(model(Spec(kind="conv2", kernel=1, pad=1)), tmp_path))
    assert "see nothing but padding" in refused(wide, SplitRows(NAME, (1, 6)))


def transposed(spec: Spec, och: int) -> onnx.ModelProto:
    """x -> DQ -> ConvTranspose [-> Relu] -> Q -> y."""
    rng = np.random.default_rng(spec.seed)
    build = Builder()
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(spec.zero_point))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    scales = rng.uniform(0.002, 0.02, och).astype(np.float32) if spec.per_channel else np.float32(0.01)
    axis = {"axis": 1} if spec.per_channel else {}
    weights = rng.integers(-127, 128, (spec.ich, och, spec.kernel, spec.kernel)).astype(np.int8)
    build.dequantized(build.constant("w", weights), scales, np.zeros(np.shape(scales), np.int8), **axis)
    inputs = ["xf", "w_dq"]
    if spec.bias:
        inputs.append(build.constant("b", rng.normal(0, 3, och).astype(np.float32)))
    last = build.node(
        "ConvTranspose", NAME, inputs, "s",
        strides=[spec.stride] * 2, kernel_shape=[spec.kernel] * 2, pads=[spec.pad] * 4,
    )  # fmt: skip
    if spec.activation == "Relu":
        last = build.node("Relu", "relu", [last], "r")
    grid = [
        build.constant("y_s", np.float32(0.01 * np.sqrt(spec.ich) * 4)),
        build.constant("y_z", np.int8(2)),
    ]
    build.node("QuantizeLinear", "y_q", [last, *grid], "y")
    return build.model([1, spec.ich, 5, 4])


@FEW
@given(data=st.data())
def test_a_transposed_conv_is_split_along_both_axes(data: st.DataObject, folder: Path) -> None:
    spec = Spec(
        kind="conv2",
        ich=data.draw(st.integers(2, 12)),
        kernel=data.draw(st.integers(1, 3)),
        stride=data.draw(st.integers(1, 2)),
        per_channel=data.draw(st.booleans()),
        bias=data.draw(st.sampled_from(("", "float"))),
        activation=data.draw(st.sampled_from(("", "Relu"))),
        seed=data.draw(st.integers(0, 99)),
    )
    och = data.draw(st.integers(2, 8))
    source = saved(transposed(spec, och), folder)
    session = opened(source)
    after = edited(session, SplitOutput(NAME, data.draw(sizes(och))))
    assert verify(source, after, samples=2).bit_exact
    samples = random_samples(source, 2)
    split = calibrated(source, session.graph, SplitInput(NAME, data.draw(sizes(spec.ich))), samples)
    assert isinstance(split, SplitInput)
    after = edited(session, split)
    step = float(source.graph.constants["y_s"].array())
    reach = sum(scale for scale, _ in split.scales) / 2 / step + 1.01
    assert verify(source, after, inputs=samples).outputs[0].max_steps <= reach


def strided(
    axes: int,
    kernel: int,
    stride: int,
    pad: int,
    activation: str,
    pointwise: bool,
    size: int,
    auto: str,
    seed: int,
) -> onnx.ModelProto:
    """x -> DQ -> depthwise Conv, strided [-> Relu] -> Q -> DQ -> 1x1 Conv (or Sigmoid) -> Q -> y."""
    rng = np.random.default_rng(seed)
    build = Builder()
    grid = [build.constant("x_s", np.float32(0.02)), build.constant("x_z", np.int8(rng.integers(-128, 127)))]
    build.node("DequantizeLinear", "x_dq", ["x", *grid], "xf")
    weights = rng.integers(-127, 128, (6, 1, *[kernel] * axes)).astype(np.int8)
    build.dequantized(build.constant("w", weights), np.float32(0.01), np.int8(0))
    border = {"auto_pad": auto} if auto else {"pads": [pad, pad, 0, pad] if axes == 2 else [pad, 0]}
    last = build.node(
        "Conv",
        NAME,
        ["xf", "w_dq"],
        "s",
        group=6,
        strides=[stride] * axes,
        kernel_shape=[kernel] * axes,
        **border,
    )
    if activation:
        last = build.node(activation, "act", [last], "a")
    grid = [build.constant("m_s", np.float32(0.03 * kernel)), build.constant("m_z", np.int8(-5))]
    build.node("QuantizeLinear", "m_q", [last, *grid], "m")
    build.node("DequantizeLinear", "m_dq", ["m", *grid], "mf")
    if pointwise:
        stored_weights = rng.integers(-127, 128, (4, 6, *[1] * axes)).astype(np.int8)
        build.dequantized(build.constant("v", stored_weights), np.float32(0.01), np.int8(0))
        last = build.node("Conv", "next", ["mf", "v_dq"], "o")
    else:
        last = build.node("Sigmoid", "next", ["mf"], "o")
    grid = [build.constant("y_s", np.float32(0.05)), build.constant("y_z", np.int8(2))]
    build.node("QuantizeLinear", "y_q", [last, *grid], "y")
    return build.model([1, 6, size, size + 1][: axes + 2])


@FEW
@given(
    axes=st.sampled_from((1, 2, 2)),
    kernel=st.integers(1, 5),
    stride=st.integers(2, 3),
    pad=st.integers(0, 1),
    activation=st.sampled_from(("", "Relu")),
    pointwise=st.booleans(),
    size=st.integers(6, 11),
    auto=st.sampled_from(("", "", "SAME_UPPER", "SAME_LOWER", "VALID")),
    seed=st.integers(0, 500),
)
def test_a_stride_moves_behind_the_layer_bit_by_bit(
    axes: int,
    kernel: int,
    stride: int,
    pad: int,
    activation: str,
    pointwise: bool,
    size: int,
    auto: str,
    seed: int,
    folder: Path,
) -> None:
    source = saved(
        strided(axes, kernel, stride, min(pad, kernel - 1), activation, pointwise, size, auto, seed), folder
    )
    session = opened(source)
    after = edited(session, FoldStride(NAME))
    assert verify(source, after, samples=2).bit_exact
    layer = after.layers.by_name[NAME]
    geometry = convolution(layer)
    assert geometry is not None and geometry.stride == (1, 1)
    assert layer.quantized and layer.fused == ((activation,) if activation else ())
    assert (f"{NAME}_pick" in after.layers.by_name) is not pointwise
    moved = convolution(after.layers.by_name["next"]) if pointwise else None
    assert moved is None or moved.stride == (stride, stride if axes == 2 else 1)
    assert report(after, NAME).placement is Placement.HW
    assert all(layer.quantized for layer in after.layers.layers)
    assert "stride 1 already" in refused(after, FoldStride(NAME))


def test_a_stride_that_stays_says_why(tmp_path: Path) -> None:
    session = opened(saved(model(Spec(kind="conv2", kernel=3, stride=2)), tmp_path))
    assert "4 times the work" in refused(session, FoldStride(NAME))
    assert "not a Conv with known sizes" in refused(opened(saved(model(Spec()), tmp_path)), FoldStride(NAME))


def test_strides_of_a_real_model_move(tmp_path: Path) -> None:
    source = load(models.SAMPLES / "mobilenet_mini_int8.onnx")
    session = opened(source, "4.0")
    names = []
    for layer in session.layers.layers:
        geometry = convolution(layer)
        if geometry is not None and geometry.depthwise and geometry.stride != (1, 1):
            names.append(layer.name)
    assert names
    for name in names:
        session = edited(session, FoldStride(name))
    assert verify(source, session, samples=1).bit_exact


LARGE = [
    Spec(kind="conv2", ich=64, och=256, size=100, zero_point=5),
    Spec(kind="conv2", ich=64, och=128, size=120, kernel=3, pad=1, zero_point=0),
]


@pytest.mark.parametrize("spec", LARGE)
def test_stripes_are_proposed_where_activations_do_not_fit_on_the_chip(spec: Spec, tmp_path: Path) -> None:
    session = Session.open(saved(model(spec), tmp_path), target("4.0"))
    snapshot = analyse(session)
    external = {pool.name for pool in session.target.pools if pool.external}
    assert any(pool.activations for pool in snapshot.memory.pools if pool.name in external)
    (proposal,) = propose_stripes(session, snapshot, NAME)
    assert isinstance(proposal.edit, SplitRows) and proposal.exactness is Exactness.BIT_EXACT
    assert proposal.edit in [answer.edit for answer in propose_answers(session, snapshot, NAME)]
    assert proposal.saved_milliseconds is not None and proposal.saved_milliseconds > 0
    assert proposal.after is Placement.HYBRID  # the price: Slices and a Concat
    after = session.edit(proposal.edit)
    assert isinstance(after, Session)
    saving = snapshot.summary.milliseconds - analyse(after).summary.milliseconds
    assert saving == pytest.approx(proposal.saved_milliseconds)


@pytest.mark.parametrize(
    "spec",
    [
        Spec(kind="conv2", ich=32, och=32, size=100, kernel=3, pad=1),
        Spec(kind="conv2", ich=32, och=32, size=150, kernel=3, pad=1),
        Spec(kind="gemm", ich=64, och=64),
    ],
)
def test_elsewhere_stripes_are_not_proposed(spec: Spec, tmp_path: Path) -> None:
    session = Session.open(saved(model(spec), tmp_path), target("4.0"))
    snapshot = analyse(session)
    assert not list(propose_stripes(session, snapshot, NAME))
    assert not list(propose_stripes(session, snapshot, "no such layer"))
