"""Which of its reasons a rule gives, what it asks for and how sure it is: a row for each branch, one on either side of each bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.models import analysed, from_text
from builders.one_operator import Act, Const, floats, model, snapshot, weights

from npuscope.npu.verdict import Confidence, Finding

KNOWN, GUESSED, UNKNOWN = Confidence.DOCUMENTED, Confidence.INFERRED, Confidence.UNKNOWN
MAP = Act((1, 16, 8, 8))


def stated(code: str, network: str | onnx.ModelProto, folder: Path, version: str = "2.2") -> list[Finding]:
    """The findings of one rule on a model."""
    seen = (
        analysed(from_text(network, folder), version)
        if isinstance(network, str)
        else snapshot(network, folder, version)
    )
    return [finding for layer in seen.layers for finding in layer.findings if finding.code == code]


def text(body: str, opset: int = 21, domain: str = "") -> str:
    """A model of an ONNX text without its head."""
    more = f', "{domain}" : 1' if domain else ""
    return f'<ir_version: 10, opset_import: ["" : {opset}{more}]>\n{body}'


def sigmoid(dtype: str, number: int = 3, shape: str = "1,8,4,4") -> str:
    """A Sigmoid between a DequantizeLinear and a QuantizeLinear of a type."""
    return text(f"""g ({dtype}[{shape}] x) => ({dtype}[{shape}] y) <float s = {{0.1}}>
    {{ f = DequantizeLinear (x, s) r = Sigmoid (f) y = QuantizeLinear <output_dtype = {number}> (r, s) }}""")


def scales_along(axis: int, op: str, group: int = 1, stated: bool = True) -> str:
    """4x2x2x2 or 2x4x2x2 weights with four scales along an axis."""
    shape, out = ("4,2,2,2", f"1,{2 * group},5,5") if op == "ConvTranspose" else ("2,4,2,2", "1,2,3,3")
    return text(f"""g (int8[1,4,4,4] x) => (int8[{out}] y)
    <float s = {{0.1}}, int8 z = {{0}}, int8[{shape}] w = {{{",".join("1" * 32)}}}, float[4] ws = {{1, 2, 3, 4}}, int8[4] wz = {{0, 0, 0, 0}}>
    {{ f = DequantizeLinear (x, s, z) v = DequantizeLinear <axis = {axis}> (w, ws, wz)
      r = {op} {f"<group = {group}>" if stated else ""} (f, v) y = QuantizeLinear (r, s, z) }}""")


def added(wide: str) -> str:
    """An Add of steps of 0.01 and of wider ones, which the sum takes."""
    return text(f"""g (int8[1,4] x, int8[1,4] m) => (int8[1,4] y) <float s = {{0.01}}, float w = {{{wide}}}, int8 z = {{0}}>
    {{ f = DequantizeLinear(x, s, z) k = DequantizeLinear(m, w, z) r = Add(f, k) y = QuantizeLinear(r, w, z) }}""")


def pooled(indices: str) -> str:
    """A MaxPool that states where its maxima are; whether that is an output of the model."""
    return text(f"""g (int8[1,4,4,4] x) => (int8[1,4,2,2] y{indices}) <float s = {{0.01}}, int8 z = {{0}}>
    {{ f = DequantizeLinear(x, s, z) r, at = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (f) y = QuantizeLinear(r, s, z) }}""")


def twice(other: str) -> str:
    """A Relu whose result two QuantizeLinear read, the second at another scale."""
    return text(f"""g (int8[1,4] x) => (int8[1,4] y, int8[1,4] v) <float s = {{0.01}}, float t = {{{other}}}, int8 z = {{0}}>
    {{ f = DequantizeLinear(x, s, z) r = Sigmoid(f) y = QuantizeLinear(r, s, z) v = QuantizeLinear(r, t, z) }}""")


MASK = Const(np.array([0, -np.inf, -np.inf, np.nan], np.float32))
FOUR_BITS = text(f"""g (int8[1,4] x) => (int8[1,4] y) <float s = {{0.1}}, int8 z = {{0}}, int4[4,4] w = {{{",".join("1" * 16)}}}>
{{ f = DequantizeLinear (x, s, z) v = DequantizeLinear (w, s) r = MatMul (f, v) y = QuantizeLinear (r, s, z) }}""")
ON_INTEGERS = text(
    """g (float[1,8] x) => (float[1,8] y) <float s = {0.1}, int8 z = {0}>
    { q = QuantizeLinear (x, s, z) r = Relu (q) y = DequantizeLinear (r, s, z) }""",
    14,
)
BOUNDS_OF_ONE = text(
    """g (float[1,8] x) => (float[1,8] y) <float[1] a = {0.0}, float[1] b = {6.0}> { y = Clip (x, a, b) }""",
    14,
)
PARTS_OF_FLOATS = text("""g (float[1,8,4] x) => (float[1,7,4] y)
  <int64[1] o = {0}, int64[1] e = {7}, int64[1] a = {1}, int64[1] p = {1}, int64[1] q = {8}>
{ l = Slice(x, o, e, a)
  r = Slice(x, p, q, a)
  y = Mul(l, r) }""")
ANY_SHAPE = text("""g (int8[] x, int64[k] t) => (float y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z) y = Reshape(f, t) }""")


def float_bias(bias: int, scales: str = "") -> str:
    """A Conv with two biases of a size in float; they are added in steps of 1/8, 1/4 in the second of two channels."""
    ws, wz = (
        ("float[2] ws = {0.25, 0.5}", "int8[2] wz = {0, 0}")
        if scales
        else ("float ws = {0.25}", "int8 wz = {0}")
    )
    return text(f"""g (int8[1,1,2,2] x) => (int8[1,2,2,2] y)
    <float s = {{0.5}}, int8 z = {{0}}, int8[2,1,1,1] w = {{3, 4}}, {ws}, {wz}, float[2] b = {{{bias}, -{bias}}}>
    {{ f = DequantizeLinear(x, s, z) v = DequantizeLinear <axis = 0> (w, ws, wz) r = Conv(f, v, b) y = QuantizeLinear(r, s, z) }}""")


def gemm(sx: str = "0.1", sw: str = "0.1", sy: str = "0.1", sb: str = "0.01", bias: str = "1, 2") -> str:
    """A Gemm of two channels whose scales and biases can be chosen; of weight and bias, those of the first channel."""
    return text(f"""g (int8[1,2] x) => (int8[1,2] y)
    <int8[2,2] w = {{1, 2, 3, 4}}, float sx = {{{sx}}}, float[2] sw = {{{sw}, 0.1}}, float sy = {{{sy}}}, int8 z = {{0}}, int8[2] zz = {{0, 0}},
     int32[2] bq = {{{bias}}}, float[2] sb = {{{sb}, 0.01}}, int32[2] bz = {{0, 0}}>
    {{ f = DequantizeLinear(x, sx, z) v = DequantizeLinear <axis = 1> (w, sw, zz) b = DequantizeLinear <axis = 0> (bq, sb, bz)
      r = Gemm(f, v, b) y = QuantizeLinear(r, sy, z) }}""")


STATED = {"as": "float", "az": "int8", "bs": "float", "bz": "int8", "cs": "float", "cz": "int8"}


def qlinear_add(given: str, made: str = "") -> str:
    """A QLinearAdd whose scale or zero point of this name is an input, or is made of one."""
    constants = ", ".join(
        f"{t} {n} = {{{0.1 if t == 'float' else 0}}}" for n, t in STATED.items() if n != given
    )
    name = "q" if made else given
    return text(
        f"""g (int8[1,8] x, int8[1,8] b, {STATED[given]} {name}) => (int8[1,8] y) <{constants}>
    {{ {f"{given} = {made} (q)" if made else ""} y = com.microsoft.QLinearAdd (x, as, az, b, bs, bz, cs, cz) }}""",
        14,
        "com.microsoft",
    )


def dequantized(inputs: str, constants: str, made: str = "") -> str:
    """A Sigmoid behind a DequantizeLinear that reads `s` and `z`."""
    return text(f"""g (int8[1,8] x, {inputs}) => (int8[1,8] y) <float t = {{0.1}}, int8 o = {{0}}, {constants}>
    {{ {made} f = DequantizeLinear (x, s, z) r = Sigmoid (f) y = QuantizeLinear (r, t, o) }}""")


def custom(domain: str, op: str) -> str:
    """An operator of a domain."""
    return text(f"g (float[1,8] x) => (float[1,8] y) {{ y = {domain}.{op} (x) }}", 13, domain)


def concat(ratio: float) -> onnx.ModelProto:
    """A Concat whose output has this many times the scale of its second part."""
    return model("Concat", Act((1, 4, 4, 4), 0.25), Act((1, 4, 4, 4), 0.25), out_scale=0.25 * ratio, axis=1)


def depthwise(rows: int) -> onnx.ModelProto:
    """A depthwise Conv of seven columns."""
    return model("Conv", Act((1, 8, 7, 7)), weights(8, 1, rows, 7), group=8)


SAID = [
    ("N104", "2.2", sigmoid("int16", 5), "quantized to int16", "split the range", KNOWN),
    ("N104", "2.2", sigmoid("float8e4m3fn", 17), "float8e4m3fn", "in place of an 8-bit float", KNOWN),
    ("N104", "2.2", text("g (int32[1,4] x, int32[1,4] b) => (int32[1,4] y) { y = Add (x, b) }"), "int32, which is not a quantized type", "in the application", KNOWN),
    ("N105", "2.2", FOUR_BITS, "4-bit weights; version 2.2", "3.0 or later", UNKNOWN),
    ("N105", "3.0", FOUR_BITS, "", "", None),
    ("N105", "3.0", sigmoid("int4", 22), "a tensor of 4 bits", "quantize it to int8", UNKNOWN),
    ("N106", "2.2", scales_along(1, "Conv"), "axis 1, not along the output channels (axis 0)", "per output channel", UNKNOWN),
    ("N106", "2.2", scales_along(0, "ConvTranspose"), "axis 0, not along the output channels (axis 1)", "per output", UNKNOWN),
    ("N106", "2.2", scales_along(0, "ConvTranspose", stated=False), "axis 0, not along", "per output", UNKNOWN),
    ("N106", "2.2", scales_along(0, "ConvTranspose", 2), "axis 0, not along", "one scale: in groups", UNKNOWN),
    ("N107", "2.2", sigmoid("int8", shape="N,8,4,4"), "", "", None),
    ("N107", "2.2", sigmoid("int8", shape="1,8,H,4"), "until 'H' is fixed", "fix-dimensions H=...)", KNOWN),
    ("N107", "2.2", sigmoid("int8", shape="1,8,H,W"), "until 'H' (and 1 more) is", "H=... W=...)", KNOWN),
    ("N107", "2.2", sigmoid("int8", shape="1,?,4,?"), "until 'x:1' (and 1 more)", "x:1=... x:3=...)", KNOWN),
    ("N107", "2.2", sigmoid("int8", shape="1,0,4,4"), "no elements: 1x0x4x4", "a Slice or Split", KNOWN),
    ("N107", "2.2", sigmoid("int8", shape="1,2147483647,2147483647,64"), "too large", "sizes and pads", KNOWN),
    ("N107", "2.2", ANY_SHAPE, "the shape of 'f' is not known", "export the model with fixed", KNOWN),
    ("N110", "2.2", model("GlobalAveragePool", Act((1, 8, 6, 6))), "", "", None),
    ("N110", "2.2", model("GlobalAveragePool", Act((2, 8, 6, 6))), "a batch of 2", "batch 1", UNKNOWN),
    ("N112", "2.2", model("Mul", MAP, floats(2.0)), "reads a float constant", "QuantizeLinear", GUESSED),
    ("N112", "2.2", model("Mul", MAP, Const(np.ones((16, 1, 1), np.float32))), "16 float constants", "Quantize", UNKNOWN),
    ("N112", "2.2", model("Mul", Act((1, 8), dtype="float32"), floats(2.0), out="float32"), "", "", None),
    ("N112", "2.2", model("Add", Act((1, 4)), MASK), "4 float constants without a Q/DQ, 3 of which no scale", "-100", KNOWN),
    ("N113", "2.2", gemm(), "", "", None),
    ("N113", "2.2", gemm(sx="0"), "the input of Gemm has scale 0", "calibrate", UNKNOWN),
    ("N113", "2.2", gemm(sw="0"), "the weight of Gemm has scale 0 in 1 of 2 channels", "calibrate", UNKNOWN),
    ("N502", "4.0", PARTS_OF_FLOATS, "Slice along axis 1 of 1x8x4 takes a part of an input that stays float", "an input of its own", GUESSED),
    ("N502", "2.2", PARTS_OF_FLOATS, "", "", None),
    ("N113", "2.2", gemm(sb="-1"), "the bias of Gemm has scale -1 in 1 of 2 channels", "calibrate", UNKNOWN),
    ("N113", "2.2", gemm(sy="inf"), "the output of Gemm has scale inf", "calibrate", UNKNOWN),
    ("N115", "2.2", ON_INTEGERS, "Relu computes on stored integers; 'r', which it writes, gets a scale only", "constant scales", KNOWN),
    ("N114", "2.2", BOUNDS_OF_ONE, "", "", None),
    *(
        ("N115", "2.2", qlinear_add(given), f"the {what} of '{of}' is not constant, it is an input", "constant scales", KNOWN)
        for given, what, of in (("as", "scale", "x"), ("az", "zero point", "x"), ("bs", "scale", "b"), ("bz", "zero point", "b"),
                                ("cs", "scale", "y"), ("cz", "zero point", "y"))
    ),
    ("N115", "2.2", qlinear_add("cs", "Abs"), "it is computed by Abs_0 when the model runs", "constant scales", KNOWN),
    ("N115", "2.2", dequantized("float s", "int8 z = {0}"), "the scale of 'f' is not constant, it is an input", "", KNOWN),
    ("N115", "2.2", dequantized("int8 z", "float s = {0.1}"), "the zero point of 'f' is not constant, it is an", "", KNOWN),
    ("N115", "2.2", dequantized("float q", "int8 z = {0}", "s = Abs (q)"), "computed by Abs_0", "", KNOWN),
    ("N116", "2.2", twice("0.01"), "", "", None),
    ("N116", "2.2", twice("0.02"), "Sigmoid is quantized twice: with scale 0.01, zero point 0, and with scale 0.02", "share", UNKNOWN),
    ("N117", "2.2", added("2.56"), "", "", None),
    ("N117", "2.2", added("3e38"), "3e+40 times that of 'f', of whose 256 levels none", "in a mask -100", KNOWN),
    ("N117", "2.2", concat(16), "", "", None),
    ("N117", "2.2", concat(16.5), "16.5 times that of 'f0', of whose 256 levels about 16", "output of its own", KNOWN),
    ("N117", "2.2", concat(1000), "1e+03 times that of 'f0', of whose 256 levels about 1", "output of its own", KNOWN),
    ("N118", "2.2", float_bias(268435440), "", "", None),
    ("N402", "2.2", pooled(""), "", "", None),
    ("N402", "2.2", pooled(", int64[1,4,2,2] at"), "an output of indices", "no indices", UNKNOWN),
    ("N118", "2.2", float_bias(268435456), "2 of 2 biases of Conv do not fit", "1.20 or later", KNOWN),
    ("N118", "2.2", float_bias(268435456, "two"), "1 of 2 biases of Conv do not fit", "1.20 or later", KNOWN),
    ("N118", "2.2", gemm(bias="2147483646, -2147483646"), "", "", None),
    ("N118", "2.2", gemm(bias="2147483647, 1"), "1 of 2 biases of Gemm are at a limit", "1.20 or later", KNOWN),
    ("N118", "2.2", gemm(bias="-2147483648, -2147483647"), "2 of 2 biases of Gemm are at a", "1.20", KNOWN),
    ("N203", "2.1", depthwise(7), "7x7 depthwise kernel is cut in 6 sub-masks; 3 of", "at most 6 wide", GUESSED),
    ("N203", "2.2", depthwise(5), "5x7 depthwise kernel is cut in 4 sub-masks; 2 of", "at most 6 wide", GUESSED),
    ("N203", "3.0", depthwise(7), "", "", None),
    ("N313", "2.2", custom("my.ops", "Fancy"), "a custom operator (my.ops)", "cut the model there", KNOWN),
    ("N313", "2.2", custom("my.ops", "FANCY"), "a custom operator (my.ops)", "cut the model there", KNOWN),
    ("N313", "2.2", custom("my.ops", "FlexErf"), "a custom operator (my.ops)", "cut the model there", KNOWN),
    ("N313", "2.2", custom("my.ops", "FakeQuantize"), "a quantizer of OpenVINO and NNCF", "nncf.quantize", KNOWN),
    ("N313", "2.2", custom("ai.onnx.ml", "Scaler"), "an operator of classic machine learning", "cut", KNOWN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "version", "network", "message", "advice", "confidence"),
    SAID,
    ids=[f"{row[0]} {row[3] or 'silent'}" for row in SAID],
)
def test_the_reason_the_fix_and_how_sure(
    code: str,
    version: str,
    network: str | onnx.ModelProto,
    message: str,
    advice: str,
    confidence: Confidence | None,
    tmp_path: Path,
) -> None:
    found = stated(code, network, tmp_path, version)
    assert bool(found) == bool(message), found
    for finding in found[:1]:
        assert message in finding.message and advice in f"{finding.why} {finding.fix}", finding
        assert finding.confidence is confidence
