"""Plans put together by hand: which steps are kept, which plan is the better one, and what is said where a step cannot be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders.models import DENOISER, from_text

from npuscope.edits.edit import Edit, Exactness, Refusal
from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.numbers.inputs import Sample, random_samples
from npuscope.planning.accuracy.less_freedom import better_of, better_than, with_exact_part
from npuscope.planning.accuracy.loss_budget import kept_within, measured, part, trimmed_to, without
from npuscope.planning.accuracy.repair_edits import narrower
from npuscope.planning.accuracy.set_aside import priced
from npuscope.planning.accuracy.within import Limit, limit_of, steps_within
from npuscope.planning.plan import Allowed, Plan, SetAside, Step
from npuscope.session import Session
from npuscope.snapshot import Summary, analyse

EXACT, LOSSY, NONE = PadChannels("Gemm_28", 264), Recentre("Gemm_30", 0), SplitInput("nope", (1, 2))


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(load(DENOISER), target("2.1"))


@pytest.fixture(scope="module")
def summary(session: Session) -> Summary:
    return analyse(session).summary


@pytest.fixture(scope="module")
def samples(session: Session) -> list[Sample]:
    return list(random_samples(session.source, 1))


def step(edit: Edit, *needs: int, saved: float = 0.1) -> Step:
    return Step(
        edit, edit.layer, edit.exactness, (Placement.SW_INT, Placement.HW), (None, None), saved, "why", needs
    )


def planned(summary: Summary, *edits: Edit) -> Plan:
    return Plan(tuple(step(edit) for edit in edits), summary, summary)


def test_steps_fall_with_those_they_need(summary: Summary) -> None:
    plan = Plan((step(EXACT), step(LOSSY, 0), step(EXACT, 1), step(EXACT)), summary, summary)
    assert without(plan, set()) == (0, 1, 2, 3)
    assert without(plan, {0}) == (3,)
    assert without(plan, {1}) == (0, 3)


def test_a_step_that_cannot_be_made_is_said(
    session: Session, summary: Summary, samples: list[Sample]
) -> None:
    plan = planned(summary, EXACT, NONE, LOSSY)
    refusals = [
        measured(session, plan, (0, 1), samples),
        kept_within(session, plan, 99.0, samples),
        trimmed_to(session, plan, 99.0, samples),
        part(session, plan, (0, 1)),
        steps_within(session, plan, Limit(decibels=99.0), samples),
        steps_within(session, plan, Limit(milliseconds=99.0), samples),
    ]
    assert all(isinstance(one, Refusal) and "no layer 'nope'" in str(one) for one in refusals)
    assert part(session, plan, (0, 1, 2)) is plan
    odd = planned(summary, PadChannels("nope", 264), LOSSY)
    assert with_exact_part(session, odd) is odd


def test_lossy_steps_go_where_the_others_alone_are_faster(session: Session, summary: Summary) -> None:
    all_exact = planned(summary, EXACT)
    assert with_exact_part(session, all_exact) is all_exact
    slower = planned(summary, EXACT, LOSSY)
    assert [one.edit for one in with_exact_part(session, slower).steps] == [EXACT]


def test_steps_that_lose_too_much_are_left_out(
    session: Session, summary: Summary, samples: list[Sample]
) -> None:
    plan = planned(summary, EXACT, LOSSY)
    kept = steps_within(session, plan, Limit(decibels=150.0), samples)
    assert not isinstance(kept, Refusal)
    assert kept.taken == (0,) and kept.sqnr_db is None and kept.met
    edited = session.edit(EXACT)
    assert isinstance(edited, Session) and kept.milliseconds == analyse(edited).summary.milliseconds


@pytest.mark.parametrize("text", ["30", "0 dB", "-3 ms", "ms", "3 s", ""])
def test_what_is_no_limit(text: str) -> None:
    assert "is no limit" in str(limit_of(text))


@pytest.mark.parametrize(
    ("text", "limit"), [("30 dB", Limit(decibels=30.0)), (" 4,5MS ", Limit(milliseconds=4.5))]
)
def test_a_limit_has_a_unit(text: str, limit: Limit) -> None:
    assert limit_of(text) == limit and str(limit) in ("30 dB", "4.5 ms")


BETTER = [
    # layers on the CPU and milliseconds with more freedom, and with less; what is allowed; which is taken
    ((0, 5.0), (0, 4.0), Allowed.ANY, "fewer"),
    ((0, 4.0), (0, 5.0), Allowed.ANY, "freer"),
    ((0, 4.0), (0, 4.0), Allowed.ANY, "fewer"),
    ((1, 3.0), (0, 4.0), Allowed.ANY, "fewer"),
    ((0, 5.0), (1, 4.0), Allowed.ANY, "fewer"),
    ((0, 5.0), (1, 4.0), Allowed.NEEDED, "freer, and what the other makes"),
    ((0, 4.0), (1, 4.0), Allowed.NEEDED, "freer"),
]


@pytest.mark.parametrize(("more", "less", "allowed", "taken"), BETTER)
def test_the_better_of_two_plans(
    more: tuple[int, float], less: tuple[int, float], allowed: Allowed, taken: str, summary: Summary
) -> None:
    freer, fewer = (
        replace(plan, after=replace(summary, sw_int=cpu, sw_float=0, hybrid=0, milliseconds=ms))
        for plan, (cpu, ms) in ((planned(summary, LOSSY), more), (planned(summary, EXACT), less))
    )
    best = better_of(freer, fewer, allowed)
    assert (best is fewer) is (taken == "fewer")
    assert best.steps == (fewer.steps if taken == "fewer" else freer.steps)
    assert best.exact is (fewer.after if "other" in taken else None)
    told: list[Plan] = []
    tell = better_than(fewer, allowed, told.append)
    assert tell is not None
    tell(freer)
    assert told == ([] if taken == "fewer" else [freer])
    assert better_than(fewer, allowed, None) is None


def test_what_was_left_out_is_priced_where_it_can_be(session: Session, samples: list[Sample]) -> None:
    assert (EXACT.exactness, LOSSY.exactness) == (Exactness.BIT_EXACT, Exactness.APPROXIMATE)
    savings = [SetAside(edit, edit.layer, 0.1, "why") for edit in (EXACT, NONE, LOSSY)]
    (one,) = priced(session, savings, samples)
    assert one.edit == LOSSY and one.sqnr_db is not None and 0 < one.sqnr_db < 100


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([np.inf, 1.0, 2.0, 3.0], False),
        ([0.0] * 4, False),
        ([*np.linspace(-1, 1, 4095), 1000.0], True),
    ],
)
def test_ranges_without_outliers(values: list[float], found: bool, tmp_path: Path) -> None:
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[1,{len(values)}] x) => (int64[1,{len(values)}] y) {{ r = Identity(x) y = Cast <to = 7> (r) }}'
    source = from_text(text, tmp_path)
    sample = {"x": np.array([values], np.float32)}
    ranges = list(narrower(source, "r", [sample]))
    assert bool(ranges) is found
    assert all(-1 <= low <= 0 <= high < 1000 for low, high, _ in ranges)
    assert list(narrower(source, "y", [sample])) == []
