"""`npuscope compare`: what it prints, its exit status, and the hint where an artefact is taken for a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.artefacts.texts import LOWERING, REPORT_40
from builders.command_line import run
from builders.models import DENOISER, ROOT, gemm_qdq

SOFTWARE_GEMM = """\
ST Edge AI Core v2.1.0-20194 329b0e98d
Total number of epochs: 2 of which 1 implemented in software
epoch 1 HW
epoch 2 -SW- ( Conv )
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "lower.log"
    path.write_text(LOWERING)
    return path


@pytest.fixture
def model_and_report(tmp_path: Path) -> tuple[Path, Path]:
    """A Gemm predicted on the NPU, and a report that has it in software."""
    model, report = tmp_path / "m.onnx", tmp_path / "report.txt"
    model.write_bytes(gemm_qdq(64, 48).SerializeToString())
    report.write_text(SOFTWARE_GEMM)
    return model, report


def test_without_a_model(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    status, out, err = run(capsys, "compare", log)
    assert (status, err) == (0, "")
    assert "Gemm_28_conv_16" in out and "257 input channels cannot be tiled" in out


def test_with_a_model_that_agrees(capsys: pytest.CaptureFixture[str], log: Path) -> None:
    status, out, _ = run(capsys, "compare", log, DENOISER, "--json", "--toolchain", "2.1")
    value = json.loads(out)
    assert status == 0
    assert [artefact["kind"] for artefact in value["artefacts"]] == ["lowering_log"]
    assert value["agreement"]["placement"] == {"same": 3, "compared": 3}


def test_a_disagreement_is_status_1(
    capsys: pytest.CaptureFixture[str], model_and_report: tuple[Path, Path], tmp_path: Path
) -> None:
    report_path = tmp_path / "told.json"
    arguments = ("compare", *model_and_report, "--explain-disagreements", report_path)
    status, out, _ = run(capsys, *arguments, "--markdown")
    assert status == 1 and "| placement | hw | sw |" in out
    value = json.loads(report_path.read_text())
    assert value["schema"] == "npuscope.disagreements/1" and value["layers"][0]["differences"] == [
        "placement"
    ]
    assert "Gemm_0" not in report_path.read_text()
    status, _, err = run(capsys, *arguments)
    assert status == 2 and "exists" in err


UNUSABLE = [
    ("compare",),
    ("compare", "/nonexistent"),
    ("compare", "/"),
    ("compare", DENOISER),
    ("compare", DENOISER, DENOISER, "LOG"),
    ("compare", ROOT / "LICENSE"),
    ("compare", "LOG", "--toolchain", "1.0"),
    ("compare", "LOG", "--profile", "warp"),
    ("compare", "LOG", "--json", "--markdown"),
    ("compare", "LOG", "--explain-disagreements", "/tmp/never-written.json"),
]


@pytest.mark.parametrize("arguments", UNUSABLE, ids=lambda a: " ".join(map(str, a))[-40:])
def test_unusable_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[object, ...], log: Path
) -> None:
    status, out, err = run(capsys, *(log if a == "LOG" else a for a in arguments))
    assert (status, out) == (2, "")
    assert err.count("\n") == 1 and "internal error" not in err
    assert not Path("/tmp/never-written.json").exists()


def test_an_artefact_in_place_of_a_model_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(REPORT_40)
    status, _, err = run(capsys, "check", path)
    assert status == 2 and "is a report of ST's tools, not a model" in err and "npuscope compare" in err


def test_a_report_in_another_shell_encoding(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(REPORT_40.replace("\n", "\r\n"), "utf-16")
    status, out, _ = run(capsys, "compare", path)
    assert status == 0 and "9 epochs: 2 in software, 1 hybrid" in out
