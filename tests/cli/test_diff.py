"""`npuscope diff`: its three forms, its exit status, and names that a terminal could act on."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import onnx
import pytest
from builders.command_line import run
from builders.models import DENOISER, SAMPLES, gemm_qdq

from npuscope.cli.main import main

OTHER = SAMPLES / "mobilenet_mini_int8.onnx"


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan that other tests look for, too."""
    out = tmp_path_factory.mktemp("diff") / "fixed.onnx"
    exact = ("--loss", "exact", "--toolchain", "2.1")
    with redirect_stdout(StringIO()):
        assert main(["plan", str(DENOISER), *exact, "--apply", "-o", str(out)]) == 0
    return out


def test_json(capsys: pytest.CaptureFixture[str], fixed: Path) -> None:
    status, out, err = run(capsys, "diff", DENOISER, fixed, "--json")
    report = json.loads(out)
    assert (status, err, report["schema"], report["related"]) == (0, "", "npuscope.diff/1", True)
    moved = {layer["before"]["name"] for layer in report["layers"] if "moved" in layer["changes"]}
    assert {"Conv2D_23", "Gemm_28"} <= moved  # Conv2D_79 is in two parts
    assert report["before"]["summary"]["sw_int"] == 3
    assert report["after"]["summary"]["ms"] < report["before"]["summary"]["ms"]
    assert report["recipe"] and report["regressions"] == []
    counted = report["summary"]["removed"] + sum(
        layer["before"] is not None and layer["after"] is not None for layer in report["layers"]
    )
    assert counted + report["summary"]["same"] == report["before"]["summary"]["layers"]


@pytest.mark.parametrize(
    ("level", "turned", "status"),
    [("regression", False, 0), ("regression", True, 1), ("change", False, 1), ("change", True, 1)],
)
def test_fail_on(
    capsys: pytest.CaptureFixture[str], fixed: Path, level: str, turned: bool, status: int
) -> None:
    models = (fixed, DENOISER) if turned else (DENOISER, fixed)
    result, out, _ = run(capsys, "diff", *models, "--fail-on", level)
    assert result == status
    assert ("worse: " in out) == turned


def test_the_same_model(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "diff", DENOISER, DENOISER, "--fail-on", "change")
    assert status == 0
    assert "the same layers, unchanged" in out


def test_text_and_markdown(capsys: pytest.CaptureFixture[str], fixed: Path) -> None:
    _, text, _ = run(capsys, "diff", DENOISER, fixed)
    _, markdown, _ = run(capsys, "diff", DENOISER, fixed, "--markdown")
    assert "CPU int8 -> NPU" in text and "| CPU int8 -> NPU |" in markdown
    assert max(map(len, text.splitlines()[4:])) <= 120


@pytest.mark.parametrize("form", [(), ("--markdown",)])
def test_unrelated_models(capsys: pytest.CaptureFixture[str], form: tuple[str, ...]) -> None:
    _, out, _ = run(capsys, "diff", DENOISER, OTHER, *form)
    assert "unrelated models" in out
    assert "Gemm_28" not in out


def test_names_are_inert(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    onnx.save(gemm_qdq(16, 8), tmp_path / "a.onnx")
    onnx.save(gemm_qdq(16, 8, name="\x1b[31m|<b>`x`"), tmp_path / "b.onnx")
    for form in ((), ("--markdown",), ("--json",)):
        _, out, _ = run(capsys, "diff", tmp_path / "a.onnx", tmp_path / "b.onnx", *form)
        assert "\x1b" not in out
        assert "<b>" not in out or form != ("--markdown",)


@pytest.mark.parametrize("broken", [0, 1])
def test_a_file_that_is_no_model(capsys: pytest.CaptureFixture[str], tmp_path: Path, broken: int) -> None:
    (tmp_path / "no.onnx").write_bytes(b"\x00\x01")
    files = [DENOISER, DENOISER]
    files[broken] = tmp_path / "no.onnx"
    status, out, err = run(capsys, "diff", *files)
    assert (status, out, err.count("\n")) == (2, "", 1)
