"""Analyses of states that come back are kept, those of a large model not without end."""

from __future__ import annotations

import pytest
from builders.models import DENOISER

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.planning import ranked_fixes
from npuscope.services import analyses, fix_hints
from npuscope.services.zero_points import ZeroPointRange
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def opened() -> Session:
    return Session.open(load(DENOISER), target("2.1"))


def edited(session: Session, edit: SplitInput | SplitOutput) -> Session:
    outcome = session.edit(edit)
    assert isinstance(outcome, Session), outcome
    return outcome


def test_a_state_that_comes_back_is_not_judged_anew(opened: Session) -> None:
    kept = analyses.Analyses()
    split = edited(opened, SplitInput("Gemm_28", (144, 113)))
    first, second = analyse(opened), analyse(split)
    assert kept.known(opened, second) is None
    kept.keep(opened, first)
    kept.keep(split, second)
    kept.keep(opened, second)  # of another graph: not what this session is
    back = kept.known(split.undo(), second)
    assert back is not None and back.layers == first.layers
    again = kept.known(split.undo().redo(), first)
    assert again is not None and again.layers == second.layers
    # The same edit made once more is another state, and another target another question.
    assert kept.known(edited(opened, SplitInput("Gemm_28", (144, 113))), first) is None
    assert kept.known(Session.open(opened.source, target("4.0")), first) is None


def test_the_last_two_of_a_large_model_are_kept(opened: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyses, "MOST_LAYERS", 1)
    kept = analyses.Analyses()
    states = [opened]
    for sizes in ((144, 113), (100, 44)):
        name = "Gemm_28" if sizes[0] == 144 else "Gemm_28_part0"
        states.append(edited(states[-1], SplitInput(name, sizes)))
    snapshots = [analyse(state) for state in states]
    for state, snapshot in zip(states, snapshots, strict=True):
        kept.keep(state, snapshot)
    assert [kept.known(state, snapshots[-1]) is not None for state in states] == [False, True, True]


def test_hints_of_a_large_model_come_without_outcomes(
    opened: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = analyse(opened)
    fixes = fix_hints.fix_hints(opened, snapshot, "Gemm_28")
    assert set(fixes) <= set(ranked_fixes.propose_edits(opened, snapshot, "Gemm_28"))
    ordered, outcomes = fix_hints.with_outcomes(opened, snapshot, fixes)
    assert {fix.edit for fix in ordered} == {fix.edit for fix in fixes} and len(outcomes) == len(fixes)
    monkeypatch.setattr(fix_hints, "MOST_LAYERS", len(snapshot.layers) - 1)
    assert fix_hints.with_outcomes(opened, snapshot, fixes) == (fixes, ())


def test_no_undecided_layer_is_said_in_a_sentence() -> None:
    span = ZeroPointRange((), (1.0, 1.0), (5, 5))
    assert span.words == "no layer's mode depends on a zero point that calibration sets"
