"""Edits that repair accuracy: the exact one exact in float, the others within the bound they state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused
from builders.weighted_layers import NAME, Spec, model, saved, specs
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from npuscope.edits.kinds.clip_range import ClipRange
from npuscope.edits.kinds.correct_bias import CorrectBias
from npuscope.edits.kinds.equalize import Equalize
from npuscope.model.load import Source, source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Runner
from npuscope.numbers.verify_models import verify


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accuracy")


# -- equalize


def pair(seed: int, between: str, kind: str, channels: int, spread: float, bias: bool) -> Source:
    """Two float layers whose channels between them have unlike ranges."""
    rng = np.random.default_rng(seed)
    unlike = np.exp2(rng.uniform(-spread, spread, channels)).astype(np.float32)
    gemm = kind == "Gemm"
    first = rng.standard_normal((channels, 3) if gemm else (channels, 3, 3, 3)).astype(np.float32)
    first *= unlike.reshape(-1, *(1,) * (first.ndim - 1))
    if kind == "depthwise":
        second = rng.standard_normal((channels, 1, 3, 3))
    else:
        second = rng.standard_normal((4, channels) if gemm else (4, channels, 1, 1))
    arrays = {"w": first, "v": second.astype(np.float32)}
    inputs = ["x", "w"]
    if bias:
        arrays["b"] = rng.standard_normal(channels).astype(np.float32) * unlike
        inputs.append("b")
    attributes = {"transB": 1} if gemm else {"pads": [1, 1, 1, 1]}
    op = "Gemm" if gemm else "Conv"
    nodes = [helper.make_node(op, inputs, ["c"], name="first", **attributes)]
    if between:
        options = {"alpha": 0.1} if between == "LeakyRelu" else {}
        options |= (
            {"kernel_shape": [2, 2]} if between.endswith("Pool") and not between.startswith("Global") else {}
        )
        nodes.append(helper.make_node(between, ["c"], ["d"], name="between", **options))
    last = "d" if between else "c"
    more = {"transB": 1} if gemm else {"group": channels} if kind == "depthwise" else {}
    nodes.append(helper.make_node(op, [last, "v"], ["y"], name="second", **more))
    shape = (2, 3) if gemm else (1, 3, 6, 6)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return source_of(Path("pair.onnx"), onnx.shape_inference.infer_shapes(made, strict_mode=True))


def extents(source: Source, graph: object = None) -> tuple[np.ndarray, np.ndarray]:
    """Largest weight of each channel between the two layers, in the first and in the second."""
    constants = (graph or source.graph).constants  # type: ignore[attr-defined]
    nodes = {node.name: node for node in (graph or source.graph).nodes}  # type: ignore[attr-defined]
    one, two = (constants[nodes[name].input(1)].array() for name in ("first", "second"))
    return np.abs(one).reshape(len(one), -1).max(1), np.abs(two).max(
        axis=tuple(i for i in range(two.ndim) if i != 1)
    )


@FEW
@given(
    seed=st.integers(0, 999),
    between=st.sampled_from(("", "Relu", "LeakyRelu", "MaxPool", "AveragePool")),
    kind=st.sampled_from(("Conv", "depthwise", "Gemm")),
    channels=st.integers(2, 9),
    bias=st.booleans(),
)
@example(seed=52, between="", kind="Conv", channels=2, bias=False)  # was 0.2 apart, and 1.8 afterwards
def test_equalizing_changes_no_bit_in_float(
    seed: int, between: str, kind: str, channels: int, bias: bool
) -> None:
    between = "" if kind == "Gemm" and between.endswith("Pool") else between
    source = pair(seed, between, kind, channels, 6.0, bias)
    before = opened(source)
    after = before.edit(Equalize("first"))
    if not hasattr(after, "graph"):
        assert "as equal" in str(after)
        return
    after = edited(before, Equalize("first"))
    assert verify(source, after, samples=4).bit_exact
    if kind == "Conv":
        old, new = extents(source), extents(source, after.graph)
        # Both layers' ranges are as far apart as a power of two leaves them.
        apart = [np.log2(one / two) for one, two in (old, new)]
        assert np.ptp(apart[1]) <= 2.001
        assert np.ptp(apart[1]) <= np.ptp(apart[0]) + 1e-6
    assert "as equal" in refused(after, Equalize("first"))


@pytest.mark.parametrize(
    ("between", "words"), [("Sigmoid", "does not pass factors on"), ("Tanh", "does not pass factors on")]
)
def test_what_does_not_pass_factors_on_is_refused(between: str, words: str) -> None:
    assert words in refused(opened(pair(1, between, "Conv", 4, 6.0, True)), Equalize("first"))


def test_a_quantized_layer_is_not_equalized(folder: Path) -> None:
    session = opened(saved(model(Spec()), folder, "one.onnx"))
    assert refused(session, Equalize(NAME))


# -- correct-bias


def outputs(source: Source, session: object, samples: object) -> list[np.ndarray]:
    runner = Runner(source, session.graph)  # type: ignore[attr-defined]
    return [runner.run(sample)[0].astype(np.int64) for sample in samples]  # type: ignore[attr-defined]


@FEW
@given(spec=specs(), seed=st.integers(0, 99))
def test_a_corrected_bias_moves_each_output_by_its_shift(spec: Spec, seed: int, folder: Path) -> None:
    spec = replace(spec, activation="")  # which cuts off what the bias moves
    source = saved(model(spec), folder, "bias.onnx")
    session = opened(source)
    layer = session.layers.by_name[NAME]
    if layer.bias is None or layer.bias.constant is None or layer.bias.quant is None:
        assert "no constant int32 bias" in refused(session, CorrectBias(NAME, (1,)))
        return
    arrays = layer.bias.constant.shape
    shifts = np.random.default_rng(seed).integers(-4000, 4000, arrays)
    after = edited(session, CorrectBias(NAME, tuple(map(int, shifts.reshape(-1)))))
    assert layer.output is not None and layer.output.quant is not None
    step, (low, high) = float(layer.output.quant.scale[0]), layer.output.quant.limits
    beta = layer.core.attribute("beta")
    expected = (
        shifts * layer.bias.quant.scale.astype(np.float64) * (beta if isinstance(beta, float) else 1.0) / step
    )
    samples = random_samples(source, 3, seed)
    for was, now in zip(outputs(source, session, samples), outputs(source, after, samples), strict=True):
        channels_second = layer.kind in ("Conv", "ConvTranspose")
        by_channel = expected.reshape(-1, *(1,) * (was.ndim - 2)) if channels_second else expected
        moved = np.clip(was + by_channel, low, high)
        inside = (was > low) & (was < high) & (now > low) & (now < high)
        assert np.abs(now - moved)[inside].max(initial=0) <= 1.001


def test_shifts_of_another_size_are_refused(folder: Path) -> None:
    source = models.from_text(CorrectBias.declaration.example, folder)
    assert "2 biases, 3 shifts" in refused(opened(source), CorrectBias("op", (1, 2, 3)))
    assert "32 bits" in refused(opened(source), CorrectBias("op", (2**31, 0)))


# -- clip-range


@FEW
@given(
    low=st.floats(-12, -0.5),
    high=st.floats(0.5, 12),
    seed=st.integers(0, 999),
    op=st.sampled_from(("Relu", "MaxPool", "Identity")),
)
def test_a_clipped_range_keeps_what_lies_in_it(
    low: float, high: float, seed: int, op: str, folder: Path
) -> None:
    text = ClipRange.declaration.example.replace("Sigmoid(f)", f"{op}(f)")
    text = text.replace("MaxPool(f)", "MaxPool <kernel_shape = [1, 1]> (f)")
    source = models.from_text(text, folder)
    session = opened(source)
    edit = ClipRange("op", low, high)
    outcome = session.edit(edit)
    if not hasattr(outcome, "graph"):
        assert (high - low) / 255 >= 0.0999
        return
    after = edited(session, edit)
    new = after.layers.by_name["op"].input
    assert new is not None and new.quant is not None
    step, ends = float(new.quant.scale[0]), new.quant.range
    assert step < 0.1
    x = np.random.default_rng(seed).uniform(-14, 14, (1, 4, 4, 4)).astype(np.float32)
    graph = replace(after.graph, outputs=(new.seen,))
    (seen,) = Runner(source, graph).run({"x": x})
    inside = (x >= ends[0]) & (x <= ends[1])
    assert np.abs(seen - x)[inside].max(initial=0) <= step / 2 * 1.0001
    assert np.abs(seen - np.clip(x, *ends)).max() <= step / 2 * 1.0001
    assert ends[0] <= low + step and ends[1] >= high - step
    assert verify(source, after, samples=2).outputs


def test_a_wider_range_is_refused(folder: Path) -> None:
    session = opened(models.from_text(ClipRange.declaration.example, folder))
    assert "not narrower" in refused(session, ClipRange("op", -100.0, 100.0))
    assert "not a range" in refused(session, ClipRange("op", float("nan"), 1.0))
    assert "not a range" in refused(session, ClipRange("op", 0.0, 0.0))
