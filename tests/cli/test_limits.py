"""--memory-limit and --time-limit: what they hold, in this process and in workers, and what is no limit."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from npuscope.cli.main import main
from npuscope.cli.parser import COMMANDS, WITHOUT_MODEL, command_parser
from npuscope.model.budget import DEFAULT, Budget, limited, limits


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """A model whose shapes onnx is asked for: those of an If come from its bodies."""
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
    said = command_parser(command).format_help()
    assert ("--memory-limit" in said and "--time-limit" in said) is (command not in WITHOUT_MODEL)


def test_limits_end_with_their_block_however_it_ends() -> None:
    with pytest.raises(KeyError), limited(Budget(64 << 20, 1.0)):
        assert limits() == Budget(64 << 20, 1.0)
        raise KeyError
    assert limits() == DEFAULT
