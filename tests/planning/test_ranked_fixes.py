"""What a user is offered for a layer, and that it brings what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import models
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.edit import Exactness
from npuscope.edits.kinds.pad_channels import PadChannels, PadOutputs
from npuscope.edits.kinds.recentre import Recentre
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.planning.outcome import Outcome, outcome, slower_words
from npuscope.planning.proposals import Preview, preview, rank
from npuscope.planning.ranked_fixes import Worth, by_worth, propose_edits, worth
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


def opened(name: str) -> tuple[Session, Snapshot]:
    session = Session.open(load(models.SAMPLES / name), target("2.1"))
    return session, analyse(session)


@pytest.fixture(scope="module")
def denoiser() -> tuple[Session, Snapshot]:
    return opened("denoiser_lstm_int8.onnx")


def test_the_seed_case_is_offered_padding_and_splits(denoiser: tuple[Session, Snapshot]) -> None:
    session, snapshot = denoiser
    previews = propose_edits(session, snapshot, "Gemm_28")
    assert previews[0].edit == PadChannels("Gemm_28", 258), "the fewest weights that have a tiling"
    assert previews[0].exactness is Exactness.BIT_EXACT
    assert (previews[0].before, previews[0].after) == (Placement.SW_INT, Placement.HW)
    assert previews[0].also == ("Conv2D_23", "Flatten_26") and previews[0].added == ("Gemm_28",)
    edits = [proposal.edit for proposal in previews]
    assert {PadChannels("Gemm_28", size) for size in (258, 264, 272)} <= set(edits)
    assert any(isinstance(edit, SplitInput) for edit in edits)
    exact = [proposal for proposal in previews if proposal.exactness is Exactness.BIT_EXACT]
    assert list(previews[: len(exact)]) == exact == sorted(exact, key=rank)
    assert list(previews[len(exact) :]) == sorted(previews[len(exact) :], key=rank)


def test_what_plans_prefer_is_offered_first(denoiser: tuple[Session, Snapshot]) -> None:
    session, snapshot = denoiser
    previews = propose_edits(session, snapshot, "Conv2D_23", 24)
    assert previews[0].edit == PadChannels("Conv2D_23", 258)
    assert previews[0].after is Placement.HYBRID, "beside a Pad of the graph's input"
    assert not any(isinstance(proposal.edit, PadOutputs) for proposal in previews), "that helps Gemm_28"


def test_what_slows_the_model_comes_last_and_says_why(denoiser: tuple[Session, Snapshot]) -> None:
    """A pad of Conv2D_23 is bit-exact and better placed, and the model takes longer with it; a split saves time."""
    session, snapshot = denoiser
    layer = snapshot.by_name["Conv2D_23"]
    fixes = propose_edits(session, snapshot, "Conv2D_23", 24)
    made = {fix.edit: one for fix in fixes if (one := outcome(session, snapshot, fix)) is not None}
    ranked = by_worth(fixes, made)
    assert isinstance(ranked[0].edit, SplitInput) and made[ranked[0].edit].change < 0
    assert [made[fix.edit].change for fix in ranked] != [made[fix.edit].change for fix in fixes]
    slower = [fix for fix in ranked if worth(fix, made[fix.edit]) is Worth.SLOWER]
    assert slower == list(ranked[-len(slower) :]) and slower[0].edit == PadChannels("Conv2D_23", 258)
    why = slower_words(slower[0], layer, made[slower[0].edit])
    assert why.startswith("slows the model by 0.05") and "the CPU drives a part of it" in why
    assert slower_words(ranked[0], layer, made[ranked[0].edit]) == ""


LOSSY, EXACT = SplitInput("a", (1, 2)), PadChannels("a", 4)


@pytest.mark.parametrize(
    ("lossy", "exact", "losing", "first"),
    [
        (-2.0, -1.0, False, EXACT), (-1.0, 0.0, False, LOSSY), (-1.0, 1.0, False, LOSSY), (0.0, -1e-5, False, EXACT),
        (0.5, 1.0, False, EXACT), (1.0, 0.0, False, EXACT), (-1.0, 1.0, True, LOSSY), (-1.0, -0.5, True, EXACT),
    ],
)  # fmt: skip
def test_fixes_are_ordered_by_what_they_are_worth(
    lossy: float, exact: float, losing: bool, first: PadChannels | SplitInput
) -> None:
    none = (None, None)
    fixes = [
        Preview(edit, Placement.SW_INT, Placement.HW, none, none, none, none, (), ())
        for edit in (LOSSY, EXACT)
    ]
    made = {LOSSY: Outcome(1.0, 1, 5.0, 5.0 + lossy), EXACT: Outcome(1.0, 1, 5.0, 5.0 + exact)}
    ranked = by_worth(fixes, made, {LOSSY} if losing else ())
    assert ranked[0].edit == first
    assert {fix.edit for fix in by_worth(fixes, {})} == {LOSSY, EXACT}


@pytest.mark.parametrize(("och", "wanted"), [(53, 54), (72, None), (48, None)])
def test_outputs_that_divide_badly_are_offered_more(och: int, wanted: int | None, tmp_path: Path) -> None:
    spec = Spec(kind="conv2", ich=64, och=och, size=40, zero_point=0, bias="")
    session = Session.open(saved(model(spec), tmp_path), target("2.1"))
    listed = [p for p in propose_edits(session, analyse(session), NAME) if isinstance(p.edit, PadOutputs)]
    assert [p.edit for p in listed][:1] == ([PadOutputs(NAME, wanted)] if wanted else [])
    for proposal in listed[:1]:
        before, after = proposal.compute_cycles
        assert before is not None and after is not None and after < before


def test_a_slow_zero_point_is_offered_another(denoiser: tuple[Session, Snapshot]) -> None:
    session, snapshot = denoiser
    for layer in ("Gemm_30", "Gemm_53"):
        match = next(p for p in propose_edits(session, snapshot, layer) if p.edit == Recentre(layer, 0))
        before, after = match.compute_cycles
        assert before == 262144 and after is not None and after < before * 0.34
        assert match.exactness is Exactness.APPROXIMATE


def test_nothing_is_offered_where_nothing_helps(denoiser: tuple[Session, Snapshot]) -> None:
    session, snapshot = denoiser
    assert propose_edits(session, snapshot, "Sigmoid_33") == ()
    assert propose_edits(session, snapshot, "nope") == ()
    assert propose_edits(session, snapshot, "Gemm_28", limit=0) == ()
    assert len(propose_edits(session, snapshot, "Gemm_28", limit=2)) == 2


def test_a_qlinear_operator_is_offered_its_qdq_form() -> None:
    session, snapshot = opened("convnet_qoperator.onnx")
    for report in snapshot.layers:
        previews = propose_edits(session, snapshot, report.name)
        assert (ToQdq(report.name) in [p.edit for p in previews]) == report.layer.qoperator


def _total(snapshot: Snapshot) -> tuple[float, int]:
    costs = [report.cost for report in snapshot.layers if report.cost is not None]
    return sum(cost.milliseconds for cost in costs), sum(cost.compute_cycles for cost in costs)


@pytest.mark.parametrize("name", ["denoiser_lstm_int8.onnx", "mobilenet_mini_int8.onnx"])
def test_a_preview_saves_what_an_analysis_shows_to_be_saved(name: str) -> None:
    session, snapshot = opened(name)
    weighted = [report.name for report in snapshot.layers if report.layer.weight is not None]
    for layer in weighted[::2]:
        offered = [proposal.edit for proposal in propose_edits(session, snapshot, layer, limit=3)]
        for edit in (*offered, Recentre(layer, 0), PadOutputs(layer, 264)):
            trial = preview(session, snapshot, edit)
            if not isinstance(trial, Preview):
                continue
            changed = session.edit(edit)
            assert isinstance(changed, Session)
            after = analyse(changed, snapshot)
            assert after.by_name[trial.layers[0].name].placement is trial.layers[0].placement
            (ms, cycles), (new_ms, new_cycles) = _total(snapshot), _total(after)
            assert trial.saved_milliseconds == pytest.approx(ms - new_ms, abs=1e-6), edit
            was, now = trial.compute_cycles
            if was is not None and now is not None:  # on the CPU it has none
                assert was - now == cycles - new_cycles, edit
