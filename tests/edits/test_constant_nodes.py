"""Models that hold their constants in Constant nodes, as older exporters write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.edits.edit import Edit
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.matmul_to_conv import MatMulToConv
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.numbers.verify_models import verify
from npuscope.session import Session
from npuscope.snapshot import analyse

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (float[1,8,4,4] y) {
  s = Constant <value = float {0.1}> ()
  z = Constant <value = int8 {3}> ()
  s2 = Constant <value = float {0.1}> ()
  q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s2, z)
  r = Sigmoid(f)
  p = QuantizeLinear(r, s2, z)
  y = DequantizeLinear(p, s2, z)
}"""


def test_an_edit_leaves_no_constant_behind_that_nobody_reads(tmp_path: Path) -> None:
    session = Session.open(from_text(TEXT, tmp_path), target("4.0"))
    edited = session.edit(Int8Borders(""))
    assert isinstance(edited, Session)
    assert "s" not in edited.graph.producers and "s" not in edited.graph.constants
    assert {"z", "s2"} <= set(edited.graph.producers)
    assert [report.layer.op for report in analyse(edited).layers] == ["Sigmoid"]
    assert "s" in edited.undo().graph.producers


MOVED = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,6,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {0}, float t = {0.5},
  float[4] s4 = {0.01, 0.02, 0.03, 0.04}, int8[4] z4 = {0, 0, 0, 0}> {
  w = Constant <value = int8[1,1,6,4] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6}> ()
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear <axis = 3> (w, s4, z4)
  wt = Transpose <perm = [3, 2, 0, 1]> (wf)
  f = Conv(xf, wt)
  y = QuantizeLinear(f, t, z)
}"""


@pytest.mark.parametrize(
    "edit", [SplitOutput("Conv_4", (3, 1)), PadChannels("Conv_4", 8)], ids=lambda e: e.kind
)
def test_weights_behind_a_transpose_are_cut_and_padded(edit: Edit, tmp_path: Path) -> None:
    session = Session.open(from_text(MOVED, tmp_path), target("4.0"))
    edited = session.edit(edit)
    assert isinstance(edited, Session), edited
    assert "Transpose" not in {node.op for node in edited.graph.nodes}
    assert verify(session, edited, samples=2).bit_exact


def test_scales_along_the_axis_that_is_the_default_get_it_written_down(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 13]>
    g (int8[1,5,6] x) => (int8[1,5,4] y) <float s = {0.1}, int8 z = {0}, float t = {0.5}, int64[2] size = {6, 4},
      float[4] s4 = {0.01, 0.02, 0.03, 0.04}, int8[4] z4 = {0, 0, 0, 0}> {
      w = ConstantOfShape <value: tensor = int8[1] {7}> (size)
      xf = DequantizeLinear(x, s, z)
      wf = DequantizeLinear(w, s4, z4)
      f = MatMul(xf, wf)
      y = QuantizeLinear(f, t, z)
    }"""
    session = Session.open(from_text(text, tmp_path), target("4.0"))
    edited = session.edit(MatMulToConv("MatMul_3"))
    assert isinstance(edited, Session), edited
    assert verify(session, edited, samples=2).bit_exact
