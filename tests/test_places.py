"""Paths that no file system takes: nothing lies there, whoever asks, and what a path is called is shown safely."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from builders.models import DENOISER, SAMPLES

from npuscope.cli.main import main
from npuscope.files.fuzzy import files_below
from npuscope.places import expanded, is_file, is_folder, is_there
from npuscope.tui.screens.open.folder import entries

FLOAT = str(SAMPLES / "denoiser_lstm_float.onnx")
MODEL = str(DENOISER)
LONG = "x" * 300


@pytest.mark.parametrize(
    "name", [LONG, "x" * 5000, "a\0b", "~no-user-of-that-name/x", "loop", "loop/x", "file/x", ""]
)
def test_nothing_lies_where_nothing_can(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").touch()
    assert not (is_file(name) or is_folder(name) or is_there(name))
    assert str(expanded(name)) in (name, ".")


def test_a_link_to_nowhere_hides_no_file_beside_it(tmp_path: Path) -> None:
    for name in ("a", "z", "m.onnx.d"):
        (tmp_path / name).symlink_to(tmp_path / name)
    (tmp_path / "m.onnx").write_bytes(DENOISER.read_bytes())
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert [entry.name for entry in entries(f"{tmp_path}/")] == ["..", "in", "link", "m.onnx"]
    assert files_below(tmp_path, (".onnx",), lambda: None) == ["m.onnx"]


@pytest.mark.parametrize(
    "words",
    [
        ["quantize", FLOAT, "-o", "q.onnx", "--inputs", LONG],
        ["quantize", FLOAT, "-o", "q.onnx", "--reader", f"{LONG}.py"],
        ["verify", MODEL, MODEL, "--inputs", f"{LONG}.npz"],
        ["verify", MODEL, MODEL, "--metric", f"{LONG}.py", "--labels", "l.npy"],
        ["verify", MODEL, MODEL, "--inputs", "a\0b.npz"],
        ["check", LONG],
        ["check", MODEL, "--as-built", f"{LONG}.json"],
    ],
)  # fmt: skip
def test_a_name_that_is_too_long_is_refused_in_a_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: object = main(words)
    except SystemExit as ended:  # the parser's own way
        status = ended.code
    assert status == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "internal error" not in error


def test_a_profile_may_name_pools_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "user_neuralart.json"
    path.write_text(
        json.dumps({"Profiles": {"default": {"memory_pool": LONG, "options": "--optimization 3"}}})
    )
    assert main(["check", MODEL, "--as-built", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"]["build"]["optimization"] == "3"


def test_a_path_that_was_written_is_shown_safely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dot", MODEL, "-o", "x\n\x1b[31m.dot"]) == 0
    assert main(["check", MODEL, "--write-baseline", "x\n\x1b[31m.json"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("written x\\n\\x1b[31m.dot\n")
    assert shown.err.startswith("npuscope: x\\n\\x1b[31m.json: ") and shown.err.count("\n") == 1
