"""What findings say of operators that no compiler output was seen for: which source, which reason, which layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import analysed, from_text
from builders.one_operator import Act, Const, model, report, snapshot, weights

from npuscope.npu.verdict import Confidence, Placement, Severity

MAP = Act((1, 16, 8, 8))
LISTED = "Elu Floor Log Reciprocal Round Selu Softplus Softsign Hardmax"
UNLISTED = "Celu Mish Sign Gelu LogSoftmax ReduceL1 ReduceL2 ReduceLogSum ReduceSumSquare"


@pytest.mark.parametrize("op", [*LISTED.split(), *UNLISTED.split()])
def test_only_what_st_lists_counts_as_documented(op: str, tmp_path: Path) -> None:
    (finding,) = [f for f in report(model(op, MAP), tmp_path).findings if f.code in ("N301", "N303")]
    listed = op in LISTED.split()
    assert (finding.confidence is Confidence.DOCUMENTED) == listed
    assert ("does not list" in finding.why) != listed
    assert finding.placement is Placement.SW_FLOAT


@pytest.mark.parametrize(
    ("op", "inputs", "outputs"),
    [
        ("DynamicQuantizeLinear", (Act((1, 16), dtype="float32"),), 3),
        ("MatMulInteger", (Act((1, 16), dtype="float32"), Const(np.ones((16, 4), np.int8))), 1),
    ],
)
def test_dynamic_quantization_has_one_reason(
    op: str, inputs: tuple[Act | Const, ...], outputs: int, tmp_path: Path
) -> None:
    if op == "MatMulInteger":
        text = """<ir_version: 8, opset_import: ["" : 13]>
        g (int8[1,16] x, int8[16,4] w) => (int32[1,4] y) { y = MatMulInteger (x, w) }"""
        (layer,) = analysed(from_text(text, tmp_path)).layers
        forced_by = layer.forced_by
    else:
        forced_by = report(model(op, *inputs, out="float32", outputs=outputs), tmp_path).forced_by
    assert [f.code for f in forced_by] == ["N301"]
    assert "run time" in forced_by[0].why and "quantize_static" in forced_by[0].fix


def test_the_bias_of_a_norm_is_no_wide_activation(tmp_path: Path) -> None:
    bias = Const(np.zeros(8, np.int32), quantized=True, dtype="int32")
    judged = report(model("LayerNormalization", MAP, weights(8), bias, axis=-1), tmp_path)
    assert [f.code for f in judged.forced_by] == ["N309"]


@pytest.mark.parametrize(
    ("zero", "message"), [(4, "weights have zero point 4"), (-7, "weights have zero point -7")]
)
def test_one_zero_point_of_weights_is_named(zero: int, message: str, tmp_path: Path) -> None:
    judged = report(model("Conv", MAP, weights(8, 16, 1, 1, zero=zero)), tmp_path)
    assert message in next(f.message for f in judged.findings if f.code == "N103")


@pytest.mark.parametrize(
    ("slopes", "message"), [((1, 1, 1), "one float slope:"), ((16, 1, 1), "16 float slopes:")]
)
def test_slopes_are_counted(slopes: tuple[int, ...], message: str, tmp_path: Path) -> None:
    judged = report(model("PRelu", MAP, Const(np.ones(slopes, np.float32))), tmp_path)
    assert message in next(f.message for f in judged.findings if f.code == "N305")


@pytest.mark.parametrize(
    ("written", "read", "reported"),
    [
        ("{nan}", "{nan}", False),
        ("{0.1}", "{0.1}", False),
        ("{0.1}", "{0.1, 0.1}", False),
        ("{0.1}", "{0.1, 0.2}", True),
        ("{0.1}", "{0.3}", True),
    ],
)
def test_two_scales_differ_in_a_number(written: str, read: str, reported: bool, tmp_path: Path) -> None:
    """A scale written for each channel is the same scale; what is no number is another finding's."""
    of = {"{": "float", "{0.1, ": "float[2]"}["{0.1, " if "," in read else "{"]
    zero = "int8[2] o = {0, 0}" if "," in read else "int8 o = {0}"
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {written}, {of} other = {read}, int8 z = {{0}}, {zero}, float t = {{0.1}}>
    {{ q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, other, o) r = Sigmoid(f) y = QuantizeLinear(r, t, z) }}"""
    codes = [f.code for layer in analysed(from_text(text, tmp_path)).layers for f in layer.findings]
    assert ("N116" in codes) == reported


def test_a_size_onnx_made_up_has_no_name(tmp_path: Path) -> None:
    judged = report(model("NonZero", Act((4, 4), dtype="float32"), out="float32"), tmp_path)
    found = next(f for f in judged.findings if f.code == "N107")
    assert "not fixed: 2x?; it is known once NonZero has run" in found.message and "npuscope cut" in found.fix


def test_floats_of_five_dimensions_are_moved_in_float(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,8,16] x) => (float[2,1,1,2,32] y) <int64[5] s = {2, 1, 1, 2, 32}>
    { r = Relu(x)
      y = Reshape(r, s) }"""
    analysis = analysed(from_text(text, tmp_path)).layers[-1]
    assert [f.code for f in analysis.forced_by] == ["N108"]
    assert analysis.placement is Placement.SW_FLOAT


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "macs"),
    [
        ("ConvInteger", (Act((1, 4, 8, 8), dtype="float32"), Const(np.ones((6, 4, 3, 3), np.int8))), {}, 6 * 36 * 36),
        ("MatMulInteger", (Act((5, 16), dtype="float32"), Const(np.ones((16, 4), np.int8))), {}, 5 * 16 * 4),
        ("Conv", (Act((1, 2, 4, 4, 4)), weights(3, 2, 3, 3, 3)), {}, 3 * 8 * 54),
        ("ConvTranspose", (Act((1, 4, 8, 8), dtype="float32"), weights(4, 2, 2, 2)), {"strides": [2, 2]}, 256 * 8),
        ("GRU", (Act((7, 1, 4), dtype="float32"), Const(np.ones((1, 9, 4), np.float32)),
                 Const(np.ones((1, 9, 3), np.float32))), {"hidden_size": 3}, 7 * 63),
    ],
)  # fmt: skip
def test_products_on_the_cpu_have_their_macs(
    op: str, inputs: tuple[Act | Const, ...], attributes: dict[str, object], macs: int, tmp_path: Path
) -> None:
    analysis = snapshot(model(op, *inputs, out="float32", **attributes), tmp_path).by_name["N"]
    assert analysis.placement.on_cpu and analysis.cost is not None
    assert analysis.cost.macs == macs


