"""Networks that take a stream frame by frame: what joins and takes rows without a routine, and strides that differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import analysed, from_text
from builders.weighted_layers import Spec, model, saved

from npuscope.neural_art.kernels.why import Why
from npuscope.npu.verdict import Confidence, Placement

HW, HYBRID, SW_INT, SW_FLOAT = Placement.HW, Placement.HYBRID, Placement.SW_INT, Placement.SW_FLOAT


def frames(kernel: str, stride: str, made: str) -> str:
    """The map of a frame behind those before it, convolved; all but the first frame come out."""
    return f"""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,64] x, int8[1,8,2,64] before) => (int8[1,8,{made}] y, int8[1,8,2,64] after)
<float s = {{0.1}}, int8 z = {{0}}, int64[4] ws = {{8, 8, 1, 1}}, int64[4] us = {{8, 8, {kernel}}}, float t = {{0.05}},
 int64[1] one = {{1}}, int64[1] end = {{3}}, int64[1] rows = {{2}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  u = ConstantOfShape <value: tensor = int8[1] {{1}}> (us)
  wf = DequantizeLinear(w, t, z)  uf = DequantizeLinear(u, t, z)
  xf = DequantizeLinear(x, s, z)  bf = DequantizeLinear(before, s, z)
  c = Conv(xf, wf)
  cq = QuantizeLinear(c, s, z)  cd = DequantizeLinear(cq, s, z)
  j = Concat <axis = 2> (bf, cd)
  jq = QuantizeLinear(j, s, z)  jd = DequantizeLinear(jq, s, z)
  p = Slice(jd, one, end, rows, one)
  after = QuantizeLinear(p, s, z)
  d = Conv <strides = [{stride}]> (jd, uf)
  y = QuantizeLinear(d, s, z) }}"""


@pytest.mark.parametrize(
    ("toolchain", "shape", "expected"),
    [
        ("4.0", ("3, 5", "1, 1", "1,60"), {"Concat": HW, "Slice": HYBRID, "Conv": HW}),
        ("4.0", ("3, 5", "1, 3", "1,20"), {"Concat": HW, "Slice": HYBRID, "Conv": SW_INT}),
        ("2.2", ("3, 5", "1, 3", "1,20"), {"Concat": HYBRID, "Slice": HYBRID, "Conv": HW}),
    ],
)
def test_frames_before_and_this_one(
    toolchain: str, shape: tuple[str, str, str], expected: dict[str, Placement], tmp_path: Path
) -> None:
    snapshot = analysed(from_text(frames(*shape), tmp_path), toolchain)
    assert {r.layer.kind: r.placement for r in snapshot.layers if r.layer.kind in expected} == expected
    uneven = [c for r in snapshot.layers for c in r.causes if c.why is Why.CONV_UNEVEN]
    assert bool(uneven) is (expected["Conv"] is SW_INT)


@pytest.mark.parametrize(
    ("toolchain", "scale", "joined", "left"),
    [
        ("4.0", "s", HYBRID, HW),  # nothing writes the columns anew
        ("4.0", "t", HW, HYBRID),
        ("2.2", "t", HYBRID, HYBRID),
    ],
)
def test_columns_of_a_map_behind_those_of_the_frame_before(
    toolchain: str, scale: str, joined: Placement, left: Placement, tmp_path: Path
) -> None:
    """LarocheC/eco8-neaixt (4.0.1): three of three Concats of such columns are routines, three requantized ones are not."""
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,1,64] x, int8[1,8,1,32] before) => (int8[1,8,2,32] y, int8[1,8,1,32] after)
    <float s = {{0.1}}, float t = {{0.2}}, int8 z = {{0}}, int64[1] none = {{0}}, int64[1] one = {{1}}, int64[1] two = {{2}},
     int64[1] rows = {{2}}, int64[1] columns = {{3}}, int64[1] half = {{32}}, int64[4] ws = {{8, 8, 1, 1}}>
    {{ xf = DequantizeLinear(x, s, z)  bf = DequantizeLinear(before, {scale}, z)
      w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
      wf = DequantizeLinear(w, t, z)
      r = Conv(xf, wf)
      rq = QuantizeLinear(r, s, z)  rd = DequantizeLinear(rq, s, z)
      p = Slice(rd, none, half, columns, one)
      pq = QuantizeLinear(p, s, z)  pd = DequantizeLinear(pq, s, z)
      j = Concat <axis = 2> (bf, pd)
      jq = QuantizeLinear(j, {scale}, z)  jd = DequantizeLinear(jq, {scale}, z)
      a = Slice(jd, one, two, rows, one)
      after = QuantizeLinear(a, {scale}, z)
      t2 = Tanh(jd)
      y = QuantizeLinear(t2, s, z) }}"""
    snapshot = analysed(from_text(text, tmp_path), toolchain)
    placed = {r.layer.output.tensor: r.placement for r in snapshot.layers if r.layer.output is not None}
    assert (placed["jq"], placed["after"]) == (joined, left)


def test_a_map_of_one_column_has_one_stride(tmp_path: Path) -> None:
    """A Conv1d with a stride of 3 has no second stride to differ from."""
    snapshot = analysed(saved(model(Spec(kind="conv1", size=49, kernel=5, stride=3, pad=2)), tmp_path), "4.0")
    (placement,) = {r.placement for r in snapshot.layers if r.layer.kind == "Conv"}
    assert placement is HW


