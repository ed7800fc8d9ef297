"""What is kept of an error of onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import DENOISER

from npuscope.cli.main import main
from npuscope.numbers.runtime.words import LONGEST, words_of

SOURCE = "/onnxruntime_src/onnxruntime/core/graph/model.cc:256"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : no Conv(11) node", "no Conv(11) node"),
        (f"[ONNXRuntimeError] : 1 : FAIL : it failed:{SOURCE} a::M::M(x&&, f<int ()>) Unsupported: 99\n", "it failed: Unsupported: 99"),
        (f"{SOURCE} void a::b(const std::map<c, int>&, bool) const Opset (999) is new", "Opset (999) is new"),
        (f"{SOURCE} a::L::L(const s&)::<lambda()> Failed to do", "Failed to do"),
        (f"{SOURCE} no end of (the function", f"{SOURCE} no end of (the function"),
        ("it says nothing of a place", "it says nothing of a place"),
        ("", ""),
    ],
)  # fmt: skip
def test_where_it_was_written_is_left_out(error: str, words: str) -> None:
    assert words_of(error) == words
    assert len(words_of(error + " x" * 10_000)) <= LONGEST


def test_a_version_that_onnxruntime_does_not_know_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(DENOISER)
    model.ir_version = 99
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert main(["verify", str(path), str(path), "--samples", "1"]) == 2
    error = capsys.readouterr().err
    assert "Unsupported model IR version: 99" in error and "onnxruntime_src" not in error
