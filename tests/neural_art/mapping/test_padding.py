"""A Pad that the Conv after it takes over."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.machine.machine import target
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,16,16] x) => (int8[1,8,{size},{size}] y)
<float s = {{0.1}}, int8 z = {{0}}, int64[4] ws = {{8, 8, 3, 3}}, int64[8] amounts = {{{amounts}}}, float v = {{{value}}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  xf = DequantizeLinear(x, s, z)
  p = Pad{mode}(xf, amounts, v)
  pq = QuantizeLinear(p, s, z)
  pf = DequantizeLinear(pq, s, z)
  wf = DequantizeLinear(w, s, z)
  c = Conv(pf, wf)
  y = QuantizeLinear(c, s, z) }}"""


def with_pad(folder: Path, amounts: str, size: int, value: str = "0.0", mode: str = "") -> Snapshot:
    text = TEXT.format(amounts=amounts, size=size, value=value, mode=mode)
    return analyse(Session.open(from_text(text, folder), target("3.0")))


STORED = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,14,14] x) => (int8[1,8,14,14] y{also})
<float s = {{0.1}}, int8 zx = {{{zero}}}, int8 z = {{0}}, int64[4] ws = {{8, 8, 3, 3}}, int64[8] amounts = {{0,0,1,1,0,0,1,1}}, int8 v = {{{value}}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  p = Pad(x, amounts{fill})
  y = QLinearConv(p, s, zx, w, s, z, s, z) }}"""
"""A Pad of stored integers."""


def conv_cycles(snapshot: Snapshot) -> int:
    cost = next(report.cost for report in snapshot.layers if report.layer.kind == "Conv")
    assert cost is not None
    return cost.compute_cycles


def test_the_conv_pads_itself(tmp_path: Path) -> None:
    snapshot = with_pad(tmp_path, "0,0,1,1,0,0,1,1", 16)
    pad = next(report for report in snapshot.layers if report.layer.kind == "Pad")
    assert pad.cost is not None and pad.cost.cycles == 0
    assert conv_cycles(snapshot) == 8 * 16 * 16
    assert snapshot.memory.peak_activations == 2 * 8 * 16 * 16


@pytest.mark.parametrize(
    ("amounts", "size", "value", "mode"),
    [
        ("0,0,4,4,0,0,4,4", 22, "0.0", ""),  # more than the accelerator pads
        ("0,0,-1,-1,0,0,-1,-1", 12, "0.0", ""),
        ("0,0,1,1,0,0,1,1", 16, "1.0", ""),
        ("0,0,1,1,0,0,1,1", 16, "0.0", ' <mode = "reflect">'),
    ],
)
def test_other_pads_stay(tmp_path: Path, amounts: str, size: int, value: str, mode: str) -> None:
    snapshot = with_pad(tmp_path, amounts, size, value, mode)
    pad = next(report for report in snapshot.layers if report.layer.kind == "Pad")
    assert pad.cost is not None and pad.cost.compute_cycles > 0


@pytest.mark.parametrize(
    ("zero", "fill", "value", "also", "stays"),
    [
        (0, "", 0, "", False),
        (-3, "", 0, "", True),  # its default is the integer 0, which stands for 0.3
        (-3, ", v", -3, "", False),
        (-3, ", v", 0, "", True),
        (0, ", v", 0, ", int8[1,8,16,16] p", True),  # somebody wants the padded map
    ],
)
def test_a_pad_of_integers_adds_their_zero_point(
    zero: int, fill: str, value: int, also: str, stays: bool, tmp_path: Path
) -> None:
    text = STORED.format(zero=zero, fill=fill, value=value, also=also)
    snapshot = analyse(Session.open(from_text(text, tmp_path), target("3.0")))
    pad = next(report for report in snapshot.layers if report.layer.kind == "Pad")
    assert any(pad.layer.name in epoch.layers for epoch in snapshot.epochs) == stays
    assert conv_cycles(snapshot) == 8 * (16 * 16 if stays else 14 * 14)