@pytest.mark.parametrize(
    ("toolchain", "taps", "placement", "confidence"),
    [
        ("2.2", 3, HW, Confidence.UNKNOWN),
        ("2.2", 5, HW, Confidence.UNKNOWN),
        ("4.0", 3, HW, Confidence.INFERRED),
        ("4.0", 5, SW_INT, Confidence.THIRD_PARTY),
    ],
)
def test_a_dilated_kernel_of_one_dimension(
    toolchain: str, taps: int, placement: Placement, confidence: Confidence, tmp_path: Path
) -> None:
    """Of several channels and more than three taps a CPU kernel from 4.0; before it, nobody knows."""
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,12,4] x) => (int8[1,8,{14 - 2 * taps},4] y) <float s = {{0.1}}, int8 z = {{0}}, int64[4] ws = {{8, 8, {taps}, 1}}>
    {{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
      xf = DequantizeLinear(x, s, z)
      wf = DequantizeLinear(w, s, z)
      f = Conv <dilations = [2, 1]> (xf, wf)
      y = QuantizeLinear(f, s, z) }}"""
    (layer,) = analysed(from_text(text, tmp_path), toolchain).layers
    assert layer.placement is placement
    assert {f.confidence for f in layer.findings if f.code == "N205"} == {confidence}


def convolved(weight: str, size: str, made: str, strides: str) -> str:
    """One Conv of eight channels."""
    return f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,{size}] x) => (int8[1,8,{made}] y) <float s = {{0.1}}, int8 z = {{0}}, int64[{2 + weight.count(",") + 1}] ws = {{8, 8, {weight}}}>
    {{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
      xf = DequantizeLinear(x, s, z)
      wf = DequantizeLinear(w, s, z)
      f = Conv <strides = [{strides}]> (xf, wf)
      y = QuantizeLinear(f, s, z) }}"""


@pytest.mark.parametrize(
    ("toolchain", "weight", "size", "made", "strides", "placement"),
    [
        ("2.2", "1, 7", "1,64", "1,58", "1, 1", SW_FLOAT),
        ("2.2", "1, 7", "9,64", "9,58", "1, 1", HW),  # in six columns and one, as ten of FaceNet
        ("2.0", "1, 9", "1,64", "1,56", "1, 1", SW_FLOAT),
        ("2.2", "1, 6", "1,64", "1,59", "1, 1", HW),
        ("2.2", "1, 7", "1,65", "1,30", "1, 2", HW),  # twelve columns fit with a stride
        ("2.2", "3, 7", "9,64", "7,58", "1, 1", HW),  # sub-masks of six columns and one
        ("2.2", "7, 1", "64,9", "58,9", "1, 1", HW),  # sub-masks of three rows
        ("2.2", "7", "64", "58", "1", HW),  # a Conv1d is a map of one column
        ("4.0", "1, 7", "1,64", "1,58", "1, 1", HW),
    ],
)
def test_a_kernel_of_one_row_is_not_cut_in_columns(
    toolchain: str, weight: str, size: str, made: str, strides: str, placement: Placement, tmp_path: Path
) -> None:
    (layer,) = analysed(from_text(convolved(weight, size, made, strides), tmp_path), toolchain).layers
    assert layer.placement is placement
    assert any(c.why is Why.CONV_WIDE_ROW for c in layer.causes) is (placement is SW_FLOAT)
    said = [f for f in layer.findings if f.code == "N208" and f.placement is SW_FLOAT]
    assert len(said) == (placement is SW_FLOAT)


@pytest.mark.parametrize(
    ("size", "window", "made", "placement"),
    [
        ("1,64", "1, 4", "1,16", SW_FLOAT),
        ("64,1", "4, 1", "16,1", SW_FLOAT),
        ("64", "4", "16", SW_FLOAT),
        ("8,64", "4, 4", "2,16", HW),
        ("1,64", "1, 64", "1,1", HW),  # the whole map
    ],
)
def test_an_average_of_strips(
    size: str, window: str, made: str, placement: Placement, tmp_path: Path
) -> None:
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,8,{size}] x) => (int8[1,8,{made}] y) <float s = {{0.1}}, int8 z = {{0}}>
    {{ xf = DequantizeLinear(x, s, z)
      f = AveragePool <kernel_shape = [{window}], strides = [{window}]> (xf)
      y = QuantizeLinear(f, s, z) }}"""
    (layer,) = analysed(from_text(text, tmp_path), "2.2").layers
    assert layer.placement is placement


@pytest.mark.parametrize(("shape", "placement"), [("1,2,1,64", SW_INT), ("1,2,64", HW)])
def test_a_gather_of_one_index(shape: str, placement: Placement, tmp_path: Path) -> None:
    """A Slice of three dimensions, a Gather of four (4.0)."""
    made = shape.replace("2,", "", 1)
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (int8[{shape}] x) => (int8[{made}] y) <float s = {{0.1}}, int8 z = {{0}}, int64 at = {{1}}>
    {{ f = DequantizeLinear(x, s, z)
      r = Relu(f)
      q = QuantizeLinear(r, s, z)  d = DequantizeLinear(q, s, z)
      a = Gather <axis = 1> (d, at)
      y = QuantizeLinear(a, s, z) }}"""
    snapshot = analysed(from_text(text, tmp_path), "4.0")
    assert next(r.placement for r in snapshot.layers if r.layer.kind == "Gather") is placement
