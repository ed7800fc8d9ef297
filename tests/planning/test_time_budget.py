"""The most dB within a time: measured as said, within the time, and never worse for a larger one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.networks.float_networks import NETWORKS
from builders.networks.spectrum_masks import mask

from npuscope.cli.main import main
from npuscope.edits.edit import Refusal
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.load import Source, load, source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.runner import Sample
from npuscope.numbers.verify_models import verify
from npuscope.planning.accuracy.time_budget import TimeBudgetResult, within_time
from npuscope.planning.plan import Allowed, Budget, Plan, apply, loss
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import analyse

TARGET = target_of(Build())


@pytest.fixture(scope="module")
def masked() -> tuple[Source, Session, Plan, tuple[Sample, ...]]:
    """A float model, its int8 model with a plan, and samples."""
    source = source_of(Path("m.onnx"), mask())
    samples = random_samples(source, 3)
    session = Session.open(quantize(source, samples, Settings()), TARGET)
    return source, session, plan(session, analyse(session), Budget(Allowed.ANY, seconds=600.0)), samples


def unrefused(result: tuple[Plan, TimeBudgetResult] | Refusal) -> tuple[Plan, TimeBudgetResult]:
    assert not isinstance(result, Refusal)
    return result


def test_a_lossy_step_is_left_out_where_the_time_allows_it(
    masked: tuple[Source, Session, Plan, tuple[Sample, ...]],
) -> None:
    _, session, full_plan, samples = masked
    assert any(loss(step.exactness) for step in full_plan.steps)
    fastest = full_plan.after.milliseconds
    tight, tight_within = unrefused(within_time(session, full_plan, fastest, samples))
    loose, loose_within = unrefused(within_time(session, full_plan, session_ms(session), samples))
    assert len(tight.steps) == len(full_plan.steps)
    assert tight_within.met
    assert tight_within.sqnr_db is not None
    assert loose_within.sqnr_db is None
    assert not any(loss(step.exactness) for step in loose.steps)
    assert loose_within.milliseconds <= session_ms(session)
    assert sum(change.milliseconds for change in loose_within.changes) == pytest.approx(
        loose_within.milliseconds - fastest, abs=0.01
    )
    late, late_within = unrefused(within_time(session, full_plan, fastest / 2, samples))
    assert not late_within.met
    assert late_within.milliseconds == pytest.approx(fastest, abs=0.01)
    assert len(late.steps) == len(full_plan.steps)


def session_ms(session: Session) -> float:
    return analyse(session).summary.milliseconds


def test_against_a_float_model_biases_and_ranges_are_repaired(
    masked: tuple[Source, Session, Plan, tuple[Sample, ...]],
) -> None:
    source, session, full_plan, samples = masked
    start = verify(source, apply_all_of(session, full_plan, samples), inputs=samples).sqnr_db_min
    better, within = unrefused(within_time(session, full_plan, 100.0, samples, source, user_supplied=True))
    assert within.sqnr_db is not None
    assert start is not None
    assert within.sqnr_db >= start
    assert within.sqnr_db - start == pytest.approx(sum(c.decibels for c in within.changes), abs=0.05)
    again = verify(source, apply_all_of(session, better, samples), inputs=samples).sqnr_db_min
    assert again == pytest.approx(within.sqnr_db, abs=0.05)


def apply_all_of(session: Session, made: Plan, samples: tuple[Sample, ...]) -> Session:
    changed = apply(session, made, samples=samples, user_supplied=True)
    assert isinstance(changed, Session)
    return changed


def spiky(folder: Path) -> tuple[Path, Path, Path]:
    """A float model, its int8 one, whose range outliers set, and samples with them."""
    from builders.networks.float_networks import FloatNetwork

    net = FloatNetwork(12)
    weights = np.eye(4, dtype=np.float32).reshape(4, 4, 1, 1)
    weights[:, 0] = 200
    bias = net.constant(np.full(4, 0.01))
    onnx.save(
        net.model((1, 4, 16, 16), net.add("Tanh", net.add("Conv", "x", net.constant(weights), bias))),
        folder / "f.onnx",
    )
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.5, (3, 4, 16, 16))
    values[:, 0] = rng.random((3, 16, 16)) < 0.002
    np.save(folder / "x.npy", values.astype(np.float32))
    source = load(folder / "f.onnx")
    samples = [{"x": value[None].astype(np.float32)} for value in values]
    onnx.save(quantize(source, samples, Settings()).proto, folder / "q.onnx")
    return folder / "f.onnx", folder / "q.onnx", folder / "x.npy"


def test_the_command_clips_outliers_and_writes_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floats, int8, inputs = spiky(tmp_path)
    out = tmp_path / "out.onnx"
    command = ["plan", str(int8), "--max-ms", "9", "--reference", str(floats), "--inputs", str(inputs)]
    assert main([*command, "--apply", "-o", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["within"]["met"] is True
    assert any(change["change"].startswith("clip the input of") for change in report["within"]["changes"])
    assert sum(change["gain_db"] for change in report["within"]["changes"]) > 3
    samples = [{"x": value[None]} for value in np.load(inputs)]
    measured = verify(load(floats), load(out), inputs=samples).sqnr_db_min
    assert measured == pytest.approx(report["within"]["sqnr_db"], abs=0.05)
    assert main(command) == 0
    assert "Most dB within the time" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-ms", "3", "--loss", "30"), "give one"),
        (("--reference", "f.onnx"), "--max-ms"),
        (("--max-ms", "3", "--as-int8"), "needs a model that can be run"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    onnx.save(NETWORKS["gates"](), tmp_path / "g.onnx")
    assert main(["plan", str(tmp_path / "g.onnx"), *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


def test_a_plan_without_steps_has_nothing_to_choose() -> None:
    source = source_of(Path("m.onnx"), NETWORKS["residual"]())
    samples = random_samples(source, 2)
    session = Session.open(quantize(source, samples, Settings(symmetric=True)), TARGET)
    made, within = unrefused(within_time(session, plan(session, analyse(session)), 1.0, samples))
    assert within.changes == ()
    assert within.sqnr_db is None or made.steps
