"""Models and their data behind links: read where onnxruntime reads them, never written where it would not."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER

from npuscope.cli.main import main
from npuscope.model.load import load
from npuscope.numbers.verify_models import verify


def test_a_model_and_its_data_behind_links_to_one_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Hugging Face's cache keeps them; onnxruntime reads them so, but no regular file beside the links may."""
    kept, shown = tmp_path / "blobs", tmp_path / "snapshots" / "a"
    kept.mkdir()
    shown.mkdir(parents=True)
    model = onnx.load(DENOISER)
    onnx.save(model, str(kept / "m.onnx"), save_as_external_data=True, location="w.bin", size_threshold=100)
    (kept / "m.onnx").rename(kept / "1")
    (kept / "w.bin").rename(kept / "2")
    path = shown / "m.onnx"
    path.symlink_to("../../blobs/1")
    (shown / "w.bin").symlink_to("../../blobs/2")
    plain = load(DENOISER)
    assert verify(plain, load(path), samples=1).bit_exact
    split = ["split", str(path), "--layer", "Gemm_28", "--axis", "out", "--parts", "2", "--samples", "1"]
    assert main(split) == 0
    assert main([*split, "-o", str(shown / "o.onnx")]) == 2
    assert "links to another folder" in capsys.readouterr().err and not (shown / "o.onnx").exists()
