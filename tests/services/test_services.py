"""What the command line and the explorer share: edits with a fallback, and names of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.models import DENOISER, SAMPLES, gemm_qdq
from onnx import helper

from npuscope.cli.main import main
from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.services.apply import Calibration, apply_edits
from npuscope.services.builds import BuildOptions
from npuscope.services.open import open_model, sort_files, target_for
from npuscope.services.writing import refuse_shared_names, unused_path, write_result
from npuscope.session import Session


@pytest.fixture
def unrunnable(tmp_path: Path) -> Path:
    """A Gemm behind an operator that onnxruntime does not know."""
    model = gemm_qdq(257, 64)
    model.graph.node.insert(
        0, helper.make_node("Strange", ["raw"], ["x"], name="strange", domain="elsewhere")
    )
    model.graph.input[0].name = "raw"
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    model.graph.value_info.append(helper.make_tensor_value_info("x", onnx.TensorProto.INT8, [1, 257]))
    path = tmp_path / "strange.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_scales_fall_back_where_the_model_does_not_run(unrunnable: Path) -> None:
    session = Session.open(load(unrunnable), target())
    done = apply_edits(session, [SplitInput("Gemm_0", (144, 113))])
    assert isinstance(done.session, Session) and len(done.session.done) == 1
    assert "keep the range of their weights" in done.warning and "elsewhere" in done.warning


def test_split_falls_back_on_the_command_line_too(
    unrunnable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["split", str(unrunnable), "--layer", "Gemm_0", "--axis", "in", "--parts", "144,113"]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert "after" in captured.out
    assert captured.err.startswith("npuscope: Partial sums keep the range") and captured.err.count("\n") == 1


def test_scales_are_measured_where_it_runs() -> None:
    session = Session.open(load(DENOISER), target())
    done = apply_edits(session, [SplitInput("Gemm_28", (144, 113))], Calibration(samples=2))
    assert isinstance(done.session, Session) and done.warning == ""
    edit = done.session.done[0]
    assert isinstance(edit, SplitInput) and len(edit.scales) == 2


@pytest.mark.parametrize(
    "edit",
    [SplitInput("Gemm_28", (144, 113)), SplitOutput("Gemm_28", (512, 512))],
    ids=["lossy", "bit-exact"],
)
def test_samples_that_were_named_must_be_there(edit: Edit, tmp_path: Path) -> None:
    session = Session.open(load(DENOISER), target())
    with pytest.raises(ModelError, match="no such"):
        apply_edits(session, [edit], Calibration(tmp_path / "none.npz"))


def test_a_refusal_comes_back() -> None:
    session = Session.open(load(DENOISER), target())
    assert isinstance(apply_edits(session, [SplitInput("nope", (1, 2))]).session, Refusal)


def test_results_never_share_a_name(tmp_path: Path) -> None:
    refuse_shared_names({"-o": tmp_path / "a.onnx", "--recipe": tmp_path / "a.toml", "--report": None})
    (tmp_path / "sub").mkdir()
    for other in ("a.onnx", "./a.onnx", "sub/../a.onnx"):
        with pytest.raises(ModelError, match="is the file of -o too"):
            refuse_shared_names({"-o": tmp_path / "a.onnx", "--recipe": f"{tmp_path}/{other}"})
    (tmp_path / "a.onnx").write_text("x")
    (tmp_path / "link").symlink_to("a.onnx")
    with pytest.raises(ModelError, match="is the file of -o too"):
        refuse_shared_names({"-o": tmp_path / "a.onnx", "--report": tmp_path / "link"})


def test_a_result_with_its_recipe_takes_free_names(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("mine")
    session = Session.open(load(DENOISER), target()).edit(SplitOutput("Gemm_30", (512, 512)))
    assert isinstance(session, Session)
    result = write_result(session, tmp_path / "m.onnx", recipe=True)
    assert result.checks[-1] == "recipe beside it: m2.toml"
    assert (tmp_path / "m.toml").read_text() == "mine"
    assert unused_path(tmp_path / "m.toml").name == "m3.toml"
    assert (
        write_result(session, tmp_path / "only.toml").path.read_text() == (tmp_path / "m2.toml").read_text()
    )


def test_which_file_is_the_model(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    files = sort_files([DENOISER, tmp_path / "x.npy"])
    assert files.model == str(DENOISER) and files.artefacts == () and len(files.refused) == 1
    with pytest.raises(ModelError, match="is a model too"):
        sort_files([DENOISER, SAMPLES / "mobilenet_mini_int8.onnx"])
    assert target_for((), BuildOptions(toolchain="2.1")).toolchain.version == "2.1"


def test_opening_a_model_clears_what_a_killed_export_left(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(gemm_qdq(64, 48).SerializeToString())
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    left = tmp_path / f".npuscope-{int(ended.stdout)}-0123456789ab.tmp"
    others = tmp_path / ".npuscope-notes.tmp"
    left.touch()
    others.touch()
    open_model(path)
    assert not left.exists() and others.exists()
