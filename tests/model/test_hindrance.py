"""What hides the quantization of a model, in the words of its findings and its plan."""

from pathlib import Path

import pytest
from builders.models import analysed, from_text

from npuscope.model.validity.foreign import obstacle, unfolded

HEAD = '<ir_version: 8, opset_import: ["" : 17, "org.openvinotoolkit" : 1, "com.microsoft" : 1]>\n'
HELD = "<float s = {0.1}, int8 z = {0}, float c = {2.0}, float lo = {-128.0}, float hi = {127.0}, float[4,4] w = "
HELD += "{1,2,3,4,1,2,3,4,1,2,3,4,1,2,3,4}>"
BODIES = {
    "dynamic": ("{ q, qs, qz = DynamicQuantizeLinear(x)  f = DequantizeLinear(q, qs, qz)  y = MatMul(f, w) }", "at run time"),
    "arithmetic": (
        "{ d = Div(x, s)  r = Round(d)  k = Clip(r, lo, hi)  f = Mul(k, s)  y = MatMul(f, w) }", "by arithmetic"),
    "arithmetic, clipped first": (
        "{ d = Mul(x, c)  k = Clip(d, lo, hi)  r = Round(k)  f = Div(r, c)  y = MatMul(f, w) }", "by arithmetic"),
    "arithmetic with a zero point": (
        "{ d = Mul(x, c)  r = Round(d)  a = Add(r, s)  k = Clip(a, lo, hi)  m = Sub(k, s)  f = Mul(m, s)  y = MatMul(f, w) }",
        "by arithmetic"),
    "a sum that is rounded": ("{ a = Add(x, s)  r = Round(a)  k = Clip(r, lo, hi)  y = MatMul(k, w) }", ""),
    "arithmetic to bytes": (
        ("{ d = Div(x, s)  r = Round(d)  k = Clip(r, lo, hi)  b = Cast <to = 3> (k)  e = Cast <to = 1> (b)  f = Add(e, s)"
        "  y = MatMul(f, w) }"), "by arithmetic"),
    "a training tool": ("{ f, m = com.microsoft.FakeQuant(x, s, c)  y = MatMul(f, w) }", "onnxruntime-training"),
    "an older name of MQBench's": ("{ f = LearnablePerTensorAffine(x, s, z)  y = MatMul(f, w) }", "MQBench"),
    "another tool": ("{ f = org.openvinotoolkit.FakeQuantize(x)  y = MatMul(f, w) }", "OpenVINO"),
    "rounding alone": ("{ r = Round(x)  y = MatMul(r, w) }", ""),
    "none": ("{ y = MatMul(x, w) }", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_what_hides_the_quantization(name: str, tmp_path: Path) -> None:
    body, words = BODIES[name]
    source = from_text(f"{HEAD}g (float[1,4] x) => (float[1,4] y)\n{HELD}\n{body}", tmp_path)
    reason = obstacle(source.graph)
    assert (words in reason) if words else not reason
    multiplied = next(r for r in analysed(source).layers if r.layer.op == "MatMul")
    messages = " ".join(f.message for f in multiplied.findings)
    assert words in messages


def test_weights_that_are_not_folded_are_no_activation(tmp_path: Path) -> None:
    body = "{ k = org.openvinotoolkit.FakeQuantize(w)  y = MatMul(x, k) }"
    source = from_text(f"{HEAD}g (float[1,4] x) => (float[1,4] y)\n{HELD}\n{body}", tmp_path)
    node = unfolded(source.graph, "k")
    assert node is not None and node.op == "FakeQuantize"
    assert unfolded(source.graph, "x") is None
    listed = [f.message for r in analysed(source).layers for f in r.findings if f.code == "N206"]
    assert listed and "computes from constants" in listed[0]


def test_foreign_quantizers_keep_the_shape_of_their_data(tmp_path: Path) -> None:
    head = '<ir_version: 8, opset_import: ["" : 17, "com.vai.quantize" : 1]>\n'
    body = (
        "g (float[1,4] x) => (float[1,4] y) <float s = {0.1}, int8 z = {0}> {"
        " q = com.vai.quantize.VitisQuantizeLinear(x, s, z)  f = com.vai.quantize.VitisDequantizeLinear(q, s, z)"
        " y = Relu(f) }"
    )
    graph = from_text(head + body, tmp_path).graph
    assert [graph.type(name).dims for name in "qfy"] == [(1, 4)] * 3
    assert graph.type("q").dtype == "unknown" and graph.type("f").dtype == "float32"


QUANTIZED = """{head}g (float[2,8] x) => (float[2,4] y)
<float s = {{0.1}}, int8 z = {{0}}, float half = {{0.5}}, float lo = {{-128.0}}, float hi = {{127.0}}, int8[8,4] w = {{{w}}},
 float[1,4] each = {{0.1, 0.2, 0.3, 0.4}}> {{ {body} }}"""
VALUES = ", ".join(str(i - 16) for i in range(32))
BESIDE = {
    "weights that operators scale": (
        ("q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z) c = Cast <to = 1> (w) v = Mul(c, each) m = MatMul(f, v)"
        " k = QuantizeLinear(m, s, z) y = DequantizeLinear(k, s, z)"),
        "MatMul", "has weights stored as int8 that operators bring to their scale"),
    "weights that are float": (
        ("q = QuantizeLinear(x, s, z) f = DequantizeLinear(q, s, z) c = Cast <to = 1> (w) m = MatMul(f, c)"
        " k = QuantizeLinear(m, s, z) y = DequantizeLinear(k, s, z)"),
        "MatMul", "has float weights"),
    "a quantizer by hand before those of ONNX": (
        ("d = Div(x, s) r = Round(d) k = Clip(r, lo, hi) b = Cast <to = 3> (k) f = DequantizeLinear(b, s, z)"
        " v = DequantizeLinear(w, s, z) m = MatMul(f, v) o = QuantizeLinear(m, s, z) y = DequantizeLinear(o, s, z)"),
        "Div", "computes in float: the model quantizes by arithmetic"),
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_arithmetic_is_named_beside_quantized_layers(name: str, tmp_path: Path) -> None:
    body, op, words = BESIDE[name]
    source = from_text(QUANTIZED.format(head=HEAD, w=VALUES, body=body), tmp_path)
    messages = [f.message for r in analysed(source).layers if r.layer.op == op for f in r.findings]
    assert any(words in message for message in messages), messages
