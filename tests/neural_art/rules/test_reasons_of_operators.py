"""What rules say of operators, of the borders of the graph and of versions' known bugs: a row for each branch and bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.models import analysed, from_text
from builders.one_operator import Act, Const, floats, ints, model, snapshot, weights

from npuscope.npu.verdict import Confidence, Severity

KNOWN, GUESSED, UNKNOWN = Confidence.DOCUMENTED, Confidence.INFERRED, Confidence.UNKNOWN
HEARD = Confidence.THIRD_PARTY
MAP, WIDE, CUBE = Act((1, 16, 8, 8)), Act((1, 8, 48, 48)), (1, 8, 6, 6)
FLOAT_MAP = Act((1, 8, 8, 8), dtype="float32")
S, Z = "float s = {0.1}", "int8 z = {0}"


def text(body: str) -> str:
    """A model of an ONNX text without its head."""
    return f'<ir_version: 10, opset_import: ["" : 21]>\n{body}'


def rewritten(given: str, read: str, at: str = "", read_at: str = "") -> str:
    """A Sigmoid of integers that are written with one scale and zero point, and read with another."""
    size = "" if not at else "[2]"
    (ws, wz), (rs, rz) = given.split("/"), read.split("/")
    return text(f"""g (float[1,2,2,4] x) => (int8[1,2,2,4] y)
    <float{size} ws = {{{ws}}}, int8{size} wz = {{{wz}}}, float{size} rs = {{{rs}}}, int8{size} rz = {{{rz}}}, {S}, {Z}>
    {{ q = QuantizeLinear {at} (x, ws, wz) f = DequantizeLinear {read_at or at} (q, rs, rz)
      r = Sigmoid (f) y = QuantizeLinear (r, s, z) }}""")


def same_constants(axis: int) -> str:
    """Both ends name the same constants, and perhaps another axis."""
    return text(f"""g (float[1,2,2,4] x) => (int8[1,2,2,4] y) <float[2] c = {{0.1, 0.2}}, int8[2] o = {{0, 0}}, {S}, {Z}>
    {{ q = QuantizeLinear <axis = 1> (x, c, o) f = DequantizeLinear <axis = {axis}> (q, c, o)
      r = Sigmoid (f) y = QuantizeLinear (r, s, z) }}""")


def turned(read: float) -> str:
    """A MatMul whose weights are quantized in the model, one scale a row, and turned behind their DequantizeLinear."""
    return text(f"""g (int8[1,2] x) => (int8[1,2] y)
    <float[2,2] w = {{1, 2, 3, 4}}, float[2] u = {{0.1, 0.2}}, float[2] v = {{0.1, {read}}}, int8[2] o = {{0, 0}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) wq = QuantizeLinear <axis = 0> (w, u, o) d = DequantizeLinear <axis = 0> (wq, v, o)
      t = Transpose <perm = [1, 0]> (d) r = MatMul(f, t) y = QuantizeLinear(r, s, z) }}""")


def turned_twice(axis: int) -> str:
    """Two MatMuls of one weight, each behind a DequantizeLinear and a Transpose of its own."""
    return text(f"""g (int8[1,2] x) => (int8[1,2] y, int8[1,2] n)
    <float[2,2] w = {{1, 2, 3, 4}}, float[2] u = {{0.1, 0.2}}, int8[2] o = {{0, 0}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) wq = QuantizeLinear <axis = 0> (w, u, o)
      d = DequantizeLinear <axis = {axis}> (wq, u, o) e = DequantizeLinear <axis = 0> (wq, u, o)
      t = Transpose <perm = [1, 0]> (d) v = Transpose <perm = [1, 0]> (e)
      r = MatMul(f, t) y = QuantizeLinear(r, s, z) m = MatMul(f, v) n = QuantizeLinear(m, s, z) }}""")


def padded(value: float) -> str:
    """A Pad with a value of its own around values from 0 to 25.5, which is stored from -10 on."""
    return text(f"""g (int8[1,4,6,6] x) => (int8[1,4,8,8] y)
    <float[1] v = {{{value}}}, int64[8] p = {{0, 0, 1, 1, 0, 0, 1, 1}}, float t = {{0.2}}, int8 l = {{-128}}, int8 o = {{-78}}, {S}>
    {{ f = DequantizeLinear(x, s, l) r = Pad(f, p, v) y = QuantizeLinear(r, t, o) }}""")


def narrow(weight: str, result: str, product: str = "MatMul") -> str:
    """A Gemm at these scales, its input at 0.1."""
    return text(f"""g (int8[1,2] x) => (int8[1,2] y) <int8[2,2] w = {{1, 2, 3, 4}}, float u = {{{weight}}}, float t = {{{result}}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) v = DequantizeLinear(w, u, z) r = {product}(f, v) y = QuantizeLinear(r, t, z) }}""")


def own_quantizers(weight: float, bias: float) -> str:
    """A Gemm whose weights and bias are quantized in the model at 0.1, and read with these scales."""
    return text(f"""g (int8[1,2] x) => (int8[1,2] y)
    <float[2,2] w = {{1, 2, 3, 4}}, float[2] b = {{1, 2}}, float u = {{{weight}}}, float c = {{{bias}}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) wq = QuantizeLinear(w, s, z) v = DequantizeLinear(wq, u, z)
      bq = QuantizeLinear(b, s, z) d = DequantizeLinear(bq, c, z) r = Gemm(f, v, d) y = QuantizeLinear(r, s, z) }}""")


def float_part(layers: str, more: str = "") -> str:
    """Layers in float from `x` to `n`; what follows is quantized."""
    return text(f"""g (float[1,2] x{more}) => (int8[1,2] y) <int8[2,2] w = {{1, 2, 3, 4}}, float m = {{2}}, {S}, {Z}>
    {{ {layers} q = QuantizeLinear(n, s, z) f = DequantizeLinear(q, s, z) v = DequantizeLinear(w, s, z)
      r = MatMul(f, v) y = QuantizeLinear(r, s, z) }}""")


def beside_foreign(source: str, layers: str) -> str:
    """Layers from `x` to `y` in a model with a quantizer of another tool."""
    return f"""<ir_version: 10, opset_import: ["" : 21, "my" : 1]>
    g ({source}, float[1,2] t) => (float[1,2] y, float[1,2] e) <{S}, {Z}> {{ e = my.FakeQuantize(t) {layers} }}"""


def outliers(channels: int) -> str:
    """A Gemm of two channels; in so many of them one weight is 127 and the others 1, else all are 127."""
    rows = ",".join(",".join(("127", *(("1" if c < channels else "127",) * 31))) for c in range(2))
    return text(f"""g (int8[1,32] x) => (int8[1,2] y)
    <int8[2,32] w = {{{rows}}}, float[2] ws = {{0.1, 0.1}}, int8[2] wz = {{0, 0}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) v = DequantizeLinear <axis = 0> (w, ws, wz) r = Gemm <transB = 1> (f, v) y = QuantizeLinear(r, s, z) }}""")


def ends(*tops: int, per_channel: bool = True, second: int = 0) -> str:
    """A Conv whose channels have these largest weights, and perhaps a Gemm behind it with one of `second`."""
    count = len(tops)
    rows = ",".join(f"{top},{-top // 2}" for top in tops)
    scale = f"float[{count}] ws = {{{','.join(['0.1'] * count)}}}, int8[{count}] wz = {{{','.join(['0'] * count)}}}"
    if not per_channel:
        scale = "float ws = {0.1}, int8 wz = {0}"
    behind = (
        ""
        if not second
        else (
            "m = DequantizeLinear(q, s, z) n = Flatten(m) u = DequantizeLinear(v, s, z) o = MatMul(n, u) y = QuantizeLinear(o, s, z)"
        )
    )
    more = "" if not second else f", int8[{count},2] v = {{{','.join([str(second)] * 2 * count)}}}"
    result = f"int8[1,{count},1,1] y" if not second else "int8[1,2] y"
    return text(f"""g (int8[1,2,1,1] x) => ({result}) <int8[{count},2,1,1] w = {{{rows}}}, {scale}, {S}, {Z}{more}>
    {{ f = DequantizeLinear(x, s, z) d = DequantizeLinear {"<axis = 0>" if per_channel else ""} (w, ws, wz) r = Conv(f, d)
      {"q" if second else "y"} = QuantizeLinear(r, s, z) {behind} }}""")


def picked(op: str, scale: float, zero: int = 0, between: str = "") -> str:
    """An operator that moves what it reads at scale 0.1, zero point 0, and is stored at these."""
    sizes = {"MaxPool": "2,2", "Transpose": "4,8", "AveragePool": "2,2"}[op]
    form = {"Transpose": "<perm = [0, 2, 3, 1]>"}.get(op, "<kernel_shape = [2, 2], strides = [2, 2]>")
    shape = "1,4,4,8" if op == "Transpose" else f"1,8,{sizes}"
    read = "r" if not between else "a"
    return text(f"""g (int8[1,8,4,4] x) => (int8[{shape}] y) <float t = {{{scale}}}, int8 o = {{{zero}}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) r = {op} {form} (f) {between} y = QuantizeLinear({read}, t, o) }}""")


def conv(source: Act, kernel: int, out: int = 8, group: int = 1, **attributes: object) -> onnx.ModelProto:
    """A Conv with a square kernel, in integers where its input is."""
    shape = (out, int(source.shape[1]) // group, *[kernel] * (len(source.shape) - 2))
    weight = Const(np.ones(shape, np.float32)) if source.dtype == "float32" else weights(*shape)
    out_type = "float32" if source.dtype == "float32" else "int8"
    return model("Conv", source, weight, out=out_type, group=group, **attributes)


def mean(shape: tuple[int, ...], *axes: int) -> onnx.ModelProto:
    """A ReduceMean over axes."""
    return model("ReduceMean", Act(shape), ints(*axes), keepdims=1)


def resize(mode: str, **attributes: str) -> onnx.ModelProto:
    """A Resize of height and width by 2 and 3."""
    return model("Resize", Act((1, 4, 6, 6)), None, floats(1, 1, 2, 3), mode=mode, **attributes)


def pad(*pads: int, value: Const | str | None = "none", mode: str = "constant") -> onnx.ModelProto:
    """A Pad, without a third input where none is said."""
    given = () if isinstance(value, str) else (value,)
    return model("Pad", Act((1, 4, 6, 6)[: len(pads) // 2]), ints(*pads), *given, mode=mode)


def slice_(start: int, end: int, step: int = 1, axis: int = 2) -> onnx.ModelProto:
    """A Slice of rows, or along another axis."""
    return model("Slice", Act(CUBE), ints(start), ints(end), ints(axis), ints(step))


def cast(dtype: str, to: int, out: str) -> str:
    """A Cast of an input."""
    return text(f"g ({dtype}[1,8] x) => ({out}[1,8] y) {{ y = Cast <to = {to}> (x) }}")


def feeds_conv(group: int, more: str = "") -> str:
    """A Relu whose result a Conv reads."""
    output = ", int8[1,4,6,6] e" if more else ""
    return text(f"""g (int8[1,4,6,6] x) => (int8[1,4,6,6] y{output})
    <{S}, {Z}, int8[4,{4 // group},1,1] w = {{{",".join("1" * (16 // group))}}}>
    {{ f = DequantizeLinear(x, s, z) a = Relu(f) q = QuantizeLinear(a, s, z) h = DequantizeLinear(q, s, z)
      v = DequantizeLinear(w, s, z) r = Conv <group = {group}> (h, v) y = QuantizeLinear(r, s, z) {more} }}""")


def clip(constants: str, made: str = "") -> str:
    """A Clip of `lo` and `hi`."""
    return text(f"""g (int8[1,4] x) => (int8[1,4] y) <{S}, {Z}, {constants}>
    {{ f = DequantizeLinear(x, s, z) {made} r = Clip(f, lo, hi) y = QuantizeLinear(r, s, z) }}""")


def concat(parts: int, axis: int = 1) -> onnx.ModelProto:
    """A Concat of parts with one channel more each, of equal ones along another axis."""
    return model("Concat", *[Act((1, 3 + k if axis == 1 else 3, 4, 4)) for k in range(parts)], axis=axis)


def unfolded(op: str) -> str:
    """A MatMul whose weights an operator of another tool computes from constants."""
    return f"""<ir_version: 10, opset_import: ["" : 21, "my" : 1]>
    g (int8[1,2] x) => (int8[1,2] y) <int8[2,2] w = {{1, 2, 3, 4}}, {S}, {Z}>
    {{ f = DequantizeLinear(x, s, z) v = my.{op} (w, s) r = MatMul(f, v) y = QuantizeLinear(r, s, z) }}"""


TWO_READERS = "o = Sigmoid(h) e = QuantizeLinear(o, s, z)"
JOINED = f"g (int8[1,4,2,2] x) => (int8[1,8,2,2] y) <{S}, {Z}>"
RESHAPED = f"g (float[1,8] x) => (int8[8,1] y) <{S}, {Z}, int64[2] k = {{8, 1}}>"
NORMALIZE, ISLAND = "to the application and hand over int8", "on its input and its output"
ASYMMETRIC = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}

SAID = [
    ("N101", "2.2", float_part("n = Mul(x, m)"), "Mul computes in float: its input", NORMALIZE, KNOWN),
    ("N101", "2.2", float_part("k = Sub(x, m) n = Mul(k, m)"), "Sub computes in float", NORMALIZE, KNOWN),
    ("N101", "2.2", float_part("n = Mul(x, t)", ", float[1,2] t"), "Mul computes in float", ISLAND, KNOWN),
    ("N101", "2.2", float_part("n = Sigmoid(x)"), "Sigmoid computes in float", ISLAND, KNOWN),
    ("N101", "2.2", text("g (float[1,2] x) => (float[1,2] y) { y = Relu(x) }"), "Relu computes in float: its input", "npuscope quantize", KNOWN),
    ("N101", "2.2", text(f"g (int8[1,2] x) => (float[1,2] y) <{S}, {Z}> {{ f = DequantizeLinear(x, s, z) y = Relu(f) }}"),
     "Relu writes float", "pair behind its output", KNOWN),
    ("N101", "2.2", text(f"g (float[1,2] x) => (float[1,2] y) <int8[2,2] w = {{1, 2, 3, 4}}, {S}, {Z}> {{ v = DequantizeLinear(w, s, z) y = MatMul(x, v) }}"),
     "int8 weights but computes in float", "quantize activations as well", KNOWN),
    ("N101", "2.2", beside_foreign("float[1,2] x", "y = Relu(x)"), "the model is quantized by operators of OpenVINO", "nncf.quantize", KNOWN),
    ("N101", "2.2", beside_foreign("int8[1,2] x", "f = DequantizeLinear(x, s, z) y = Relu(f)"), "Relu writes float", "behind its output", KNOWN),
    ("N116", "2.2", rewritten("0.1/0", "0.1/0"), "", "", None),
    ("N116", "2.2", rewritten("0.1/0", "0.1/3"), "with scale 0.1, zero point 3, it was written with scale 0.1, zero point 0", "", UNKNOWN),
    ("N116", "2.2", rewritten("0.1/0", "0.2/0"), "with scale 0.2, zero point 0", "the same scale and zero point", UNKNOWN),
    ("N116", "2.2", rewritten("0.1/0", "0/0"), "", "", None),
    ("N116", "2.2", rewritten("0.1, 0.2/0, 0", "0.1, 0.2/0, 0", "<axis = 1>"), "", "", None),
    ("N116", "2.2", rewritten("0.1, 0.2/0, 0", "0.1, 0.3/0, 0", "<axis = 1>"), "with 2 scales from 0.1 to 0.3", "", UNKNOWN),
    ("N116", "2.2", rewritten("0.1, 0.2/0, 0", "0.1, 0.2/0, 1", "<axis = 1>"), "with 2 scales from 0.1 to 0.2", "", UNKNOWN),
    ("N116", "2.2", rewritten("0.1, 0.2/0, 0", "0.1, 0.2/0, 0", "<axis = 1>", "<axis = 2>"), "with 2 scales", "", UNKNOWN),
    ("N116", "2.2", same_constants(1), "", "", None),
    ("N116", "2.2", same_constants(2), "with 2 scales from 0.1 to 0.2", "", UNKNOWN),
    ("N116", "2.2", turned(0.2), "", "", None),
    ("N116", "2.2", turned(0.3), "with 2 scales from 0.1 to 0.3", "", UNKNOWN),
    ("N116", "2.2", turned_twice(0), "", "", None),
    ("N116", "2.2", turned_twice(1), "with 2 scales from 0.1 to 0.2", "", UNKNOWN),
    ("N116", "2.2", own_quantizers(0.1, 0.1), "", "", None),
    ("N116", "2.2", own_quantizers(0.2, 0.1), "Gemm reads 'wq' with scale 0.2", "", UNKNOWN),
    ("N116", "2.2", own_quantizers(0.1, 0.2), "Gemm reads 'bq' with scale 0.2", "", UNKNOWN),
    ("N201", "2.2", conv(Act((1, 254, 8, 8)), 3), "", "", None),
    ("N122", "2.2", ends(64, 64, 63, 64), "end at 64 of 127 steps in every channel", "reduce_range=False", KNOWN),
    ("N122", "2.2", ends(64, 64, 0, 64, 12, 64), "in every channel", "reduce_range=False", KNOWN),
    ("N122", "2.2", ends(64, 64, 64), "", "", None),
    ("N122", "2.2", ends(64, 65, 64, 64), "", "", None),
    ("N122", "2.2", ends(64, 20, 30, 40), "", "", None),
    ("N122", "2.2", ends(64, 20, per_channel=False), "here as in all layers", "reduce_range=False", KNOWN),
    ("N122", "2.2", ends(64, 20, per_channel=False, second=64), "here as in all layers", "reduce_range=False", KNOWN),
    ("N122", "2.2", ends(64, 20, per_channel=False, second=100), "", "", None),
    ("N123", "2.2", picked("MaxPool", 0.1), "", "", None),
    ("N123", "2.2", picked("MaxPool", 0.10015), "", "", None),
    ("N123", "2.2", picked("MaxPool", 0.05), "to scale 0.05, zero point 0: what is above 6.35 is cut, and it may reach 12.7", "of its input", KNOWN),
    ("N123", "2.2", picked("MaxPool", 0.11, 30), "what is above 10.7 is cut", "of its input", KNOWN),
    ("N123", "2.2", picked("Transpose", 0.2), "Transpose moves values from scale 0.1, zero point 0, to scale 0.2, zero point 0; each is rounded", "of its input", KNOWN),
    ("N123", "2.2", picked("Transpose", 0.11, -30), "what is below -10.8 is cut, and it may reach -12.8", "of its input", KNOWN),
    ("N123", "2.2", picked("MaxPool", 0.05, between="a = Relu(r)"), "", "", None),
    ("N123", "2.2", picked("AveragePool", 0.05), "", "", None),
    ("N123", "2.2", padded(-10.0), "", "", None),
    ("N123", "2.2", padded(0.0), "each is rounded once more", "of its input", KNOWN),
    ("N124", "2.2", narrow("0.1", "1e-12"), "2.55e-10, is less than one step of its sums, 0.01", "never answers", KNOWN),
    ("N124", "2.2", narrow("0.1", "0.00003"), "0.00765, is less", "never answers", KNOWN),
    ("N124", "2.2", narrow("0.1", "0.00004"), "", "", None),
    ("N124", "2.2", narrow("0.1", "0.00003", "Gemm <alpha = 0.5>"), "", "", None),
    ("N124", "2.2", narrow("0.1", "0.00003", "Gemm <alpha = 1.5>"), "less than one step of its sums, 0.015", "never answers", KNOWN),
    ("N120", "2.2", outliers(0), "", "", None),
    ("N120", "2.2", outliers(1), "one weight in channel 0 of Gemm is 127 times the next", "clip that weight", KNOWN),
    ("N120", "2.2", outliers(2), "sets the scale in 2 of 2 channels of Gemm; in channel 0 it is 127 times", "clip that", KNOWN),
    ("N201", "2.2", conv(Act((1, 257, 8, 8)), 3), "257 input", "is prime: 1 channel at a time takes 257 accumulation", GUESSED),
    ("N201", "2.2", conv(Act((1, 514, 8, 8)), 3), "514 input", "few factors: 2 channels at a time take 257", GUESSED),
    ("N201", "2.2", conv(Act((1, 257 * 32, 3, 3)), 3), "8224 input", "8 channels at a time on 4 accelerators in series take 257", GUESSED),
    ("N206", "2.2", model("MatMul", Act((1, 1, 4, 8)), Act((1, 1, 8, 4))), "it runs as a software Conv", "", KNOWN),
    ("N206", "2.2", model("MatMul", Act((1, 2, 4, 8)), Act((1, 2, 8, 4))), "it runs as 2 software Convs, one per", "", KNOWN),
    ("N206", "2.2", unfolded("FakeQuantize"), "weights that FakeQuantize (FakeQuantize_1) computes", "nncf.quantize", KNOWN),
    ("N206", "2.2", unfolded("Odd"), "weights that Odd (Odd_1) computes", "fold constants when exporting", KNOWN),
    ("N207", "2.2", model("Gemm", Act((1, 8)), weights(8, 4), Act((1, 4))), "an activation as its bias", "with an Add", HEARD),
    ("N209", "2.2", conv(WIDE, 4, strides=[4, 4]), "", "", None),
    ("N209", "2.2", conv(WIDE, 3, strides=[3, 3]), "stride and kernel of 3x3", "a stride of 1, 2 or 4", GUESSED),
    ("N209", "2.2", conv(WIDE, 8, strides=[8, 8]), "stride 8x8: the stride registers hold at most 7", "slice the", UNKNOWN),
    ("N209", "2.2", conv(WIDE, 3, strides=[4, 4]), "stride 4x4 is larger than the 3x3 kernel", "fold the stride", KNOWN),
    ("N209", "2.2", conv(FLOAT_MAP, 1, strides=[2, 2]), "", "", None),
    ("N209", "4.0", conv(WIDE, 5, strides=[3, 1]), "strides of 3x1: the CPU runs this Conv", "one stride in both", GUESSED),
    ("N209", "4.0", conv(WIDE, 5, strides=[2, 1]), "", "", None),
    ("N303", "2.2", model("Softmax", MAP), "Softmax has no NPU unit", "--expand-softmax", KNOWN),
    ("N305", "2.2", model("PRelu", MAP, weights(16, 1, 1)), "", "", None),
    ("N309", "2.2", model("LayerNormalization", MAP, floats(*[1.0] * 8), axis=-1), "has no NPU unit", "ST's table does not list it", UNKNOWN),
    ("N309", "4.0", model("LayerNormalization", MAP, floats(*[1.0] * 8), axis=-1), "no NPU unit", "taken apart into ten", HEARD),
    ("N309", "2.2", model("LRN", MAP, size=3), "LRN has no NPU unit", "train without it", KNOWN),
    ("N403", "2.2", mean(CUBE, 2, 3), "", "", None),
    ("N403", "2.2", mean(CUBE, 3), "", "", None),
    ("N403", "2.2", mean((1, 8, 6, 1), 2), "", "", None),
    ("N403", "2.2", mean(CUBE, 1, 2), "over axes 1, 2, not over the last", "reduce the last axes", KNOWN),
    ("N403", "2.2", mean((1, 2, 6, 6), 1), "over axis 1, not over the last", "reduce the last axes", KNOWN),
    ("N403", "2.2", mean((1, 6, 8), 1), "over axis 1, not over the last", "reduce the last axes", KNOWN),
    ("N403", "2.2", mean(CUBE, 1, 2, 3), "over axes 1, 2, 3 is not a pooling", "last one or two axes only", UNKNOWN),
    ("N403", "2.2", mean((2, 8, 6, 6), 0), "over axis 0 is not a pooling", "last one or two axes only", UNKNOWN),
    ("N501", "2.2", concat(8), "+ 9 + 10 channels: unequal parts", "3.0 or later", GUESSED),
    ("N501", "2.2", concat(9), "+ 9 + 10 + ... channels: unequal parts", "3.0 or later", GUESSED),
    ("N501", "2.2", concat(2, 2), "along axis 2 of 1x3x8x4: the parts interleave", "along the channels", GUESSED),
    ("N503", "2.2", model("Transpose", MAP, perm=[0, 2, 3, 1]), "", "", None),
    ("N503", "2.2", model("Transpose", MAP, perm=[0, 1, 3, 2]), "of 1x16x8x8 by (0, 1, 3, 2)", "only the channels", GUESSED),
    ("N504", "2.2", resize("nearest", **ASYMMETRIC), "nearest by 2 x 3: copies on the NPU", "on a wider Conv", GUESSED),
    ("N504", "2.2", resize("nearest"), "nearest by 2 x 3: only nearest, asymmetric and floor", "mode=nearest", KNOWN),
    ("N504", "2.2", resize("linear"), "linear by 2 x 3: it has no unit", "mode=nearest", KNOWN),
    ("N504", "2.2", resize("cubic"), "cubic by 2 x 3: it has no unit", "mode=nearest", UNKNOWN),
    ("N505", "2.2", pad(0, 0, 1, 1, 0, 0, 1, 1, mode="edge"), "Pad has mode 'edge'", "pad with a constant", UNKNOWN),
    ("N505", "2.2", pad(0, 1, 0, 0, 0, 0, 0, 0), "adds 1 to the channels: a Transpose", "zero weights", GUESSED),
    ("N505", "2.2", pad(0, -1, 0, 0, 0, 0, 0, 0), "takes 1 from the channels", "zero weights", UNKNOWN),
    ("N505", "2.2", pad(1, 0, 0, 0, 0, 0, 0, 0), "adds 1 to the batch", "zero weights", UNKNOWN),
    ("N505", "2.2", pad(0, 1, 0, 0, 0, 0), "adds 1 to the channels", "zero weights", UNKNOWN),
    ("N506", "2.2", model("DepthToSpace", MAP, blocksize=2, mode="CRD"), "has mode CRD", "use mode DCR", KNOWN),
    ("N506", "2.2", model("DepthToSpace", MAP, blocksize=2), "a routine in which the CPU drives", "strided Conv", KNOWN),
    ("N508", "2.2", slice_(0, 6), "", "", None),
    ("N508", "2.2", slice_(0, 6, 2), "Slice takes steps of 2", "(edit slice-to-conv)", UNKNOWN),
    ("N508", "2.2", slice_(0, 3, 2), "Slice takes steps of 2", "(edit slice-to-conv)", UNKNOWN),
    ("N508", "2.2", slice_(5, -9, -1), "Slice takes steps of -1", "without the reversal", UNKNOWN),
    ("N508", "2.2", slice_(0, 8, 2, 1), "Slice takes steps of 2", "picks the same channels", UNKNOWN),
    ("N509", "2.2", cast("uint8", 1, "float"), "from uint8 to float32 is a routine", "change of type", GUESSED),
    ("N509", "2.2", cast("float", 6, "int32"), "from float32 to int32 is a routine", "change of type", UNKNOWN),
    ("N509", "2.2", text(f"g (uint8[1,8] x) => (int8[1,8] y) <{S}, {Z}> {{ c = Cast <to = 1> (x) y = QuantizeLinear(c, s, z) }}"),
     "and the QuantizeLinear behind it runs on the CPU", "let the input be int8", GUESSED),
    ("N602", "2.2", text(RESHAPED + "{ r = Erf(x) h = Reshape(r, k) y = QuantizeLinear(h, s, z) }"),
     "its QuantizeLinear runs on the CPU", "move the QuantizeLinear before it", GUESSED),
    ("N602", "2.2", text(JOINED + "{ f = DequantizeLinear(x, s, z) r = Relu(f) c = Concat <axis = 1> (f, r) y = QuantizeLinear(c, s, z) }"),
     "the floats are quantized on the CPU", "put a Q/DQ pair behind", GUESSED),
    ("N701", "4.0.1", conv(Act((1, 8, 8, 8)), 3, group=8), "", "", None),
    ("N701", "4.0.1", conv(Act((1, 8, 8, 8)), 3, group=8, strides=[2, 2]), "", "", None),
    ("N701", "4.0.1", conv(Act((1, 8, 8, 8)), 1, group=8, strides=[2, 2]), "", "", None),
    ("N701", "4.0.1", conv(Act((1, 8, 16)), 3, group=8, strides=[2]), "stride 2: such layers were", "use stride 1 here", HEARD),
    ("N701", "4.0.1", conv(FLOAT_MAP, 3, group=8, strides=[2, 2]), "", "", None),
    ("N702", "4.0.1", pad(0, 0, 1, 1, 0, 0, 1, 1), "", "", None),
    ("N702", "4.0.1", pad(0, 0, 1, 1, 0, 0, 1, 1, value=floats(0.0)), "", "", None),
    ("N702", "4.0.1", pad(0, 0, 1, 1, 0, 0, 1, 1, value=None), "an empty third input", "omit trailing", HEARD),
    ("N702", "4.0.1", pad(0, 0, 1, 1, 0, 0, 1, 1, value=Const(np.array(0, np.float32))), "a scalar as its", "one element", HEARD),
    ("N703", "4.0.1", slice_(0, 2**31 - 2), "", "", None),
    ("N703", "4.0.1", slice_(0, 2**31 - 1), "Slice has an end that", "the size of the dimension", HEARD),
    ("N703", "4.0.1", slice_(-(2**31), 3), "Slice has a start that", "the size of the dimension", HEARD),
    ("N704", "4.0.1", model("Add", Act(CUBE, 0.1), Act(CUBE, 0.1)), "", "", None),
    ("N704", "4.0.1", model("Add", Act(CUBE, 0.1), Act(CUBE, 0.25)), "of scales 0.1 and 0.25 into 0.1: an operand is 2.50 times as coarse", "compare", HEARD),
    ("N704", "4.0.1", model("Add", Act(CUBE, 0.1), Act(CUBE, 0.05)), "", "", None),
    ("N704", "4.0.1", model("Add", Act(CUBE, 0.1), Act(CUBE, 0.18)), "", "", None),
    ("N704", "4.0.1", model("Add", Act(CUBE), weights(8, 1, 1)), "", "", None),
    ("N704", "4.0.1", model("Add", Act(CUBE, 0.1), Act(CUBE, 0.25), out="float32"), "", "", None),
    ("N705", "4.0.1", feeds_conv(4), "Relu feeds a depthwise Conv", "--force-all-in-out-to-mem", HEARD),
    ("N705", "4.0.1", feeds_conv(1), "", "", None),
    ("N705", "4.0.1", feeds_conv(4, TWO_READERS), "", "", None),
    ("N706", "4.0.1", clip("float lo = {0}, float hi = {6}"), "", "", None),
    ("N706", "4.0.1", clip("float lo = {0}", "hi = Constant <value_float = 6.0> ()"), "", "", None),
    ("N706", "4.0.1", clip("float lo = {0}, int8 h = {60}", "hi = DequantizeLinear(h, s, z)"), "the upper bound of Clip comes from", "float", HEARD),
    ("N706", "4.0.1", clip("int8 l = {0}, float hi = {6}", "lo = DequantizeLinear(l, s, z)"), "the lower bound of Clip comes from", "float", HEARD),
    ("N707", "4.0.1", text("g (float[1,8] x) => (float[1,8] y) { y = Relu(x) }"), "", "", None),
    ("N707", "4.0.1", text("g (float[8] x) => (float[8] y) { y = Relu(x) }"), "graph input 'x' has one dimension", "leading", HEARD),
    ("N707", "4.0.1", text(f"g (int8[8] x) => (int8[8] y) <{S}, {Z}> {{ f = DequantizeLinear(x, s, z) r = Sigmoid(f) y = QuantizeLinear(r, s, z) }}"),
     "graph input 'x' has one dimension", "leading", HEARD),
    ("N707", "4.0.1", text("g (float[2,4] x) => (float[8] y) <int64[1] k = {8}> { r = Reshape(x, k) y = Relu(r) }"), "", "", None),
    ("N708", "4.0.1", text("g (float[1,4] x) => (float[1,4] y) <bool[1,4] m = {1, 0, 1, 0}, float o = {0}> { y = Where(m, x, o) }"), "", "", None),
    ("N708", "4.0.1", text("g (bool[1,4] m, float[1,4] x) => (float[1,4] y) <float o = {0}> { y = Where(m, x, o) }"), "Where has boolean", "int8", HEARD),
    ("N708", "4.0.1", text("g (float[1,4] x) => (bool[1,4] y) <float o = {0}> { y = Greater(x, o) }"), "Greater has boolean", "int8", HEARD),
    ("N709", "4.0.1", conv(Act((1, 8, 1, 1)), 1), "", "", None),
    ("N709", "4.0.1", conv(Act((1, 8, 1, 2)), 1, group=2), "", "", None),
    ("N709", "4.0.1", conv(Act((1, 8, 1, 1)), 1, group=2), "2 groups on a map of one position", "groups = 1", HEARD),
    ("N902", "2.2", conv(Act((1, 64, 1, 1)), 1, 63), "", "", None),
    ("N902", "2.2", conv(Act((1, 64, 1, 1)), 1, 64), "each of the 4 096 weights is used once", "several frames", GUESSED),
    ("N902", "2.2", conv(Act((1, 64, 1, 2)), 1, 64), "", "", None),
    ("N903", "2.2", conv(Act((1, 64, 16, 16)), 1, 48), "", "", None),
    ("N903", "2.2", conv(Act((1, 64, 16, 16)), 1, 27), "", "", None),
    ("N903", "2.2", conv(Act((1, 64, 16, 16)), 1, 29), "29 output channels take 29 passes of 1; 48 would take 2 of 24", "to 48", GUESSED),
    ("N904", "2.2", conv(Act((1, 11, 8, 8)), 3, 64), "", "", None),
    ("N904", "2.2", conv(Act((1, 13, 8, 8)), 3, 64), "13 input channels take 29 952 compute cycles; 14", "to 14", GUESSED),
    ("N904", "2.2", conv(Act((1, 64, 8, 8)), 3, 64), "", "", None),
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
    seen = (
        analysed(from_text(network, tmp_path), version)
        if isinstance(network, str)
        else snapshot(network, tmp_path, version)
    )
    found = [finding for layer in seen.layers for finding in layer.findings if finding.code == code]
    assert bool(found) == bool(message), found
    for finding in found[:1]:
        assert message in finding.message and advice in f"{finding.why} {finding.fix}", finding
        assert finding.confidence is confidence


@pytest.mark.parametrize(("rows", "stride", "reported"), [(1, [1, 2], True), (2, [2, 2], False)])
def test_strided_depthwise_convs_of_one_row_are_the_ones_that_hung(
    rows: int, stride: list[int], reported: bool, tmp_path: Path
) -> None:
    network = model("Conv", Act((1, 8, 8, 16)), weights(8, 1, rows, 3), group=8, strides=stride)
    found = [f for f in snapshot(network, tmp_path, "4.0.1").by_name["N"].findings if f.code == "N701"]
    assert [finding.severity for finding in found] == [Severity.WARNING] * reported
