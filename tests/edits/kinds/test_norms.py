"""A BatchNormalization folded, or made a Conv: within the rounding the edit says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import BIAS_SHAPES, NAME, Builder, Spec, model, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.batchnorm_to_conv import BatchNormToConv
from npuscope.edits.kinds.fold_batchnorm import FoldBatchNorm
from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.npu.verdict import Placement
from npuscope.numbers.calibration import calibrated
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.verify_models import verify

NORM = "/net/Norm"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replacements")


def with_norm(made: onnx.ModelProto, quantized: bool, seed: int) -> onnx.ModelProto:
    """The model of one layer with a BatchNormalization and a Q behind it; `quantized`: a Q/DQ between the two."""
    rng = np.random.default_rng(seed)
    build = Builder()
    quantize = made.graph.node[-1]
    channels = next(v for v in made.graph.output).type.tensor_type.shape.dim[1].dim_value
    step = next(i for i in made.graph.initializer if i.name == "y_scale")
    scale = 4 * float(onnx.numpy_helper.to_array(step))  # nothing saturates
    step.CopyFrom(onnx.numpy_helper.from_array(np.float32(scale), "y_scale"))
    source = quantize.input[0]
    if quantized:
        quantize.output[0] = "q"
        build.nodes.append(quantize)
        source = build.node("DequantizeLinear", "q_DequantizeLinear", ["q", *quantize.input[1:]], "q_dq")
    gain = rng.choice([-1.0, 1.0, 1.0], channels) * rng.uniform(0.3, 3, channels)
    gain[0] = 0.0 if seed % 3 == 0 else gain[0]
    values = {
        "gamma": gain * 0.5,
        "beta": rng.normal(0, 30 * scale, channels),
        "mean": rng.normal(0, 20 * scale, channels),
        "variance": rng.uniform(0.2, 2, channels),
    }
    names = [build.constant(key, value.astype(np.float32)) for key, value in values.items()]
    last = build.node("BatchNormalization", NORM, [source, *names], "n", epsilon=1e-3)
    grid = [build.constant("n_scale", np.float32(2 * scale)), build.constant("n_zero", np.array(3, np.int8))]
    build.node("QuantizeLinear", "n_QuantizeLinear", [last, *grid], "y")
    del made.graph.node[-1]
    made.graph.node.extend(build.nodes)
    made.graph.initializer.extend(build.initializers)
    made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8
    del made.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


@st.composite
def layers_before(draw: st.DrawFn) -> Spec:
    kind = draw(st.sampled_from(("conv1", "conv2", "gemm", "matmul")))
    return Spec(
        kind=kind,
        ich=draw(st.integers(2, 12)),
        och=draw(st.integers(2, 10)),
        kernel=draw(st.integers(1, 3)) if kind.startswith("conv") else 1,
        zero_point=draw(st.sampled_from((-128, 0, 5))),
        per_channel=draw(st.booleans()),
        float_weights=draw(st.booleans()),
        bias=draw(st.sampled_from(("", "int32", "float"))),
        bias_shape=draw(st.sampled_from(BIAS_SHAPES)) if kind == "gemm" else "N",
        seed=draw(st.integers(0, 500)),
    )


@FEW
@given(spec=layers_before(), quantized=st.booleans(), old=st.booleans())
def test_a_folded_norm_differs_by_the_rounding_it_saves(
    spec: Spec, quantized: bool, old: bool, folder: Path
) -> None:
    made = with_norm(model(spec), quantized, spec.seed)
    if old and not spec.per_channel:
        made.opset_import[0].version = 11
    source = saved(made, folder)
    session = opened(source)
    edit = FoldBatchNorm(NORM if NORM in session.layers.by_name else NAME)
    after = edited(session, edit)
    assert edit.exactness is Exactness.APPROXIMATE and NORM not in after.layers.by_name
    layer = after.layers.by_name[NAME]
    assert layer.quantized and layer.kind == ("Gemm" if spec.kind == "matmul" else layer.kind)
    assert report(after, NAME).placement is Placement.HW
    # What one step between layer and norm is worth behind it, and the weights' own half steps where they share a scale.
    constants = {
        key: session.graph.constants[key].array() for key in ("gamma", "variance", "y_scale", "n_scale")
    }
    gain = np.abs(constants["gamma"]) / np.sqrt(constants["variance"] + 1e-3)
    steps = float(gain.max() * constants["y_scale"] / constants["n_scale"]) / 2 if quantized else 0.0
    result = verify(source, after, samples=3).outputs[0]
    if after.graph.opset < 13:
        assert layer.weight is not None and layer.weight.quant is not None and layer.input is not None
        assert layer.weight.constant is not None and layer.input.quant is not None
        taps = layer.weight.constant.size // spec.och
        product = float(layer.weight.quant.scale[0] * layer.input.quant.scale[0])
        steps += taps * 255 * product / 2 / float(constants["n_scale"])
    assert result.max_steps <= steps + 1.01


def test_integers_of_weights_with_a_scale_each_stay(tmp_path: Path) -> None:
    source = saved(with_norm(model(Spec(kind="conv2", kernel=3)), True, 1), tmp_path)
    after = edited(opened(source), FoldBatchNorm(NORM))
    layer = after.layers.by_name[NAME]
    assert layer.weight is not None and layer.weight.constant is not None and layer.weight.quant is not None
    old, new = source.graph.constants["w"].array(), layer.weight.constant.array()
    gain = source.graph.constants["gamma"].array()
    assert np.array_equal(new, old * np.sign(gain).astype(np.int8).reshape(-1, 1, 1, 1))


def test_a_norm_that_writes_float_leaves_its_range_to_the_layer(tmp_path: Path) -> None:
    made = with_norm(model(Spec(kind="gemm", och=8)), True, 4)
    del made.graph.node[-1]
    made.graph.node[-1].output[0] = "y"
    made.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    made = onnx.shape_inference.infer_shapes(made, strict_mode=True)
    source = saved(made, tmp_path)
    after = edited(opened(source), FoldBatchNorm(NORM))
    layer = after.layers.by_name[NAME]
    assert layer.quantized and report(after, NAME).placement is Placement.HW
    assert layer.outputs[0].quant is not None
    result = verify(source, after, samples=3).outputs[0]
    step = float(layer.outputs[0].quant.scale[0])
    gain = float(
        np.abs(
            source.graph.constants["gamma"].array() / np.sqrt(source.graph.constants["variance"].array())
        ).max()
    )
    assert (
        result.max_steps * result.step
        <= step / 2 + gain * float(source.graph.constants["y_scale"].array()) / 2 + 1e-2
    )


def test_a_norm_behind_a_layer_is_folded_before_the_layer_is_split(tmp_path: Path) -> None:
    source = saved(with_norm(model(Spec(kind="conv2")), False, 1), tmp_path)
    session = opened(source)
    if NORM not in session.layers.by_name:
        assert "fold it into its weights first" in refused(session, SplitOutput(NAME, (4, 6)))
    folded = edited(session, FoldBatchNorm(NORM if NORM in session.layers.by_name else NAME))
    assert verify(folded, edited(folded, SplitOutput(NAME, (4, 6)))).bit_exact


def test_a_norm_that_cannot_be_folded_says_why(tmp_path: Path) -> None:
    session = opened(saved(with_norm(model(Spec(kind="conv2", activation="Relu")), True, 1), tmp_path))
    assert "a Relu stands between" in refused(session, FoldBatchNorm(NORM))
    session = opened(saved(with_norm(model(Spec(kind="conv2", out_zero_point=-128)), True, 1), tmp_path))
    assert "zero point -128, like a Relu" in refused(session, FoldBatchNorm(NORM))
    session = opened(saved(with_norm(model(Spec(kind="gemm", alpha=0.5)), True, 1), tmp_path))
    assert "alpha 0.5" in refused(session, FoldBatchNorm(NORM))
    assert "not a BatchNormalization" in refused(session, FoldBatchNorm(NAME))
    for rows in (3, 10):
        made = with_norm(model(Spec(kind="gemm", rows=rows, bias_shape="M,1")), True, 1)
        assert "another bias to each row" in refused(opened(saved(made, tmp_path)), FoldBatchNorm(NORM))
    alone = opened(saved(norm_model((1, 6, 4, 4), True, 0), tmp_path))
    assert "a QuantizeLinear feeds" in refused(alone, FoldBatchNorm(NORM))


def scaled_before_norm(made: onnx.ModelProto, seed: int, whole_shape: bool) -> onnx.ModelProto:
    """A layer, a Div, an Add, a Mul and a Sub of constants, and a BatchNormalization: PyTorch's trained quantization."""
    made = with_norm(made, False, seed)
    norm = next(node for node in made.graph.node if node.op_type == "BatchNormalization")
    channels = next(i for i in made.graph.initializer if i.name == "gamma").dims[0]
    rank = len(made.graph.output[0].type.tensor_type.shape.dim)
    rng, build, source = np.random.default_rng(seed), Builder(), norm.input[0]
    shape = (1,) * whole_shape + (channels,) + (1,) * (rank - 2)
    for place, op in enumerate(("Div", "Add", "Mul", "Sub")):
        value = rng.uniform(0.5, 2, shape if place < 3 else ()) * rng.choice([-1, 1])
        by = build.constant(f"by{place}", value.astype(np.float32))
        pair = [by, source] if op == "Mul" else [source, by]
        source = build.node(op, f"scale{place}", pair, f"scaled{place}")
    norm.input[0] = source
    at = list(made.graph.node).index(norm)
    nodes = [*made.graph.node[:at], *build.nodes, *made.graph.node[at:]]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(build.initializers)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


