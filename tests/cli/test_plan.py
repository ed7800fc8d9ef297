"""plan, apply and dot from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from builders import models
from builders.command_line import run

from npuscope.edits.kinds.pad_channels import PadChannels
from npuscope.files.recipe import save
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify
from npuscope.session import Session


def software(capsys: pytest.CaptureFixture[str], path: Path) -> list[str]:
    _, out, _ = run(capsys, "check", path, "--json", "--toolchain", "2.1")
    return [layer["name"] for layer in json.loads(out)["layers"] if layer["placement"].startswith("sw")]


def test_a_plan_applied_leaves_nothing_on_the_cpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out, recipe, report = tmp_path / "fixed.onnx", tmp_path / "fix.toml", tmp_path / "fix.md"
    status, output, err = run(
        capsys, "plan", models.DENOISER, "--toolchain", "2.1", "--apply", "-o", out,
        "--recipe", recipe, "--report", report, "--samples", 4,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert output.count("written ") == 3 and report.read_text().startswith("## denoiser_lstm_int8.onnx")
    assert software(capsys, out) == []
    for place, again in ((recipe, tmp_path / "again.onnx"), (out, tmp_path / "third.onnx")):
        status, output, _ = run(capsys, "apply", models.DENOISER, place, "-o", again, "--toolchain", "2.1")
        assert status == 0 and "no longer need the CPU" in output
        assert again.read_bytes() == out.read_bytes()


def test_an_exact_plan_changes_no_number(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "fixed.onnx"
    status, _, _ = run(
        capsys, "plan", models.DENOISER, "--toolchain", "2.1", "--loss", "exact", "--apply", "-o", out
    )
    assert status == 0 and software(capsys, out) == []
    assert verify(load(models.DENOISER), load(out), samples=1).bit_exact


def test_the_json_of_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "plan", models.DENOISER, "--json", "--toolchain", "2.1")
    assert (status, err) == (0, "")
    data = json.loads(out)
    assert data["schema"] == "npuscope.plan/1" and data["after"]["sw_int"] == 0


def test_a_plan_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "plan", models.SAMPLES / "convnet_qoperator.onnx", "--markdown")
    assert status == 0 and out.startswith("## convnet_qoperator.onnx")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--apply"], "--apply and -o OUT belong together"),
        (["-o", "x.onnx"], "--apply and -o OUT belong together"),
        (["--loss", "some"], "'some' is not a loss budget"),
        (["--apply", "-o", models.DENOISER, "--force"], "is the opened model"),
        (["--apply", "-o", "/no/such/folder/x.onnx"], "there is no folder"),
        (["--recipe", "/no/such/folder/x.toml"], "there is no folder"),
        (["--report", str(models.SAMPLES.parent / "README.md")], "exists; give another name"),
        (["--as-int8", "--loss", "30"], "--loss: needs a model that can be run"),
        (["--as-int8", "--max-ms", "5"], "--max-ms: needs a model that can be run"),
        (["--reference", "x.onnx"], "--reference: applies to --max-ms"),
        (["--max-ms", "5", "--loss", "30"], "--max-ms looks for the most dB"),
        (["--max-ms", "soon"], "'soon' is not a number of milliseconds above 0"),
        (["--least-db", "many"], "'many' is not a number of dB from 0 to 200"),
    ],
)
def test_what_cannot_be_planned_says_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    """Before it is searched for: the time limit is too short to find a step."""
    arguments = ["--seconds", "0.01", *arguments]
    status, _, err = run(capsys, "plan", models.DENOISER, "--toolchain", "2.1", *arguments)
    assert status == 2 and reason in err and err.count("\n") == 1


def test_a_recipe_for_another_model_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recipe = tmp_path / "fix.toml"
    run(capsys, "plan", models.DENOISER, "--recipe", recipe, "--toolchain", "2.1", "--loss", "exact")
    other = models.SAMPLES / "mobilenet_mini_int8.onnx"
    status, _, err = run(capsys, "apply", other, recipe, "-o", tmp_path / "x.onnx")
    assert status == 2 and "--other-model" in err
    status, _, err = run(capsys, "apply", other, recipe, "-o", tmp_path / "x.onnx", "--other-model")
    assert status == 2 and "no layer" in err
    status, _, err = run(capsys, "apply", models.DENOISER, tmp_path / "none.toml", "-o", tmp_path / "x.onnx")
    assert status == 2 and "no such file" in err
    assert [path.name for path in tmp_path.iterdir()] == ["fix.toml"]


def test_drawings(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "a.dot"
    assert run(capsys, "dot", models.DENOISER, "-o", out, "--layer", "Gemm_28", "--radius", 1)[0] == 0
    assert out.read_text().startswith("digraph")
    status, _, err = run(capsys, "dot", models.DENOISER, "-o", out)
    assert status == 2 and "exists" in err
    assert run(capsys, "dot", models.DENOISER, "-o", tmp_path / "a.json")[0] == 0
    assert "results" in json.loads((tmp_path / "a.json").read_text())
    status, _, err = run(capsys, "dot", models.DENOISER, "-o", tmp_path / "b.dot", "--layer", "Gemm_29")
    assert status == 2 and "Gemm_2" in err
    if shutil.which("dot") is None:
        status, _, err = run(capsys, "dot", models.DENOISER, "-o", tmp_path / "a.svg")
        assert status == 2 and "graphviz" in err


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["plan", "MODEL", "--report", "OUT"], ".md, .json, .csv or .html"),
        (["apply", "MODEL", "RECIPE", "-o", "x.onnx", "--report", "OUT"], ".md, .json, .csv or .html"),
        (["dot", "MODEL", "-o", "OUT"], ".dot, .svg or .json"),
    ],
)
@pytest.mark.parametrize("name", ["x.pdf", "x.PNG", "x"])
def test_a_format_that_cannot_be_written_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], allowed: str, name: str
) -> None:
    out = tmp_path / name
    status, output, err = run(capsys, *(out if word == "OUT" else word for word in arguments))
    assert (status, output) == (2, "") and f"{out}: the name must end in {allowed}" in err
    assert not list(tmp_path.iterdir())


def test_samples_from_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = load(models.SAMPLES / "convnet_qoperator.onnx")
    name = source.graph.inputs[0]
    shape = source.graph.type(name).dims
    dtype = source.graph.type(name).dtype
    assert shape is not None
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.zeros(shape, dtype))
    status, out, err = run(capsys, "verify", source.path, source.path, "--inputs", tmp_path, "--json")
    assert (status, err, json.loads(out)["samples"]) == (0, "", 3)


@pytest.mark.parametrize(
    ("name", "begins"), [("r.json", "{"), ("r.csv", "name,op,"), ("r.md", "#"), ("r.html", "<!DOCTYPE html>")]
)
def test_a_recipe_is_applied_with_a_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, begins: str
) -> None:
    recipe, report = tmp_path / "recipe.toml", tmp_path / name
    session = Session.open(load(models.DENOISER), target("2.1"))
    outcome = session.edit(PadChannels("Gemm_28", 264))
    assert isinstance(outcome, Session)
    save(outcome, recipe)
    out = tmp_path / "out.onnx"
    status, _, err = run(
        capsys, "apply", models.DENOISER, recipe, "-o", out, "--report", report, "--toolchain", "2.1"
    )
    assert (status, err) == (0, "") and out.exists()
    text = report.read_text("utf-8")
    assert text.startswith(begins) and "Gemm_28" in text
