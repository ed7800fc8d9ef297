"""A Cast of data is a routine; one of shapes, or between floats, is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.agreement import epochs_and_layers_agree
from builders.scheduled import on, ops

from npuscope.npu.verdict import Placement

CASES = {
    # the start of rps_int8 (NetanelUnger/N6_tof, Core 4.0.1): epochs 2 and 3 of its report
    "uint8 data before a Q": (
        """(uint8[1,1,50,64] x) => (int8[1,1,50,64] y) <float s = {0.996}, int8 z = {-128}>
{ f = Cast <to = 1> (x)
  y = QuantizeLinear(f, s, z) }""",
        ["hybrid Cast", "sw_float QuantizeLinear"],
    ),
    "quantized data to integers": (
        """(int8[1,8,4,4] x) => (int32[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  y = Cast <to = 6> (f) }""",
        ["sw_float DequantizeLinear", "hybrid Cast"],
    ),
    "integers that stay floats": (
        """(uint8[1,8,4,4] x) => (float[1,8,4,4] y)
{ f = Cast <to = 1> (x)
  y = Sigmoid(f) }""",
        ["hybrid Cast", "sw_float Sigmoid"],
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("toolchain", ["2.0", "4.0"])
def test_a_cast_of_data_is_a_routine(case: str, toolchain: str, tmp_path: Path) -> None:
    body, wanted = CASES[case]
    snapshot = on(body, tmp_path, toolchain)
    assert ops(snapshot) == wanted
    assert [f.code for f in snapshot.layers[0].findings][:1] == ["N509"]
    epochs_and_layers_agree(snapshot)


def test_a_cast_of_a_shape_is_folded_away(tmp_path: Path) -> None:
    body = """(int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ n = Shape(x)
  k = Cast <to = 6> (n)
  i = Cast <to = 7> (k)
  y = Reshape(x, i) }"""
    snapshot = on(body, tmp_path)
    assert all(report.placement is not Placement.HYBRID for report in snapshot.layers)
    assert all(epoch.op == "Reshape" and epoch.milliseconds == 0 for epoch in snapshot.epochs)
