"""--memory-limit and --time-limit: what they hold, in this process and in workers, and what is not a limit."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER
from onnx import TensorProto, helper

from npuscope.cli.main import main
from npuscope.cli.parser import COMMANDS, WITHOUT_MODEL, command_parser
from npuscope.machine.machine import target
from npuscope.model.budget import DEFAULT, Budget, OutOfTimeError, limited, limits, tick, working
from npuscope.model.inference import child, complete
from npuscope.model.load import load
from npuscope.planning import plan as plans
from npuscope.planning.planner import plan
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose shapes onnx is asked for, in a process started for it: those of an If come from its bodies."""
    monkeypatch.setattr(complete, "inferred_by_onnx", child.inferred_by_onnx)
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"])], "b", [], [helper.make_empty_tensor_value_info("r")]
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4]),
        ],
        [helper.make_empty_tensor_value_info("y")],
    )
    path = tmp_path / "asking.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def notes_of(report: dict[str, dict[str, list[str]]]) -> str:
    return " ".join(report["model"]["notes"])


def test_a_limit_that_is_reached_is_said_and_the_rest_is_judged(
    asking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(asking), "--json"]) == 0
    assert "shape inference" not in notes_of(json.loads(capsys.readouterr().out))
    # Python alone does not load onnx in that time.
    assert main(["check", str(asking), "--json", "--time-limit", "0.1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "took more than 0.1 s: shapes behind" in notes_of(report) and len(report["layers"]) == 1
    assert limits() == DEFAULT


def test_the_limits_hold_in_workers_too(asking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(asking), str(asking), "--json", "--time-limit", "0.1"]) == 0
    for report in json.loads(capsys.readouterr().out):
        assert "took more than 0.1 s" in notes_of(report)


@pytest.mark.parametrize(
    "words", ["--memory-limit 1M", "--memory-limit much", "--time-limit 0", "--time-limit 5x"]
)
def test_what_is_no_limit_is_refused(words: str, asking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(asking), *words.split()]) == 2
    assert words.split()[0] in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_opens_a_model_can_be_limited(command: str) -> None:
    help_text = " ".join(command_parser(command).format_help().split())
    assert ("--memory-limit" in help_text and "--time-limit" in help_text) is (command not in WITHOUT_MODEL)
    assert ("more than 250,000 nodes" in help_text) is ("--time-limit" in help_text)


def test_limits_end_with_their_block_however_it_ends() -> None:
    with pytest.raises(KeyError), limited(Budget(64 << 20, 1.0)):
        assert limits() == Budget(64 << 20, 1.0)
        raise KeyError
    assert limits() == DEFAULT


def test_work_of_our_own_ends_at_its_deadline_in_a_line(
    asking: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("npuscope.model.budget.monotonic", lambda: 1000.0 * next(clock))
    for words in (
        ["check", str(asking)],
        ["plan", str(asking)],
        ["check", str(asking), "--time-limit", "1s"],
    ):
        assert main(words) == 2
        output = capsys.readouterr().err
        assert output.count("\n") == 1
        assert "took more than" in output
        assert "--time-limit allows more" in output


def test_deadlines_nest_and_end_with_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("npuscope.model.budget.monotonic", lambda: now)
    with working("all", 10.0), working("a part", 60.0):
        now = 8.0
        tick()
        with (
            pytest.raises(OutOfTimeError, match="a short part took more than 1 s"),
            working("a short part", 1.0),
        ):
            now = 9.5
            tick()
        tick()
        now = 10.5
        with pytest.raises(OutOfTimeError, match="all took more than 10 s"):
            tick()
    tick()


def test_a_plan_that_runs_out_of_time_within_a_layer_is_the_plan_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session.open(load(DENOISER), target("2.1"))
    snapshot = analyse(session)

    def endless(*_: object) -> None:
        while True:
            tick()

    monkeypatch.setattr("npuscope.planning.planner.GRACE", 0.0)
    monkeypatch.setattr("npuscope.planning.search.improve.candidates", endless)
    planned = plan(session, snapshot, plans.Budget(plans.Allowed.EXACT, seconds=0.2))
    assert not planned.finished
    assert planned.after == planned.before
