"""What a plan leaves out is named with its saving, its loss and the reason; and limits that steps keep."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import models

from npuscope.edits.edit import Refusal
from npuscope.edits.kinds.resize_nearest import ResizeNearest
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.numbers.inputs import random_samples
from npuscope.planning import planner
from npuscope.planning.accuracy.within import Limit, limit_of, steps_within
from npuscope.planning.assess import assess
from npuscope.planning.plan import Allowed, Budget, Plan
from npuscope.planning.planner import plan
from npuscope.reports.plan_report import plan_json, plan_markdown, plan_text
from npuscope.session import Session
from npuscope.snapshot import analyse

LINEAR = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,16,16] x) => (int8[1,16,32,32] y) <float s = {0.1}, int8 z = {5}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (f, , k)
  y = QuantizeLinear(r, s, z) }"""


@pytest.mark.parametrize("allowed", [Allowed.ANY])
def test_what_changes_the_function_is_left_to_the_user_and_said(allowed: Allowed, tmp_path: Path) -> None:
    session = Session.open(load(models.save_text(LINEAR, tmp_path / "m.onnx")), target("4.0"))
    planned = plan(session, analyse(session), Budget(allowed))
    assert not planned.steps
    (aside,) = planned.set_aside
    assert aside.edit == ResizeNearest("op") and aside.saved_milliseconds > 0 and aside.sqnr_db is None
    measured = assess(session, planned, random_samples(session.source, 2))
    assert 0 < (measured.set_aside[0].sqnr_db or 0) < 40
    for text in (plan_text(measured), plan_markdown(measured, "m")):
        assert "nearest" in text and "dB; each value becomes an element nearby" in text
    (entry,) = plan_json(measured)["set_aside"]
    assert entry["recipe"]["kind"] == "resize-nearest" and entry["ms_saved"] > 0


@pytest.fixture(scope="module")
def denoiser() -> tuple[Session, Plan]:
    session = Session.open(load(models.DENOISER), target("2.1"))
    return session, planner.plan(session, analyse(session), Budget(Allowed.ANY))


def test_limits_choose_among_the_steps(denoiser: tuple[Session, Plan]) -> None:
    session, planned = denoiser
    samples = random_samples(session.source, 2)
    everything = steps_within(session, planned, Limit(decibels=1.0), samples)
    exact = steps_within(session, planned, Limit(decibels=150.0), samples)
    slow = steps_within(session, planned, Limit(milliseconds=100.0), samples)
    assert not isinstance(everything, Refusal) and not isinstance(exact, Refusal)
    assert not isinstance(slow, Refusal)
    assert everything.taken == tuple(range(len(planned.steps))) and everything.met
    assert set(exact.taken) < set(everything.taken) and exact.sqnr_db is None and exact.met
    assert exact.milliseconds > everything.milliseconds
    assert slow.met and set(slow.taken) <= set(everything.taken)
    fast = steps_within(session, planned, Limit(milliseconds=0.001), samples)
    assert not isinstance(fast, Refusal) and not fast.met


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("30 dB", Limit(decibels=30.0)),
        ("4.5ms", Limit(milliseconds=4.5)),
        (" 4,5 MS ", Limit(milliseconds=4.5)),
        ("30", None),
        ("0 ms", None),
        ("-1 dB", None),
        ("9" * 500 + " dB", None),
        ("", None),
    ],
)
def test_a_limit_as_it_is_typed(text: str, limit: Limit | None) -> None:
    read = limit_of(text)
    assert read == limit if limit is not None else isinstance(read, Refusal) and "30 dB" in read.hint
    assert limit is None or limit_of(str(limit)) == limit
