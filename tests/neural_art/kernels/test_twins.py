"""Two forms of one network get one verdict: what an exporter, an opset or a habit of writing decides moves no layer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from builders.models import analysed, from_text

from npuscope.npu.verdict import Placement


def network(opset: int, middle: str, constants: str = "", quantized: bool = True) -> str:
    """A Conv, the operators that make `b` of `a`, and a Conv, in int8 or in float."""
    dtype = "int8" if quantized else "float"
    known = "<float s = {0.1}, int8 z = {3}, int8 n = {0}, int64[4] ws = {8, 8, 1, 1}, " + (
        constants or "int64[1] unused = {0}"
    )
    pair = "  bf = DequantizeLinear(bq, s, z)  bq = QuantizeLinear(b, s, z)\n"
    body = "  w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)  wf = DequantizeLinear(w, s, n)\n"
    if quantized:
        body += "  xf = DequantizeLinear(x, s, z)  c = Conv(xf, wf)  cq = QuantizeLinear(c, s, z)  a = DequantizeLinear(cq, s, z)\n"
        body += f"  {middle}\n" + "\n".join(reversed(pair.strip().split("  "))) + "\n"
        body += "  e = Conv(bf, wf)  y = QuantizeLinear(e, s, z)\n"
    else:
        body += f"  a = Conv(x, wf)\n  {middle}\n  y = Conv(b, wf)\n"
    return f'<ir_version: 8, opset_import: ["" : {opset}]>\ng ({dtype}[1,8,8,8] x) => ({dtype}[1,8,h,v] y)\n{known}>\n{{\n{body}}}'


FLOOR = 'mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"'
TWICE = "float[4] k = {1.0, 1.0, 2.0, 2.0}"
TWINS = {
    "what an Identity and a Dropout leave": (
        (13, "b = Relu(a)", ""),
        (13, "i = Identity(a)  d = Dropout(i)  b = Relu(d)", ""),
    ),
    "Resize of opset 10": (
        (13, f"b = Resize <{FLOOR}> (a, , k)", TWICE),
        (10, 'b = Resize <mode = "nearest"> (a, k)', TWICE),
        (11, f"b = Resize <{FLOOR}> (a, roi, k)", TWICE + ", float[0] roi = {}"),
        (13, f"b = Resize <{FLOOR}> (a, , , k)", "int64[4] k = {1, 8, 16, 16}"),
    ),
    "axes as an attribute and as an input": (
        (11, "u = Unsqueeze <axes = [1]> (a)  b = Squeeze <axes = [1]> (u)", ""),
        (13, "u = Unsqueeze(a, k)  b = Squeeze(u, k)", "int64[1] k = {1}"),
        (13, "u = Unsqueeze(a, k)  b = Squeeze(u, k)", "int64[1] k = {-4}"),
    ),
    "bounds of a Clip": (
        (10, "b = Clip <min = 0.0, max = 6.0> (a)", ""),
        (13, "b = Clip(a, low, high)", "float low = {0.0}, float high = {6.0}"),
    ),
    "an average of the whole map": (
        (13, "m = GlobalAveragePool(a)  b = Mul(a, m)", ""),
        (13, "m = AveragePool <kernel_shape = [8, 8]> (a)  b = Mul(a, m)", ""),
        (13, "m = ReduceMean <axes = [2, 3]> (a)  b = Mul(a, m)", ""),
        (13, "m = ReduceMean <axes = [-1, -2]> (a)  b = Mul(a, m)", ""),
        (18, "m = ReduceMean(a, k)  b = Mul(a, m)", "int64[2] k = {2, 3}"),
    ),
}


@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
@pytest.mark.parametrize("toolchain", ["2.0", "2.2", "4.0"])
@pytest.mark.parametrize("name", TWINS)
def test_forms_run_alike(name: str, toolchain: str, quantized: bool, tmp_path: Path) -> None:
    seen = set()
    for opset, middle, constants in TWINS[name]:
        snapshot = analysed(from_text(network(opset, middle, constants, quantized), tmp_path), toolchain)
        epochs = Counter(
            (epoch.op.replace("AveragePool", "").replace("Global", ""), epoch.placement)
            for epoch in snapshot.epochs
        )
        seen.add(frozenset(epochs.items()))
    assert len(seen) == 1, seen


@pytest.mark.parametrize(("quantized", "placement"), [(True, Placement.SW_INT), (False, Placement.SW_FLOAT)])
def test_a_resize_without_a_unit_keeps_the_type(
    quantized: bool, placement: Placement, tmp_path: Path
) -> None:
    text = network(13, 'b = Resize <mode = "nearest"> (a, , k)', TWICE, quantized)
    snapshot = analysed(from_text(text, tmp_path), "2.2")
    assert {r.placement for r in snapshot.layers if r.layer.kind == "Resize"} == {placement}


@pytest.mark.parametrize("toolchain", ["2.0", "2.2", "4.0"])
def test_a_split_of_three_dimensions_is_one_of_four(toolchain: str, tmp_path: Path) -> None:
    """But for the rows that the network's border takes."""
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,16,8SHAPE] x) => (int8[1,8,8SHAPE] y)
    <float s = {0.1}, int8 z = {3}, int8 n = {0}, int64[RANK] ws = {16, 16, 1ONES}, int64[2] k = {8, 8}>
    { w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)  wf = DequantizeLinear(w, s, n)  xf = DequantizeLinear(x, s, z)
      c = Conv(xf, wf)  cq = QuantizeLinear(c, s, z)  a = DequantizeLinear(cq, s, z)
      p, q = Split <axis = 1> (a, k)  pq = QuantizeLinear(p, s, z)  pf = DequantizeLinear(pq, s, z)
      qq = QuantizeLinear(q, s, z)  qf = DequantizeLinear(qq, s, z)  m = Mul(pf, qf)  y = QuantizeLinear(m, s, z) }"""
    seen = []
    for shape, rank, ones in (("", "3", ""), (",1", "4", ", 1")):
        network = text.replace("SHAPE", shape).replace("RANK", rank).replace("ONES", ones)
        snapshot = analysed(from_text(network, tmp_path), toolchain)
        seen.append([epoch.op for epoch in snapshot.epochs if epoch.op != "Reshape"])
    assert seen[0] == seen[1]
    assert "Identity" in seen[0][1:]
