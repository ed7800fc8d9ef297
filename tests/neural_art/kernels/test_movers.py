"""Concat, Transpose, Pad and PRelu: which kernel, and the cause that is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import analysed, from_text

from npuscope.snapshot import LayerReport

HEAD = '<ir_version: 8, opset_import: ["" : 13]>'


def reported(text: str, folder: Path, toolchain: str, kind: str) -> list[LayerReport]:
    snapshot = analysed(from_text(text, folder), toolchain)
    return [r for r in snapshot.layers if r.layer.kind == kind]


def concat(left: int, right: int, shared: bool, scale: str = "s") -> str:
    """Two parts of [1, n, 8, 8] behind Relus; a shared part is read by a Sigmoid as well. `scale` is the Concat's."""
    outputs = f"int8[1,{left + right},8,8] y" + (f", int8[1,{left},8,8] k" if shared else "")
    reader = "h = Sigmoid(c)  k = QuantizeLinear(h, t, z)" if shared else ""
    return f"""{HEAD}
g (int8[1,{left},8,8] a, int8[1,{right},8,8] b) => ({outputs}) <float s = {{0.1}}, float t = {{0.2}}, int8 z = {{0}}>
{{ f = DequantizeLinear(a, t, z)  g = DequantizeLinear(b, t, z)
  i = Relu(f)  j = Relu(g)
  iq = QuantizeLinear(i, s, z)  jq = QuantizeLinear(j, s, z)
  c = DequantizeLinear(iq, s, z)  d = DequantizeLinear(jq, s, z)
  {reader}
  r = Concat <axis = 1> (c, d)
  y = QuantizeLinear(r, {scale}, z) }}"""


@pytest.mark.parametrize(
    ("left", "right", "shared", "scale", "toolchain", "placement"),
    [
        (16, 16, True, "s", "2.2", "hw"),
        (16, 8, False, "s", "2.2", "hw"),  # eight channels at a time; 128 of FaceNet (2.2)
        (16, 8, True, "s", "2.2", "hybrid"),
        (64, 4, False, "s", "2.1", "hybrid"),  # the boxes and classes of yolov8n
        (16, 8, False, "t", "2.2", "hybrid"),
        (16, 8, False, "s", "3.0", "hw"),
        (16, 8, True, "s", "3.0", "hybrid"),
        (16, 8, True, "t", "4.0", "hw"),
        (16, 16, True, "s", "4.0", "hw"),
    ],
)
def test_channel_concat(
    left: int, right: int, shared: bool, scale: str, toolchain: str, placement: str, tmp_path: Path
) -> None:
    (layer,) = reported(concat(left, right, shared, scale), tmp_path, toolchain, "Concat")
    assert layer.placement.value == placement
    assert [f.code for f in layer.forced_by] == ([] if placement == "hw" else ["N501"])
    assert all(f.cause.startswith("concat") for f in layer.forced_by)


def resized(mode: str, channels: int, toolchain: str, folder: Path) -> str:
    """Where a map of `channels`, twice as large, is joined with one of 16 of the same scale."""
    whole = channels + 16
    how = (
        ', coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"' if mode == "nearest" else ""
    )
    text = f"""{HEAD}
g (int8[1,{channels},4,4] a, int8[1,16,8,8] b) => (int8[1,{whole},8,8] y)
<float s = {{0.1}}, int8 z = {{0}}, float[4] n = {{1, 1, 2, 2}}, float[0] e = {{}}>
{{ f = DequantizeLinear(a, s, z)  g = DequantizeLinear(b, s, z)
  i = Resize <mode = "{mode}"{how}> (f, e, n)  j = Relu(g)
  iq = QuantizeLinear(i, s, z)  jq = QuantizeLinear(j, s, z)
  c = DequantizeLinear(iq, s, z)  d = DequantizeLinear(jq, s, z)
  r = Concat <axis = 1> (c, d)
  y = QuantizeLinear(r, s, z) }}"""
    (layer,) = reported(text, folder, toolchain, "Concat")
    return layer.placement.value


@pytest.mark.parametrize(
    ("mode", "channels", "toolchain", "placement"),
    [
        ("linear", 32, "4.0", "hybrid"),  # a gauge reader
        ("linear", 16, "4.0", "hw"),  # the five parts of a DeepLabV3
        ("nearest", 32, "4.0", "hw"),  # every yolov8n
    ],
)
def test_a_concat_of_what_the_cpu_wrote(
    mode: str, channels: int, toolchain: str, placement: str, tmp_path: Path
) -> None:
    assert resized(mode, channels, toolchain, tmp_path) == placement


@pytest.mark.parametrize(("shape", "placement"), [("1,1", "hw"), ("1,3", "hybrid")])
def test_concat_of_rows(shape: str, placement: str, tmp_path: Path) -> None:
    """With one dimension that is not 1 there is one order only."""
    text = f"""{HEAD}
g (int8[{shape},8] a, int8[{shape},6] b) => (int8[{shape},14] y) <float s = {{0.1}}, int8 z = {{0}}>
{{ f = DequantizeLinear(a, s, z)  h = DequantizeLinear(b, s, z)
  r = Concat <axis = 2> (f, h)
  y = QuantizeLinear(r, s, z) }}"""
    (layer,) = reported(text, tmp_path, "2.1", "Concat")
    assert layer.placement.value == placement


