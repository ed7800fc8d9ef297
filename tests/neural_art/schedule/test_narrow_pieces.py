"""Accelerators in series that take less than an access of the memory at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.machine.machine import target
from npuscope.planning.plan import Allowed, Budget
from npuscope.planning.planner import plan
from npuscope.planning.ranked_fixes import propose_edits
from npuscope.session import Session
from npuscope.snapshot import analyse

WINDOWED = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,{inputs},48,48] x) => (int8[1,16,48,48] y)
<float s = {{0.1}}, int8 z = {{0}}, int64[4] ws = {{16, {inputs}, 3, 3}}>
{{ w = ConstantOfShape <value: tensor = int8[1] {{1}}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  a = Conv <pads = [1, 1, 1, 1]> (xf, wf)
  y = QuantizeLinear(a, s, z) }}"""


@pytest.mark.parametrize(
    ("inputs", "accelerators", "positions"),
    [
        (12, 2, 48 * 48 * 2),  # six bytes on each, eight kernels a pass
        (20, 4, 48 * 48 * 2),  # five on each
        (80, 4, 0),  # five on each, in four iterations
        (16, 2, 0),  # eight on each: a whole access
        (8, 1, 0),  # one alone
        (6, 1, 0),
    ],
)
def test_accelerators_in_series_wait_for_pieces_of_less_than_an_access(
    inputs: int, accelerators: int, positions: int, tmp_path: Path
) -> None:
    """Seven st_yoloxn and two tiny_yolo_v2 of ST's tables: docs/accuracy-cost.md."""
    machine = target("3.0")
    snapshot = analyse(Session.open(from_text(WINDOWED.format(inputs=inputs), tmp_path), machine))
    (layer,) = [report for report in snapshot.layers if report.layer.kind == "Conv"]
    assert layer.cost is not None and layer.cost.tiling is not None
    assert layer.cost.tiling.accelerators == accelerators
    epoch = next(epoch for epoch in snapshot.epochs if layer.name in epoch.layers)
    working = epoch.milliseconds - epoch.start_milliseconds
    waited = positions * machine.latency.lone_access_cycles / machine.clocks.npu_ram_hz * 1e3
    if positions:
        assert working == pytest.approx(waited)
        assert epoch.bound_by in {pool.name for pool in machine.pools}
    else:
        assert working < 0.17  # what 16 channels would wait


STEM = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,3,96,96] x) => (int8[1,16,48,48] y)
<float s = {0.1}, int8 z = {0}, int64[4] vs = {12, 3, 3, 3}, int64[4] ws = {16, 12, 3, 3}>
{ v = ConstantOfShape <value: tensor = int8[1] {1}> (vs)
  w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  vf = DequantizeLinear(v, s, z)
  a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (xf, vf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  wf = DequantizeLinear(w, s, z)
  b = Conv <pads = [1, 1, 1, 1]> (af, wf)
  y = QuantizeLinear(b, s, z) }"""


def test_the_channels_that_a_finding_names_are_offered_and_planned(tmp_path: Path) -> None:
    """What a layer waits for its features is no time of its own: an edit that ends it is priced with what lies around."""
    session = Session.open(from_text(STEM, tmp_path), target("3.0"))
    before = analyse(session)
    (report,) = [report for report in before.layers if any(f.code == "N906" for f in report.findings)]
    (fix,) = [finding.fix for finding in report.findings if finding.code == "N906"]
    assert fix == "pad the input channels to 16"
    best, *_ = propose_edits(session, before, report.name)
    assert best.edit == PadChannels(report.name, 16)
    after = session.edit(best.edit)
    assert isinstance(after, Session)
    saved = before.summary.milliseconds - analyse(after).summary.milliseconds
    assert saved > 0.1 and best.saved_milliseconds == pytest.approx(saved)
    assert best.edit in [step.edit for step in plan(session, before, Budget(Allowed.EXACT)).steps]
