"""What a search hands over before its end."""

from __future__ import annotations

import pytest
from builders.networks.spectrum_masks import mask, quantized

from npuscope.machine.machine import target
from npuscope.planning import planner
from npuscope.planning.plan import Allowed, Budget, Plan, apply
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import analyse


def test_each_plan_so_far_can_be_made_and_is_what_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planner, "SO_FAR_EVERY", 0.0)
    session = Session.open(quantized(mask()), target("4.0"))
    so_far: list[Plan] = []
    final = plan(session, analyse(session), Budget(Allowed.ANY, seconds=60), found=so_far.append)
    assert len({one.steps for one in so_far}) >= 2
    for one in so_far:
        edited = apply(session, one)
        assert isinstance(edited, Session)
        after = analyse(edited).summary
        assert (after.off_npu, after.milliseconds) == (
            one.after.off_npu,
            pytest.approx(one.after.milliseconds),
        )
        assert one.steps and not one.finished
        assert final.after.off_npu <= one.after.off_npu
