"""An input of the network that several layers read: what one of them makes of it decides for the others."""

from __future__ import annotations

from pathlib import Path

from builders.models import analysed, from_text

from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.vicinity import looks_far

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,2,4] x, float[1,2,4] y) => (int8[1,8] a, float[1,2,4] b, int8[1,8] c)
<float s = {0.1}, int8 z = {0}, int64[2] sizes = {1, 8}>
{ m = Reshape(x, sizes)
  a = QuantizeLinear(m, s, z)
  b = Exp(x)
  n = Reshape(y, sizes)
  c = QuantizeLinear(n, s, z) }"""


def test_a_view_of_an_input_that_another_layer_reads_as_floats(tmp_path: Path) -> None:
    """It carries a QuantizeLinear, and is judged again each time: an edit may change what else reads the input."""
    reports = {report.layer.core.output(0): report for report in analysed(from_text(TEXT, tmp_path)).layers}
    carried = {name for name, r in reports.items() if any(c.why is Why.CARRIES_QUANTIZE for c in r.causes)}
    assert carried == {"m"}
    assert [name for name, r in reports.items() if looks_far(r.layer)] == ["m", "n"]
