"""The public interface, as docs/api.md and the package's docstring show it."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import npuscope
from npuscope import api

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_does_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = str(ROOT / "docs" / "api.md")
    result = doctest.testfile(page, module_relative=False, encoding="utf-8")
    assert result.attempted > 10 and result.failed == 0


def test_the_docstring_does_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(npuscope)
    assert result.attempted == 3 and result.failed == 0


def test_both_lists_of_names_agree() -> None:
    assert npuscope.__all__ == api.__all__
    for name in npuscope.__all__:
        assert inspect.getdoc(getattr(npuscope, name))
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        npuscope.nope  # noqa: B018


def test_import_is_light() -> None:
    code = "import npuscope, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"onnx", "numpy", "onnxruntime", "textual", "npuscope.api"} & set(run.stdout.split())


def test_module_runs() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "npuscope", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"npuscope {npuscope.__version__}\n"


def test_one_family_of_errors(tmp_path: Path) -> None:
    session = npuscope.open(ROOT / "sample_models" / "denoiser_lstm_int8.onnx")
    for wrong in (
        lambda: npuscope.open(tmp_path / "none.onnx"),
        lambda: npuscope.open(ROOT / "sample_models" / "denoiser_lstm_int8.onnx", toolchain="9.9"),
        lambda: npuscope.plan(session, loss="some"),
        lambda: npuscope.plan(session, loss="30"),
        lambda: npuscope.compare(tmp_path / "none.txt"),
        lambda: npuscope.export(session, tmp_path),
    ):
        with pytest.raises(npuscope.ModelError):
            wrong()


def test_arguments_of_another_type_are_named(tmp_path: Path) -> None:
    model: Any = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"
    session: Any = npuscope.open(model)
    for name, wrong in (
        ("path", lambda: npuscope.open(None)),  # type: ignore[arg-type]
        ("toolchain", lambda: npuscope.open(model, toolchain=2.1)),  # type: ignore[arg-type]
        ("session", lambda: npuscope.analyse(model)),
        ("session", lambda: npuscope.plan(model)),
        ("session", lambda: npuscope.apply(model, [])),
        ("edits", lambda: npuscope.apply(session, "pad-in")),  # type: ignore[arg-type]
        ("edits", lambda: npuscope.apply(session, [5])),  # type: ignore[list-item]
        ("after", lambda: npuscope.verify(session, None)),  # type: ignore[arg-type]
        ("path", lambda: npuscope.export(session, 5)),  # type: ignore[arg-type]
        ("paths", lambda: npuscope.compare(model, None)),  # type: ignore[arg-type]
        ("seconds", lambda: npuscope.plan(session, seconds="5")),  # type: ignore[arg-type]
        ("seconds", lambda: npuscope.plan(session, seconds=-1)),
        ("seconds", lambda: npuscope.plan(session, seconds=float("nan"))),
        ("samples", lambda: npuscope.verify(session, session, samples="8")),  # type: ignore[arg-type]
        ("seed", lambda: npuscope.verify(session, session, seed=-1)),
    ):
        with pytest.raises(npuscope.ModelError, match=f"^{name}: takes "):
            wrong()


def test_errors_speak_of_arguments(tmp_path: Path) -> None:
    """Not of the options of the command line."""
    model = ROOT / "sample_models" / "denoiser_lstm_int8.onnx"
    session = npuscope.open(model)
    (tmp_path / "there.onnx").write_bytes(b"x")
    for wrong in (
        lambda: npuscope.open(model, toolchain="9.9"),
        lambda: npuscope.open(model, profile="fast"),
        lambda: npuscope.export(session, tmp_path / "there.onnx"),
    ):
        with pytest.raises(npuscope.ModelError) as error:
            wrong()
        assert "--" not in str(error.value)
