"""Models that hold their constants in Constant nodes, as older exporters write them."""

from __future__ import annotations

from pathlib import Path

from models import from_text

from npuscope.edits.int8_borders import Int8Borders
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.target.machine import target

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
