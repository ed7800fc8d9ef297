"""`npuscope verify`: agreement, where two models diverge, and which edit is to blame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders import models

from npuscope.cli.main import main


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The denoiser with an exact split, then one that is not."""
    folder = tmp_path_factory.mktemp("verify")
    first, second = folder / "exact.onnx", folder / "both.onnx"
    common = ["--axis", "in", "--parts", "200,56", "-o", str(second)]
    assert (
        main(
            [
                "split",
                str(models.DENOISER),
                "--layer",
                "Gemm_30",
                "--axis",
                "out",
                "--parts",
                "2",
                "-o",
                str(first),
            ]
        )
        == 0
    )
    assert main(["split", str(first), "--layer", "Gemm_51", *common]) == 0
    return second


def test_the_first_layer_that_differs(split: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(models.DENOISER), str(split), "--where", "--samples", "2"]) == 1
    output = capsys.readouterr().out
    assert "the outputs differ over 2 samples" in output
    assert "first layer  Gemm_51" in output


def test_the_first_edit_where_the_model_tells_its_edits(
    split: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = split.with_name("exact.onnx")
    assert main(["verify", str(before), str(split), "--where", "--json", "--samples", "2"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "npuscope.verify/1" and not data["bit_exact"]
    assert data["first_edit"]["edit"] == 1 and data["first_edit"]["layer"] == "Gemm_51"
    assert data["first_layer"]["layer"] == "Gemm_51"


def test_nothing_is_looked_for_where_nothing_differs(split: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = split.with_name("exact.onnx")
    assert main(["verify", str(models.DENOISER), str(exact), "--where", "--samples", "2"]) == 0
    assert "first" not in capsys.readouterr().out