def residual(planar_first: bool, pooled: bool, again: bool) -> str:
    """A block of blazeface: channels padded between two Transposes of rows, an Add, and the next Transpose."""
    operands = "u, c" if planar_first else "c, u"
    pool = "MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (v)" if pooled else "Relu(v)"
    size = 4 if pooled else 8
    more = "b = Sigmoid(o)  k = QuantizeLinear(b, s, z)" if again else ""
    outputs = f"int8[1,{size},6,{size}] y" + (f", int8[1,6,{size},{size}] k" if again else "")
    return f"""{HEAD}
g (int8[1,4,8,8] x, int8[1,6,8,8] w) => ({outputs})
<float s = {{0.1}}, int8 z = {{0}}, int64[8] p = {{0, 0, 0, 0, 0, 0, 2, 0}}>
{{ f = DequantizeLinear(x, s, z)  c = DequantizeLinear(w, s, z)
  t = Transpose <perm = [0, 2, 1, 3]> (f)  tq = QuantizeLinear(t, s, z)  td = DequantizeLinear(tq, s, z)
  a = Pad(td, p)  aq = QuantizeLinear(a, s, z)  ad = DequantizeLinear(aq, s, z)
  n = Transpose <perm = [0, 2, 1, 3]> (ad)  nq = QuantizeLinear(n, s, z)  u = DequantizeLinear(nq, s, z)
  e = Add({operands})  eq = QuantizeLinear(e, s, z)  v = DequantizeLinear(eq, s, z)
  q = {pool}  qq = QuantizeLinear(q, s, z)  o = DequantizeLinear(qq, s, z)
  {more}
  l = Transpose <perm = [0, 2, 1, 3]> (o)
  y = QuantizeLinear(l, s, z) }}"""


@pytest.mark.parametrize(
    ("planar_first", "pooled", "again", "placement"),
    [
        (True, True, False, "hw"),
        (True, False, False, "hw"),
        (False, True, False, "hybrid"),
        (True, True, True, "hybrid"),
    ],
)
def test_rows_of_a_planar_stream(
    planar_first: bool, pooled: bool, again: bool, placement: str, tmp_path: Path
) -> None:
    """The batch of the first operand decides, and whether anything else reads the stream."""
    layers = reported(residual(planar_first, pooled, again), tmp_path, "2.2", "Transpose")
    assert [r.placement.value for r in layers] == ["hybrid", "hybrid", placement]


@pytest.mark.parametrize("conv", [True, False])
def test_padded_channels(conv: bool, tmp_path: Path) -> None:
    """Behind a Conv channels are written last at once; behind a Relu a routine does it."""
    before = "Conv(f, wd)" if conv else "Relu(f)"
    text = f"""{HEAD}
g (int8[1,8,4,4] x) => (int8[1,12,4,4] y)
<float s = {{0.1}}, int8 z = {{0}}, int64[8] p = {{0, 0, 0, 0, 0, 4, 0, 0}}, int64[4] ws = {{8, 8, 1, 1}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  wd = DequantizeLinear(w, s, z)
  f = DequantizeLinear(x, s, z)
  r = {before}  rq = QuantizeLinear(r, s, z)  rd = DequantizeLinear(rq, s, z)
  a = Pad(rd, p)
  y = QuantizeLinear(a, s, z) }}"""
    snapshot = analysed(from_text(text, tmp_path), "2.2")
    (pad,) = [r for r in snapshot.layers if r.layer.kind == "Pad"]
    assert pad.placement.value == ("hw" if conv else "hybrid")
    assert sum(e.op == "Transpose" and e.placement.value == "hybrid" for e in snapshot.epochs) == (not conv)


def test_prelu_with_float_slopes(tmp_path: Path) -> None:
    """One epoch of an int8 kernel, with no Q or DQ around it (mobilefacenet_qdq)."""
    text = f"""{HEAD}
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {{0.1}}, int8 z = {{0}}, float[1] k = {{0.25}}>
{{ f = DequantizeLinear(x, s, z)
  r = PRelu(f, k)
  y = QuantizeLinear(r, s, z) }}"""
    snapshot = analysed(from_text(text, tmp_path), "2.1")
    assert [(e.op, e.placement.value) for e in snapshot.epochs] == [("PRelu", "sw_int")]


def test_prelu_between_operators_of_integers(tmp_path: Path) -> None:
    """In a QOperator model the Q and DQ are operators, and the PRelu between them is float (mobilefacenet_qop)."""
    text = f"""{HEAD}
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {{0.1}}, int8 z = {{0}}, float[1] k = {{0.25}}, int8[2,2,1,1] w = {{1, 2, 3, 4}}>
{{ c = QLinearConv(x, s, z, w, s, z, s, z)
  f = DequantizeLinear(c, s, z)
  r = PRelu(f, k)
  y = QuantizeLinear(r, s, z) }}"""
    snapshot = analysed(from_text(text, tmp_path), "2.1")
    cpu = [(e.op, e.placement.value) for e in snapshot.epochs if e.placement.on_cpu]
    assert cpu == [("DequantizeLinear", "sw_float"), ("PRelu", "sw_float"), ("QuantizeLinear", "sw_float")]
    (prelu,) = [r for r in snapshot.layers if r.layer.kind == "PRelu"]
    assert [f.cause for f in prelu.forced_by] == ["float_between_q_and_dq_operators"]


@pytest.mark.parametrize(("toolchain", "ops"), [("2.1", ["Mul", "Add"]), ("2.2", ["BatchNormalization"])])
def test_float_batch_normalization(toolchain: str, ops: list[str], tmp_path: Path) -> None:
    text = f"""{HEAD}
g (int8[1,2,4,4] x) => (float[1,2,4,4] y) <float s = {{0.1}}, int8 z = {{0}}, float[2] k = {{1, 1}}, float[2] v = {{1, 1}}>
{{ f = DequantizeLinear(x, s, z)
  y = BatchNormalization(f, k, k, k, v) }}"""
    snapshot = analysed(from_text(text, tmp_path), toolchain)
    assert [e.op for e in snapshot.epochs if e.op != "DequantizeLinear"] == ops
