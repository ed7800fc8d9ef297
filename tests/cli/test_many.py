"""`npuscope check` of several models, and of one for several targets."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from builders.command_line import run
from builders.models import DENOISER, SAMPLES
from corpus import formats, graphs, nodes

from npuscope.cli.many import JSON, Task, judge
from npuscope.machine.board import BOARDS
from npuscope.machine.build import Build
from npuscope.machine.catalogue import PROFILES, TOOLCHAINS
from npuscope.model.errors import ModelError
from npuscope.services.parallel import each_in_parallel

MODELS = sorted(SAMPLES.glob("*.onnx"))


def alone(capsys: pytest.CaptureFixture[str], path: object) -> tuple[object, str]:
    """What a run for one file alone prints: its JSON, or its error."""
    _, out, err = run(capsys, "check", path, "--json")
    return (json.loads(out) if out else None), err.removeprefix("npuscope: ").rstrip("\n")


def test_several_models_are_what_each_is_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "check", *MODELS, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == [alone(capsys, path)[0] for path in MODELS]


def test_a_folder_is_its_models(capsys: pytest.CaptureFixture[str]) -> None:
    _, by_folder, _ = run(capsys, "check", SAMPLES, "--json")
    _, by_name, _ = run(capsys, "check", *MODELS, "--json")
    assert json.loads(by_folder) == json.loads(by_name)


def test_a_folder_of_one_model_is_an_array_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copy(DENOISER, tmp_path)
    _, out, _ = run(capsys, "check", tmp_path, "--json")
    assert len(json.loads(out)) == 1
    _, out, _ = run(capsys, "check", DENOISER, "--json")
    assert json.loads(out)["schema"] == "npuscope.check/1"


def test_one_bad_file_is_a_row_and_status_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad\x1b[31m.onnx"
    bad.write_bytes(b"\x00\x01")
    for form in ((), ("--csv",), ("--markdown",), ("--json",)):
        status, out, _ = run(capsys, "check", DENOISER, bad, MODELS[0], *form)
        assert status == 2
        assert "\x1b" not in out
        assert "is not an ONNX model" in out
    _, table, _ = run(capsys, "check", DENOISER, bad, MODELS[0])
    assert "3 files: 0 entirely on the NPU, 2 need the CPU, 1 cannot be used" in table


@pytest.mark.parametrize(("files", "status"), [(MODELS[:2], 1), ([*MODELS[:2], "nowhere.onnx"], 2)])
def test_fail_on(capsys: pytest.CaptureFixture[str], files: list[object], status: int) -> None:
    assert run(capsys, "check", *files, "--fail-on", "sw")[0] == status


def test_csv_sarif_and_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", *MODELS, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["path"] for row in rows] == [str(path) for path in MODELS]
    assert next(row for row in rows if row["path"] == str(DENOISER))["sw_int"] == "3"
    _, out, _ = run(capsys, "check", *MODELS, "--sarif")
    assert len(json.loads(out)["runs"]) == len(MODELS)
    _, out, _ = run(capsys, "check", *MODELS, "--github")
    assert "::error file=" in out
    status, out, err = run(capsys, "check", DENOISER, "nowhere.onnx", "--github")
    assert status == 2 and "nowhere.onnx: no such file" in err


@pytest.mark.parametrize(
    "arguments",
    [("--all",), ("--only", "off"), ("--toolchain", "9"), ("--sweep",)],
)
def test_what_is_for_one_model_only(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    status, out, err = run(capsys, "check", *MODELS[:2], *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_standard_input_is_one_model_named_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "check", "-", MODELS[0])
    assert (status, out) == (2, "") and "standard input holds one model; name it alone" in err


def test_the_corpus_of_bad_files_in_one_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cases = [case for family in (formats, nodes, graphs) for case in family.cases()][::6]
    paths = []
    for number, case in enumerate(cases):
        (tmp_path / f"{number:03}").mkdir()
        paths.append(str(case.write(tmp_path / f"{number:03}")))
    status, out, err = run(capsys, "check", *paths, "--json")
    rows = json.loads(out)
    assert (status, err, len(rows)) == (2, "", len(paths))
    for path, row in zip(paths, rows, strict=True):
        report, error = alone(capsys, path)
        if isinstance(report, list):  # a folder that holds one file
            (report,) = report
        assert row == report if report is not None else row["error"] == error


def test_processes_say_what_a_loop_says() -> None:
    tasks = [Task(str(path), Build(), JSON, None, "auto") for path in MODELS]
    assert list(each_in_parallel(judge, tasks, 2)) == [judge(task) for task in tasks]


def test_a_task_that_cannot_be_done_raises() -> None:
    with pytest.raises(ModelError):
        judge(Task("nowhere.onnx", Build(), JSON, None, "auto"))


# -- one model, many targets


def test_a_sweep_is_what_each_check_says(capsys: pytest.CaptureFixture[str]) -> None:
    model = SAMPLES / "convnet_qoperator.onnx"
    status, out, err = run(capsys, "check", model, "--sweep", "--json")
    report = json.loads(out)
    assert (status, err, report["schema"]) == (0, "", "npuscope.sweep/1")
    rows = report["rows"]
    assert len(rows) == len(TOOLCHAINS) * (len(BOARDS) + 1) * len(PROFILES) * 2
    keys = [(row["toolchain"], row["board"], row["profile"], row["pools"]) for row in rows]
    assert len(set(keys)) == len(rows)
    for row in rows[:: len(rows) // 6]:
        if row["pools"] == "all":
            board = ("--board", row["board"]) if row["board"] else ()
            _, out, _ = run(
                capsys, "check", model, "--json", "--toolchain", row["toolchain"], "--profile", row["profile"], *board
            )  # fmt: skip
            single = json.loads(out)
            assert (single["summary"], single["memory"]["fits"]) == (row["summary"], row["fits"])


def test_options_narrow_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--toolchain", "2.2", "--board", BOARDS[0], "--profile", "nominal")
    _, out, _ = run(capsys, "check", DENOISER, "--sweep", "--json", *arguments)
    rows = json.loads(out)["rows"]
    assert [(row["toolchain"], row["board"], row["profile"], row["pools"]) for row in rows] == [
        ("2.2", BOARDS[0], "nominal", "all"),
        ("2.2", BOARDS[0], "nominal", "on-chip"),
    ]


def test_a_sweep_says_for_how_many_targets_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "check", DENOISER, "--sweep", "--toolchain", "2.2", "--fail-on", "sw")
    assert (status, err.count("\n")) == (1, 1)
    assert "--fail-on sw" in err and "a layer runs in software, for 12 of 12 targets" in err


@pytest.mark.parametrize("form", [(), ("--markdown",), ("--csv",)])
def test_the_forms_of_a_sweep(capsys: pytest.CaptureFixture[str], form: tuple[str, ...]) -> None:
    status, out, err = run(capsys, "check", DENOISER, "--sweep", "--toolchain", "2.2", *form)
    assert (status, err) == (0, "")
    assert "on-chip" in out and "NUCLEO-N657X0-Q" in out
    assert ("fastest where it fits" in out) == (form != ("--csv",))


@pytest.mark.parametrize("arguments", [("--sarif",), ("--github",), ("--all",), ("--toolchain", "9")])
def test_forms_a_sweep_has_not(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    status, out, err = run(capsys, "check", DENOISER, "--sweep", *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_a_sweep_of_what_is_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "check", "nowhere.onnx", "--sweep")
    assert (status, out, err.count("nowhere.onnx")) == (2, "", 1)
