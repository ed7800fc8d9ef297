"""QLinear operators in QDQ form: the same numbers, up to one rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders import models
from builders.edit_checks import FEW, edited, opened, refused, report
from builders.weighted_layers import Builder, saved
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.verify_models import verify

SAMPLE = models.SAMPLES / "convnet_qoperator.onnx"
MS = "com.microsoft"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qdq")


class Qlinear(Builder):
    """One QLinear operator; its operands are graph inputs and constants."""

    def __init__(self, draw: st.DrawFn, boxed: bool) -> None:
        super().__init__()
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 999)))
        self.dtype = draw(st.sampled_from((np.int8, np.uint8)))
        self.inputs: list[onnx.ValueInfoProto] = []
        self.boxed = boxed and draw(st.booleans())

    @property
    def onnx_type(self) -> int:
        return int(TensorProto.INT8 if self.dtype is np.int8 else TensorProto.UINT8)

    def grid(self, name: str, scale: float) -> list[str]:
        info = np.iinfo(self.dtype)
        shape = (1,) if self.boxed else ()
        zero = self.draw(st.integers(int(info.min), int(info.max)))
        return [
            self.constant(f"{name}_scale", np.full(shape, scale, np.float32)),
            self.constant(f"{name}_zero_point", np.full(shape, zero, self.dtype)),
        ]

    def activation(self, name: str, shape: list[int]) -> list[str]:
        self.inputs.append(helper.make_tensor_value_info(name, self.onnx_type, shape))
        return [name, *self.grid(name, self.draw(st.sampled_from((0.02, 0.05, 0.0123))))]

    def weights(self, shape: tuple[int, ...], channels: int) -> list[str]:
        count: Any = channels if self.draw(st.booleans()) else ((1,) if self.boxed else ())
        return [
            self.constant("w_quantized", self.rng.integers(-127, 128, shape).astype(np.int8)),
            self.constant("w_scale", self.rng.uniform(0.002, 0.02, count).astype(np.float32)),
            self.constant("w_zero_point", np.zeros(count, np.int8)),
        ]

    def bias(self, channels: int) -> list[str]:
        if self.draw(st.booleans()):
            return []
        return [self.constant("b_quantized", self.rng.integers(-5000, 5000, channels).astype(np.int32))]


@st.composite
def qlinear_models(draw: st.DrawFn) -> onnx.ModelProto:
    op = draw(st.sampled_from(sorted(BUILDERS)))
    # onnxruntime takes scales of shape (1,) for ONNX's own operators only.
    build = Qlinear(draw, op in ("QLinearConv", "QLinearMatMul"))
    inputs, domain, attributes = BUILDERS[op](build)
    proto = helper.make_node(op, inputs, ["y_quantized"], name="L", domain=domain, **attributes)
    build.nodes.append(proto)
    graph = helper.make_graph(
        build.nodes,
        "one",
        build.inputs,
        [helper.make_tensor_value_info("y_quantized", build.onnx_type, None)],
        build.initializers,
    )
    opsets = [helper.make_opsetid("", draw(st.sampled_from((13, 17)))), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


Made = tuple[list[str], str, dict[str, Any]]


def _conv(build: Qlinear) -> Made:
    group, each, kernel = (
        build.draw(st.integers(1, 3)),
        build.draw(st.integers(1, 4)),
        build.draw(st.integers(1, 3)),
    )
    och = group * build.draw(st.integers(1, 4))
    x = build.activation("x", [1, group * each, 6, 6])
    w = build.weights((och, each, kernel, kernel), och)
    inputs = [*x, *w, *build.grid("y", 0.1), *build.bias(och)]
    return (
        inputs,
        "",
        {
            "group": group,
            "kernel_shape": [kernel, kernel],
            "pads": [kernel // 2] * 4,
            "strides": [build.draw(st.integers(1, 2))] * 2,
        },
    )


def _matmul(build: Qlinear) -> Made:
    ich, och = build.draw(st.integers(1, 30)), build.draw(st.integers(1, 9))
    x = build.activation("x", [build.draw(st.integers(1, 3)), ich])
    return [*x, *build.weights((ich, och), och), *build.grid("y", 0.1)], "", {}


def _gemm(build: Qlinear) -> Made:
    ich, och = build.draw(st.integers(1, 30)), build.draw(st.integers(1, 9))
    transposed = build.draw(st.booleans())
    x = build.activation("x", [2, ich])
    w = build.weights((och, ich) if transposed else (ich, och), och)
    bias = build.bias(och) or [""]
    return [*x, *w, *bias, *build.grid("y", 0.1)], MS, {"transB": int(transposed)}


def _two(build: Qlinear) -> Made:
    return (
        [*build.activation("a", [1, 3, 4]), *build.activation("b", [1, 3, 4]), *build.grid("y", 0.07)],
        MS,
        {},
    )


def _one(scale: float, shape: tuple[int, ...] = (1, 3, 4, 4), **attributes: Any) -> Any:
    def made(build: Qlinear) -> Made:
        return [*build.activation("x", list(shape)), *build.grid("y", scale)], MS, attributes

    return made


def _concat(build: Qlinear) -> Made:
    parts = [*build.activation("a", [1, 3, 4]), *build.activation("b", [1, 2, 4])]
    return [*build.grid("y", 0.07), *parts], MS, {"axis": 1}


BUILDERS = {
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    "QGemm": _gemm,
    "QLinearAdd": _two,
    "QLinearMul": _two,
    "QLinearSigmoid": _one(1 / 256),
    "QLinearLeakyRelu": _one(0.04, alpha=0.3),
    "QLinearSoftmax": _one(1 / 256, axis=-1, opset=13),
    "QLinearGlobalAveragePool": _one(0.02),
    "QLinearAveragePool": _one(0.03, kernel_shape=[2, 2]),
    "QLinearConcat": _concat,
}


@FEW
@given(made=qlinear_models())
def test_a_converted_operator_rounds_at_most_one_step_away(made: onnx.ModelProto, folder: Path) -> None:
    shape = saved(made, folder).graph.type("y_quantized").dims
    made.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("y_quantized", made.graph.input[0].type.tensor_type.elem_type, shape)
    )
    source = saved(made, folder)
    session = edited(opened(source), ToQdq("L"))
    layer = session.layers.by_name["L"]
    assert not layer.qoperator and layer.quantized and layer.kind == source_kind(made)
    assert [layer.name for layer in session.layers.layers] == ["L"]
    assert verify(source, session, samples=2).outputs[0].max_steps <= 1


def source_kind(made: onnx.ModelProto) -> str:
    op: str = made.graph.node[0].op_type
    return op.removeprefix("QLinear").removeprefix("Q")


def test_a_whole_model_can_be_converted_and_then_edited() -> None:
    source = load(SAMPLE)
    session = edited(opened(source), ToQdq())
    assert not any(layer.qoperator for layer in session.layers.layers)
    assert {n.domain for n in session.graph.nodes} == {""}
    assert {layer.name for layer in session.layers.layers} == {
        layer.name for layer in opened(source).layers.layers
    }
    verification = verify(source, session, samples=8)
    assert verification.outputs[0].max_steps <= 3
    assert "no QLinear operators" in refused(session, ToQdq())
    for edit in (
        Recentre("/down/Conv_quant", 0),
        SplitOutput("/down/Conv_quant", (16, 16)),
        PadChannels("/head/hidden/Gemm_quant", 40),
    ):
        session = edited(session, edit)
    assert (verify(source, session, samples=8).sqnr_db_min or 99) > 20


def test_layers_are_judged_as_before() -> None:
    session = opened(load(SAMPLE))
    converted = edited(session, ToQdq())
    for layer in session.layers.layers:
        if layer.qoperator:
            assert report(converted, layer.name).placement is report(session, layer.name).placement
            assert report(session, layer.name).placement in (Placement.HW, Placement.SW_INT)


def test_layers_that_read_one_tensor_share_its_dq() -> None:
    session = edited(opened(load(SAMPLE)), ToQdq())
    read = [n.inputs for n in session.graph.nodes if n.op == "DequantizeLinear"]
    assert len(read) == len(set(read))


MODEL = """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
g (int8[1,4,3,3] x%s) => (int8 y) <float s = {0.1}, int8 z = {0}%s> { [L] y = com.microsoft.%s }"""


@pytest.mark.parametrize(
    ("inputs", "constants", "node", "message"),
    [
        ("", "", "QLinearGlobalAveragePool <channels_last = 1> (x, s, z, s, z)", "channels last"),
        ("", "", "QLinearSoftmax <axis = 1, opset = 11> (x, s, z, s, z)", "exponents of all axes from 1 on"),
        (
            ", float t",
            "",
            "QLinearSigmoid (x, t, z, s, z)",
            "the scale or zero point t, which the model computes",
        ),
        ("", ", float[4] v = {1,2,3,4}", "QLinearSigmoid (x, v, z, s, z)", "4 scales for input 0"),
    ],
)
def test_what_has_no_qdq_form_is_refused(
    inputs: str, constants: str, node: str, message: str, tmp_path: Path
) -> None:
    source = models.from_text(MODEL % (inputs, constants, node), tmp_path)
    assert message in refused(opened(source), ToQdq("L"))


def test_other_layers_are_refused() -> None:
    session = opened(load(models.DENOISER))
    assert "Gemm_28 is a Gemm, not a QLinear operator" in refused(session, ToQdq("Gemm_28"))
    assert "no QLinear operators" in refused(session, ToQdq())
    assert "no layer 'nope'" in refused(session, ToQdq("nope"))
    assert ToQdq("a").exactness is Exactness.ROUNDING
    assert ToQdq().describe() == "convert all QLinear operators to QDQ form"