@FEW
@given(spec=layers_before(), whole_shape=st.booleans(), by_layer=st.booleans())
def test_constants_between_layer_and_norm_are_folded_with_it(
    spec: Spec, whole_shape: bool, by_layer: bool, folder: Path
) -> None:
    source = saved(scaled_before_norm(model(spec), spec.seed, whole_shape), folder)
    session = opened(source)
    last = next(name for name in (NORM, "scale3") if name in session.layers.by_name)
    after = edited(session, FoldBatchNorm(NAME if by_layer else last))
    assert not {"scale0", "scale3", NORM} & after.layers.by_name.keys()
    assert report(after, NAME).placement is Placement.HW
    assert verify(source, after, samples=3).outputs[0].max_steps <= 1.01


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_layer_is_not_divided_by_what_is_no_number(value: float, tmp_path: Path) -> None:
    made = scaled_before_norm(model(Spec(kind="conv2")), 1, True)
    divisor = next(i for i in made.graph.initializer if i.name == "by0")
    divisors = onnx.numpy_helper.to_array(divisor).copy()
    divisors.reshape(-1)[0] = value
    divisor.CopyFrom(onnx.numpy_helper.from_array(divisors, "by0"))
    refused(opened(saved(made, tmp_path)), FoldBatchNorm(NAME))