def test_what_computes_shapes_is_folded_away_and_its_pads_are_known(tmp_path: Path) -> None:
    """torch.nn.functional.pad as PyTorch exports it, and a Reshape that keeps the batch."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,16,16] x) => (int8[a,b] y)
    <float s = {0.1}, int8 z = {0}, int64[4] given = {1, 2, 3, 0}, int64[1] four = {4}, int64[2] pairs = {-1, 2},
     int64[1] all = {-1}, int64[1] last = {-9223372036854775807}, int64[1] zero = {0}, int64 first = {0}> {
      xf = DequantizeLinear(x, s, z)
      none = ConstantOfShape <value: tensor = int64[1] {0}> (four)
      c = Concat <axis = 0> (given, none)
      r = Reshape (c, pairs)
      b = Slice (r, all, last, zero, all)
      t = Transpose <perm = [1, 0]> (b)
      p = Reshape (t, all)
      pads = Cast <to = 7> (p)
      f = Pad (xf, pads)
      q = QuantizeLinear(f, s, z)
      qf = DequantizeLinear(q, s, z)
      shape = Shape (qf)
      n = Gather (shape, first)
      n1 = Unsqueeze (n, zero)
      to = Concat <axis = 0> (n1, all)
      v = Reshape (qf, to)
      y = QuantizeLinear(v, s, z) }"""
    analysis = analysed(from_text(text, tmp_path), "4.0")
    placed = {report.layer.op: report.placement for report in analysis.layers}
    assert analysis.graph.type("f").dims == (1, 8, 19, 19) and analysis.graph.type("v").dims == (
        1,
        8 * 19 * 19,
    )
    assert placed["Pad"] is Placement.HW
    assert not {"Concat", "Slice", "Transpose", "Cast", "Shape", "Gather"} & set(placed)


