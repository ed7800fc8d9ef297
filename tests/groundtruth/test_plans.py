"""Plans of real models: made, written, checked, run, and never worse than the model was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from npuscope.planning.plan import Allowed, Budget

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "groundtruth" / "cases"
if not CASES.is_dir():
    pytest.skip("the ground truth is not here", allow_module_level=True)


@pytest.mark.parametrize(
    ("case", "left"),
    [
        ("mobilenet_v2_128/OE.onnx", (1, 0)),
        ("yamnet_1024/model.onnx", (1, 1)),
    ],
)
def test_a_plan_is_usable_and_not_worse(case: str, left: tuple[int, int]) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from compare_plan import outcome
    finally:
        sys.path.pop(0)
    planned = outcome(case, CASES / case, Budget(Allowed.NEEDED, seconds=500))
    assert not planned.worse
    assert planned.plan.after.on_cpu <= left[0] and planned.plan.after.hybrid <= left[1]
    assert planned.plan.finished