def norm_model(shape: tuple[int, ...], quantized: bool, seed: int, opset: int = 13) -> onnx.ModelProto:
    """x -> [Q -> DQ ->] BatchNormalization -> Q -> DQ -> y."""
    rng = np.random.default_rng(seed)
    build = Builder()
    source = "x"
    if quantized:
        grid = [
            build.constant("x_scale", np.float32(0.04)),
            build.constant("x_zero", np.int8(rng.integers(-128, 128))),
        ]
        build.node("QuantizeLinear", "x_QuantizeLinear", ["x", *grid], "x_q")
        source = build.node("DequantizeLinear", "x_DequantizeLinear", ["x_q", *grid], "x_dq")
    sizes = {"gamma": (-2, 2), "beta": (-3, 3), "mean": (-2, 2), "variance": (0.1, 3)}
    names = [build.constant(k, rng.uniform(*ends, shape[1]).astype(np.float32)) for k, ends in sizes.items()]
    last = build.node("BatchNormalization", NORM, [source, *names], "n")
    grid = [build.constant("n_scale", np.float32(0.06)), build.constant("n_zero", np.int8(-4))]
    build.node("QuantizeLinear", "n_QuantizeLinear", [last, *grid], "n_q")
    build.node("DequantizeLinear", "n_DequantizeLinear", ["n_q", *grid], "y")
    return build.model(shape, TensorProto.FLOAT, opset)


@FEW
@given(
    shape=st.sampled_from(((1, 6, 4, 4), (2, 5, 7), (1, 9), (3, 4))),
    quantized=st.booleans(),
    seed=st.integers(0, 500),
)
def test_a_norm_becomes_a_conv_within_one_step(
    shape: tuple[int, ...], quantized: bool, seed: int, folder: Path
) -> None:
    source = saved(norm_model(shape, quantized, seed), folder)
    session = opened(source)
    assert quantized or report(session, NORM).placement is Placement.SW_FLOAT
    edit = BatchNormToConv(NORM)
    after = edited(session, edit)
    name = f"{NORM}_conv"
    assert edit.exactness is Exactness.ROUNDING
    assert verify(source, after, samples=3).outputs[0].max_steps <= 1.01
    if not quantized:
        samples = random_samples(source, 2)
        second = calibrated(source, after.graph, QuantizeLayer(name), samples, layers=after.layers)
        assert isinstance(second, QuantizeLayer)
        after = edited(after, second)
    assert after.layers.by_name[name].quantized and report(after, name).placement is Placement.HW


def test_a_norm_of_an_old_opset_is_refused(tmp_path: Path) -> None:
    session = opened(saved(norm_model((1, 6, 4, 4), True, 0, opset=11), tmp_path))
    assert "one scale for all 6 weights" in refused(session, BatchNormToConv(NORM))