def test_a_function_of_the_model_is_to_be_written_out(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
    g (float[1,8] x) => (float[1,8] y) { y = local.silu (x) }
    <domain: "local", opset_import: ["" : 18]>
    silu (a) => (b) { s = Sigmoid (a)
      b = Mul (a, s) }"""
    (finding,) = [f for f in analysed(from_text(text, tmp_path)).layers[0].forced_by if f.code == "N313"]
    assert "function of the model" in finding.message and "inline" in finding.fix


def test_eight_bit_floats_are_no_integers(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21]>
    g (float8e4m3fn[1,8] x) => (float8e4m3fn[1,8] y) <float s = {0.1}> {
      f = DequantizeLinear (x, s)
      r = Relu (f)
      y = QuantizeLinear <output_dtype = 17> (r, s) }"""
    (relu,) = [r for r in analysed(from_text(text, tmp_path)).layers if r.layer.op == "Relu"]
    assert [f.code for f in relu.forced_by] == ["N104"]


def test_integers_computed_of_an_input_are_not_folded_away(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int64[4] x) => (int64[4] y, int64[1] z) <int64[4] c = {1, 2, 3, 4}> {
      y = Add (x, c)
      s = Shape (x)
      z = Mul (s, s) }"""
    by_name = {report.layer.op: report.placement for report in analysed(from_text(text, tmp_path)).layers}
    assert by_name == {"Add": Placement.SW_FLOAT}


@pytest.mark.parametrize(("shape", "placement"), [((1, 16, 8, 8), "hw"), ((2, 16, 8, 8), "sw_float")])
def test_an_expand_that_does_nothing_costs_nothing(
    shape: tuple[int, ...], placement: str, tmp_path: Path
) -> None:
    judged = report(model("Expand", MAP, Const(np.array(shape, np.int64))), tmp_path)
    assert judged.placement.value == placement


@pytest.mark.parametrize(("opset", "noted"), [(12, True), (13, False)])
def test_scales_per_channel_need_opset_13(opset: int, noted: bool, tmp_path: Path) -> None:
    text = f"""<ir_version: 7, opset_import: ["" : {opset}]>
    g (int8[1,2] x) => (int8[1,3] y)
    <float s = {{0.1}}, int8 z = {{0}}, float[3] s3 = {{1, 2, 3}}, int8[3] z3 = {{0, 0, 0}}, int8[2,3] w = {{1, 2, 3, 4, 5, 6}}>
    {{ f = DequantizeLinear(x, s, z)
      wf = DequantizeLinear <axis = 1> (w, s3, z3)
      r = MatMul(f, wf)
      y = QuantizeLinear(r, s, z) }}"""
    (layer,) = analysed(from_text(text, tmp_path)).layers
    assert any(f.code == "N114" and "opset 12" in f.message for f in layer.findings) == noted
    assert layer.placement is (Placement.SW_FLOAT if noted else Placement.HW)


def test_what_quantizing_does_not_bring_closer_is_left_to_the_application(tmp_path: Path) -> None:
    """TopK of floats beside quantized layers: a Q/DQ pair on it would change nothing of where it runs."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8] x) => (float[1,2] v, int64[1,2] i) <float s = {0.1}, int8 z = {0}, int64[1] k = {2}>
    { f = DequantizeLinear(x, s, z) t = Tanh(f) q = QuantizeLinear(t, s, z) d = DequantizeLinear(q, s, z) v, i = TopK(d, k) }"""
    found = [
        f
        for layer in analysed(from_text(text, tmp_path)).layers
        for f in layer.findings
        if layer.layer.op == "TopK"
    ]
    assert [f.code for f in found if f.severity is Severity.ERROR] == ["N301"]
    assert "npuscope cut" in found[0].fix


def test_what_an_optimizer_wrote_has_one_remedy(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13, "com.microsoft" : 1]>
    g (float[1,8] x) => (float[1,2] y) <float[8,2] w = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}>
    { y = com.microsoft.FusedGemm <activation = "Relu"> (x, w) }"""
    found = [f for layer in analysed(from_text(text, tmp_path)).layers for f in layer.findings]
    assert {f.code for f in found} == {"N101", "N301"}
    assert len({f.fix for f in found}) == 1 and "optimizer wrote it" in found[0].fix


def test_a_slice_with_steps_is_not_told_where_to_slice(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,3,8,8] x) => (int8[1,3,4,8] y)
    <float s = {0.1}, int8 z = {0}, int64[1] b = {0}, int64[1] e = {8}, int64[1] a = {2}, int64[1] k = {2}>
    { f = DequantizeLinear(x, s, z) r = Slice(f, b, e, a, k) y = QuantizeLinear(r, s, z) }"""
    codes = [f.code for layer in analysed(from_text(text, tmp_path)).layers for f in layer.findings]
    assert "N508" in codes and "N502" not in codes
