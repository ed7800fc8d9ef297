"""Proposals: their order, and that they say what an analysis says afterwards."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from builders import models
from builders.weighted_layers import NAME, Spec, model, saved

from npuscope.edits.edit import Exactness, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.load import Source, load
from npuscope.npu.verdict import Placement
from npuscope.planning.proposals import Preview, preview, propose_splits
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


def opened(source: Source, toolchain: str = "2.1") -> tuple[Session, Snapshot]:
    session = Session.open(source, target(toolchain))
    return session, analyse(session)


def test_the_seed_case_is_brought_to_the_npu_by_splitting_its_inputs() -> None:
    session, snapshot = opened(load(models.DENOISER))
    previews = propose_splits(session, snapshot, "Gemm_28")
    assert previews[0].before is Placement.SW_INT and previews[0].after is Placement.HW
    assert isinstance(previews[0].edit, SplitInput)
    assert all(p.after is Placement.HW for p in previews if isinstance(p.edit, SplitInput))
    assert all(p.after is Placement.SW_INT for p in previews if isinstance(p.edit, SplitOutput))
    assert previews[0].added == ("Gemm_28_split", "Gemm_28_part0", "Gemm_28_part1", "Gemm_28_add")


def test_proposals_come_best_first() -> None:
    session, snapshot = opened(load(models.DENOISER))
    exactness = list(Exactness)
    for layer in ("Gemm_28", "Conv2D_23", "Gemm_30"):
        previews = propose_splits(session, snapshot, layer)
        assert 4 <= len(previews) <= 8 and len({p.edit for p in previews}) == len(previews)
        keys = [
            (p.after.rank, round(p.milliseconds[1] or 0, 6), exactness.index(p.exactness), len(p.layers))
            for p in previews
        ]
        assert keys == sorted(keys)
        assert len(propose_splits(session, snapshot, layer, limit=2)) == 2


@pytest.mark.parametrize("layer", ["Gemm_28", "Conv2D_79", "Gemm_74"])
def test_a_preview_says_what_the_analysis_says_after_the_edit(layer: str) -> None:
    session, snapshot = opened(load(models.DENOISER))
    for proposal in propose_splits(session, snapshot, layer):
        after = session.edit(proposal.edit)
        assert isinstance(after, Session)
        analysis = analyse(after, snapshot)
        assert set(proposal.added) == {name for name in analysis.by_name if name not in snapshot.by_name}
        for report in proposal.layers:
            full = analysis.by_name[report.name]
            assert (report.placement, report.cost) == (full.placement, full.cost)
            # What another bound makes moot is known of the whole model alone.
            assert [replace(f, moot="") for f in report.findings] == [
                replace(f, moot="") for f in full.findings
            ]


def test_a_preview_sums_the_layers_it_puts_in_place() -> None:
    session, snapshot = opened(load(models.DENOISER))
    trial = preview(session, snapshot, SplitInput("Gemm_28", (144, 113)))
    assert isinstance(trial, Preview)
    costs = [report.cost for report in trial.layers if report.cost is not None]
    assert trial.cycles[1] == sum(cost.cycles for cost in costs)
    assert trial.compute_cycles[1] == sum(cost.compute_cycles for cost in costs)
    assert trial.milliseconds[1] == pytest.approx(sum(cost.milliseconds for cost in costs))
    before = snapshot.by_name["Gemm_28"].cost
    assert (
        before is not None and before.cycles and trial.cycles[0] is None
    )  # the compiler's estimate for the CPU
    assert trial.ops_per_cycle[1] == pytest.approx(2.0)


def test_a_prime_number_of_outputs_is_cut_where_kernels_can_run_in_parallel(tmp_path: Path) -> None:
    source = saved(model(Spec(kind="conv2", ich=64, och=257, size=20, zero_point=0, bias="")), tmp_path)
    session, snapshot = opened(source)
    best = propose_splits(session, snapshot, NAME)[0]
    assert isinstance(best.edit, SplitOutput) and best.exactness is Exactness.BIT_EXACT
    before, after = best.compute_cycles
    assert before is not None and after is not None and after < before / 3


def test_what_cannot_be_split_gets_no_proposals(tmp_path: Path) -> None:
    session, snapshot = opened(load(models.DENOISER))
    assert propose_splits(session, snapshot, "Sigmoid_82") == ()
    assert propose_splits(session, snapshot, "nope") == ()
    assert isinstance(preview(session, snapshot, SplitInput("Gemm_28", (1, 2))), Refusal)


def test_grouped_and_float_layers_get_equal_parts(tmp_path: Path) -> None:
    spec = Spec(kind="conv2", ich=12, och=24, group=6, kernel=3, pad=1)
    session, snapshot = opened(saved(model(spec), tmp_path))
    assert {p.edit for p in propose_splits(session, snapshot, NAME)} == {
        SplitOutput(NAME, (12, 12)),
        SplitOutput(NAME, (8, 8, 8)),
        SplitOutput(NAME, (8, 8, 4, 4)),
        SplitInput(NAME, (1, 1)),  # the two channels of each group
    }
    session, snapshot = opened(load(models.SAMPLES / "denoiser_lstm_float.onnx"))
    assert {p.after for p in propose_splits(session, snapshot, "Gemm_28")} == {Placement.SW_FLOAT}


@pytest.mark.parametrize(
    "spec", [Spec(ich=257, och=1024), Spec(ich=2, och=2), Spec(ich=3, och=20000, bias="")]
)
def test_proposing_is_quick(spec: Spec, tmp_path: Path) -> None:
    session, snapshot = opened(saved(model(spec), tmp_path))
    propose_splits(session, snapshot, NAME)
    start = time.process_time()
    assert propose_splits(session, snapshot, NAME)
    assert time.process_time() - start < 1  # 30 ms on an idle machine
