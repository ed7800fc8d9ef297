"""Where each kind of operator runs: the documented table, and what compilers were seen to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.models import analysed, from_text
from builders.one_operator import Act, Const, floats, ints, model, report, weights

from npuscope.npu.verdict import Severity

MAP = Act((1, 16, 8, 8))
ROW = Act((1, 16))
LOW = Act((1, 16, 8, 8), zero=-128)
CENTRED = Act((1, 16, 8, 8), zero=0)
UNARY = "Acos Asin Atan Cos Cosh Erf Exp HardSigmoid HardSwish LeakyRelu Relu Sigmoid Sin Sinh Sqrt Tan Tanh ThresholdedRelu"
IN_FLOAT = "Ceil Elu Floor Log Mish Reciprocal Round Selu Softplus Softsign Hardmax Sign Gelu Celu"

Row = tuple[str, tuple[Any, ...], dict[str, Any], str, str]


def rows() -> list[Row]:
    """(operator, inputs, options, placement, code that decides; '' for none)."""
    table: list[Row] = []
    table += [(op, (MAP,), {}, "hw", "") for op in UNARY.split()]
    table += [(op, (MAP,), {}, "sw_float", "N301") for op in IN_FLOAT.split()]
    table += [
        ("Abs", (CENTRED,), {}, "hw", ""),
        ("Abs", (MAP,), {}, "hw", ""),
        ("Neg", (MAP,), {}, "hw", ""),
        ("Clip", (MAP, Const(np.float32(0)), Const(np.float32(6))), {}, "hw", ""),
        ("PRelu", (MAP, weights(16, 1, 1)), {}, "hw", ""),
        ("PRelu", (MAP, Const(np.ones((16, 1, 1), np.float32))), {}, "sw_int", "N305"),
        ("Softmax", (MAP,), {}, "sw_int", "N303"),
        ("LogSoftmax", (MAP,), {}, "sw_float", "N303"),
        # elementwise
        ("Add", (MAP, Act((1, 16, 8, 8), 0.2)), {}, "hw", ""),
        ("Sum", (MAP, MAP), {}, "hw", ""),
        ("Sub", (MAP, MAP), {}, "hw", ""),
        ("Mul", (MAP, Act((1, 16, 1, 1))), {}, "hw", ""),
        ("Mul", (MAP, Const(np.ones((1, 16, 1, 1), np.float32))), {}, "hw", ""),
        ("Mul", (Act((1, 16, 8, 1)), Act((1, 16, 1, 8))), {}, "sw_int", "N302"),
        ("Add", (Act((1, 2000, 2, 2)), Act((1, 2000, 1, 1))), {}, "hw", ""),
        ("Div", (MAP, MAP), {}, "sw_int", "N304"),
        ("Div", (MAP, weights(1)), {}, "hw", ""),
        ("Sub", (Const(np.float32(1)), MAP), {}, "sw_float", "N307"),
        ("Max", (MAP, MAP), {}, "hw", ""),
        ("Max", (MAP, Act((1, 16, 8, 8), 0.2)), {}, "sw_float", "N301"),
        ("Max", (MAP, Act((1, 16, 1, 1))), {}, "sw_float", "N301"),
        ("Max", (MAP, weights(1)), {}, "sw_float", "N301"),
        ("Min", (MAP, MAP), {}, "hw", ""),
        ("Pow", (MAP, floats(2)), {}, "sw_float", "N301"),
        ("Where", (Const(np.ones((1, 16, 8, 8), np.bool_)), MAP, MAP), {}, "sw_float", "N301"),
        # float around it
        ("Relu", (Act((1, 16, 8, 8), dtype="float32"),), {}, "sw_float", "N101"),
        ("Sigmoid", (MAP,), {"out": "float32"}, "sw_float", "N101"),
        ("Conv", (MAP, Const(np.ones((8, 16, 1, 1), np.float32))), {}, "sw_float", "N101"),
        # data types
        ("Sigmoid", (Act((1, 16, 8, 8), dtype="uint8"),), {"out": "uint8"}, "hw", ""),
        ("Conv", (Act((1, 16, 8, 8), zero=0, dtype="int16"), weights(8, 16, 1, 1)), {}, "sw_float", "N104"),
        ("Conv", (MAP, weights(8, 16, 1, 1, zero=4)), {}, "sw_int", "N103"),
        # convolutions
        ("Conv", (MAP, weights(8, 16, 1, 1)), {}, "hw", ""),
        ("Conv", (MAP, weights(8, 16, 3, 3)), {"pads": [1, 1, 1, 1]}, "hw", ""),
        ("Conv", (MAP, weights(16, 1, 3, 3)), {"group": 16}, "hw", ""),
        ("Conv", (MAP, weights(8, 16, 7, 7)), {"pads": [3, 3, 3, 3]}, "hw", ""),
        ("Conv", (MAP, weights(16, 1, 7, 7)), {"group": 16, "pads": [3, 3, 3, 3]}, "sw_float", "N203"),
        ("Conv", (Act((1, 1, 1, 1)), weights(8, 1, 1, 1)), {}, "sw_int", "N202"),
        ("Conv", (Act((1, 257, 1, 64)), weights(8, 257, 1, 1)), {}, "sw_int", "N201"),
        ("Conv", (MAP, weights(16, 1, 3, 3)), {"group": 16, "dilations": [2, 2]}, "hw", ""),
        ("Conv", (MAP, weights(8, 16, 3, 3)), {"dilations": [2, 2]}, "sw_float", "N205"),
        ("Conv", (MAP, Act((8, 16, 1, 1))), {}, "sw_int", "N206"),
        ("ConvTranspose", (MAP, weights(16, 8, 2, 2)), {"strides": [2, 2]}, "hybrid", "N211"),
        ("Gemm", (ROW, weights(16, 10)), {}, "hw", ""),
        ("Gemm", (Act((1, 257)), weights(257, 10)), {}, "sw_int", "N201"),
        ("Gemm", (Act((1, 113)), weights(113, 10)), {}, "hw", ""),
        ("MatMul", (Act((1, 4, 16)), weights(16, 10)), {}, "hw", ""),
        ("MatMul", (Act((1, 2, 4, 16)), Act((1, 2, 16, 4))), {}, "sw_int", "N206"),
        # pooling and reduction
        ("MaxPool", (MAP,), {"kernel_shape": [2, 2], "strides": [2, 2]}, "hw", ""),
        ("AveragePool", (MAP,), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, "hw", ""),
        ("GlobalAveragePool", (MAP,), {}, "hw", ""),
        ("GlobalAveragePool", (Act((1, 16, 52, 52)),), {}, "sw_float", "N401"),
        ("GlobalMaxPool", (MAP,), {}, "hw", ""),
        ("ReduceMean", (MAP, ints(2, 3)), {"keepdims": 1}, "hw", ""),
        ("ReduceMean", (MAP, ints(1)), {"keepdims": 1}, "hw", ""),
        ("ReduceSum", (MAP, ints(2, 3)), {"keepdims": 1}, "sw_float", "N301"),
        ("ReduceMin", (MAP, ints(2, 3)), {"keepdims": 1}, "sw_float", "N301"),
        ("ReduceL2", (MAP, ints(2, 3)), {"keepdims": 1}, "sw_float", "N301"),
        # shape and movement
        ("Reshape", (MAP, ints(1, 1024)), {}, "hw", ""),
        ("Flatten", (MAP,), {}, "hw", ""),
        ("Squeeze", (Act((1, 16, 1, 1)), ints(2, 3)), {}, "hw", ""),
        ("Unsqueeze", (ROW, ints(2)), {}, "hw", ""),
        ("Identity", (MAP,), {}, "hw", ""),
        ("Concat", (MAP, MAP), {"axis": 1}, "hw", ""),
        ("Concat", (MAP, MAP), {"axis": 3}, "hybrid", "N501"),
        ("Split", (MAP,), {"axis": 1, "num_outputs": 2, "outputs": 2}, "hw", ""),
        ("Split", (MAP,), {"axis": 3, "num_outputs": 2, "outputs": 2}, "hybrid", "N502"),
        ("Slice", (MAP, ints(0), ints(8), ints(1)), {}, "hw", ""),
        ("Slice", (MAP, ints(0), ints(8), ints(3), ints(2)), {}, "sw_float", "N508"),
        ("Pad", (MAP, ints(0, 0, 1, 1, 0, 0, 1, 1)), {}, "hw", ""),
        ("Pad", (MAP, ints(0, 4, 0, 0, 0, 0, 0, 0)), {}, "hybrid", "N505"),
        ("Transpose", (MAP,), {"perm": [0, 2, 3, 1]}, "hw", ""),
        ("Transpose", (MAP,), {"perm": [0, 1, 3, 2]}, "hybrid", "N503"),
        ("DepthToSpace", (MAP,), {"blocksize": 2, "mode": "DCR"}, "hybrid", "N506"),
        ("DepthToSpace", (MAP,), {"blocksize": 2, "mode": "CRD"}, "sw_float", "N506"),
        ("SpaceToDepth", (MAP,), {"blocksize": 2}, "hybrid", "N506"),
        ("Gather", (MAP, ints(0, 1)), {"axis": 1}, "sw_float", "N301"),
        ("Tile", (MAP, ints(1, 1, 2, 2)), {}, "sw_float", "N301"),
        ("ArgMax", (MAP,), {"axis": 1, "out": "float32"}, "sw_float", "N301"),
        # others
        ("BatchNormalization", (MAP, *(Const(np.ones(16, np.float32)),) * 4), {}, "hw", ""),
        ("LayerNormalization", (MAP, Const(np.ones(8, np.float32))), {}, "sw_float", "N309"),
        ("InstanceNormalization", (MAP, *(Const(np.ones(16, np.float32)),) * 2), {}, "sw_float", "N309"),
        ("LRN", (MAP,), {"size": 3}, "sw_float", "N309"),
        ("ReduceMean", (MAP,), {"noop_with_empty_axes": 1, "opset": 18}, "hw", ""),
        ("GridSample", (MAP, Act((1, 8, 8, 2))), {}, "sw_float", "N301"),
        ("Einsum", (Act((4, 4)), Act((4, 4))), {"equation": "ij,jk->ik"}, "sw_float", "N301"),
        ("MyOp", (MAP,), {"domain": "my.domain"}, "sw_float", "N313"),
        ("Sigmoid", (Act((1, 2, 16, 8, 8)),), {}, "hw", ""),
        ("Sigmoid", (Act((2, 2, 16, 8, 8)),), {}, "sw_int", "N108"),
        ("Transpose", (Act((1, 3, 14, 8, 8)),), {"perm": [0, 1, 3, 4, 2]}, "hybrid", "N503"),
        ("Transpose", (Act((1, 3, 1, 8, 8)),), {"perm": [0, 1, 3, 4, 2]}, "hw", ""),
        ("Conv", (Act((1, 2, 4, 4, 4)), weights(3, 2, 3, 3, 3)), {}, "sw_int", "N108"),
        ("AveragePool", (Act((1, 8, 52, 8)),), {"kernel_shape": [52, 1]}, "sw_int", "N401"),
        ("Div", (MAP, Const(np.float32(6))), {}, "hw", ""),
        ("Sub", (MAP, Const(np.float32(6))), {}, "sw_float", "N101"),
        ("Relu", (Act((1, 1, 1, 70_000)),), {}, "sw_int", "N109"),
        ("Relu", (Act((4, 16, 8, 8)),), {}, "hw", ""),
        ("Relu", (Act((1, 16, "H", 8)),), {}, "sw_float", "N107"),
    ]  # fmt: skip
    return table


@pytest.mark.parametrize(
    ("op", "inputs", "options", "placement", "code"),
    rows(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_placement(
    op: str, inputs: tuple[Any, ...], options: dict[str, Any], placement: str, code: str, tmp_path: Path
) -> None:
    judged = report(model(op, *inputs, **options), tmp_path)
    assert judged.placement.value == placement, [f.code for f in judged.findings]
    if code:
        assert code in {finding.code for finding in judged.forced_by}
    else:
        assert not [f for f in judged.findings if f.severity is Severity.ERROR and f.placement is not None]


@pytest.mark.parametrize(
    ("toolchain", "placement", "severity"), [("2.1", "sw_float", "error"), ("2.2", "hw", "warning")]
)
def test_abs_of_a_zero_point_stays_on_the_npu_from_2_2_on(
    toolchain: str, placement: str, severity: str, tmp_path: Path
) -> None:
    judged = report(model("Abs", MAP), tmp_path, toolchain)
    assert judged.placement.value == placement
    assert [f.severity.value for f in judged.findings if f.code == "N306"] == [severity]


@pytest.mark.parametrize(
    ("toolchain", "channels", "zero", "placement"),
    [
        ("2.1", 113, 3, "hw"),  # the denoiser's Gemm split in 144 + 113
        ("3.0", 41, 3, "sw_float"),  # an MLP of 41 features
        ("3.0", 41, -128, "hw"),
        ("3.0", 13, 3, "hw"),
        ("4.0", 113, 3, "hw"),  # not seen; taken to be as with 2.1
    ],
)
def test_a_row_that_divides_into_single_values(
    toolchain: str, channels: int, zero: int, placement: str, tmp_path: Path
) -> None:
    judged = report(model("Gemm", Act((1, channels), zero=zero), weights(channels, 10)), tmp_path, toolchain)
    assert judged.placement.value == placement
    assert [f.code for f in judged.forced_by] == ["N202"] * (placement == "sw_float")


@pytest.mark.parametrize(
    ("toolchain", "placement"), [("2.2", "sw_float"), ("3.0", "sw_float"), ("4.0", "hw")]
)
def test_an_elu_is_a_units_from_4_0_on(toolchain: str, placement: str, tmp_path: Path) -> None:
    """A policy of Gemm and Elu (4.0.1): four epochs of the NPU, in software what normalizes and converts alone."""
    assert report(model("Elu", MAP), tmp_path, toolchain).placement.value == placement


def test_the_larger_of_two_maps_was_in_float_up_to_2_1(tmp_path: Path) -> None:
    assert report(model("Max", MAP, MAP), tmp_path, "2.1").placement.value == "sw_float"


PAIR = "q = QuantizeLinear(f, s, z) e = DequantizeLinear(q, s, z)"


@pytest.mark.parametrize(("between", "read", "reported"), [("", "f", False), (PAIR, "e", True)])
def test_a_pooling_behind_a_relu_without_a_scale_has_a_range_of_its_own(
    between: str, read: str, reported: bool, tmp_path: Path
) -> None:
    """onnxruntime writes such a pair where it quantizes Conv and Gemm alone: what is below 0 was cut before."""
    network = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,4,4] x) => (int8[1,8,2,2] y) <float s = {{0.1}}, int8 z = {{0}}, float t = {{0.05}}, int8 o = {{-128}}>
    {{ d = DequantizeLinear(x, s, z) f = Relu(d) {between}
      r = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> ({read}) y = QuantizeLinear(r, t, o) }}"""
    found = [f.code for report in analysed(from_text(network, tmp_path)).layers for f in report.findings]
    assert ("N123" in found) == reported
