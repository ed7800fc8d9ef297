"""A plan that loses too much, or whose scales come from random inputs, says so and is not made as it stands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.edit_checks import opened

from npuscope.cli.main import main
from npuscope.edits.edit import Exactness, Refusal
from npuscope.files.recipe import load as load_recipe
from npuscope.model.load import load
from npuscope.numbers.differences import LEAST_DECIBELS
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Sample
from npuscope.planning import planner
from npuscope.planning.accuracy.loss_budget import measured
from npuscope.planning.assess import assess
from npuscope.planning.plan import Assessment, Plan
from npuscope.session import Session
from npuscope.snapshot import analyse

BLOCK = models.SAMPLES / "attention_block_int8.onnx"


@pytest.fixture(scope="module")
def session() -> Session:
    return opened(load(BLOCK), "4.0")


@pytest.fixture(scope="module")
def planned(session: Session) -> Plan:
    return planner.plan(session, analyse(session))  # once, for the command line too


@pytest.fixture(scope="module")
def samples(session: Session) -> tuple[Sample, ...]:
    return tuple(random_samples(session.source, 4, 0))


def test_scales_from_random_inputs_hold_a_step_back(
    session: Session, planned: Plan, samples: tuple[Sample, ...]
) -> None:
    random = assess(session, planned, samples).assessment
    own = assess(session, planned, samples, user_supplied=True)
    assert random is not None and own.assessment is not None
    quantized = tuple(i for i, step in enumerate(planned.steps) if step.edit.kind == "quantize")
    assert random.uncalibrated == quantized and set(random.held_back) >= set(quantized)
    assert "random inputs" in " ".join(random.warnings)
    assert own.assessment.decibels is not None and own.assessment.decibels >= LEAST_DECIBELS
    assert own.assessment.warnings == () and own.safe == tuple(range(len(planned.steps)))


def test_steps_below_the_bound_are_held_back_until_every_output_keeps_it(
    session: Session, planned: Plan, samples: tuple[Sample, ...]
) -> None:
    full = assess(session, planned, samples, user_supplied=True).assessment
    assert full is not None and full.decibels is not None
    bound = full.decibels + 1
    less = assess(session, planned, samples, bound, user_supplied=True)
    assert less.assessment is not None and less.assessment.lossy
    assert f"{full.decibels:.1f} dB, below {bound:g} dB" in less.assessment.warnings[0]
    kept = measured(session, less, less.safe, samples, user_supplied=True)
    assert not isinstance(kept, Refusal)
    assert kept.sqnr_db_min is None or kept.sqnr_db_min >= bound


def test_exact_plans_are_not_measured_and_what_was_not_measured_is_said(
    session: Session, planned: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = [step for step in planned.steps if step.exactness is Exactness.BIT_EXACT and not step.needs]
    assert assess(session, replace(planned, steps=tuple(exact)), ()).assessment is None
    monkeypatch.setattr("npuscope.planning.assess.MOST_NODES", 1)
    large = assess(session, planned, ()).assessment
    assert large is not None and "not measured: the model has more than 1 nodes" in large.warnings[-1]
    assert Assessment(30.0, 25.0).warnings == ()


def test_the_command_line_says_it_and_makes_the_rest(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, out = tmp_path / "r.toml", tmp_path / "o.onnx"
    command = ["plan", str(BLOCK), "--toolchain", "4.0", "--recipe", str(recipe), "--force"]
    assert main([*command, "--apply", "-o", str(out)]) == 1
    output = capsys.readouterr().out
    assert "random inputs" in output and "--accept-loss applies them all" in output
    kinds = {entry.edit.kind for entry in load_recipe(recipe).entries}
    assert kinds and "quantize" not in kinds
    assert main([*command, "--accept-loss"]) == 1
    capsys.readouterr()
    assert "quantize" in {entry.edit.kind for entry in load_recipe(recipe).entries}
    own = tmp_path / "own.npz"
    drawn = random_samples(session.source, 4, 0)
    np.savez(own, **{name: np.stack([s[name] for s in drawn]) for name in drawn[0]})
    assert main([*command, "--inputs", str(own), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["held_back"] == []
    assert "quantize" in {entry.edit.kind for entry in load_recipe(recipe).entries}
    for least in ("-3", "0", "nan", "201", "many"):
        with pytest.raises(SystemExit, match="2"):
            main([*command, "--least-db", least])
