"""An error of ours ends the program with a line, not with pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope
from npuscope.tui.crash import last_words

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def _error() -> Exception:
    try:
        raise KeyError("[red]no\x1b[31m such layer")
    except KeyError as error:
        return error


def test_the_traceback_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    said = last_words(_error(), unexported=True)
    assert "\x1b" not in said
    file = tmp_path / "npuscope" / "crash.txt"
    assert str(file) in said
    assert "your edits were kept" in said
    assert "test_crash.py" in file.read_text()
    assert "your edits" not in last_words(_error(), unexported=False)


def test_a_state_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    said = last_words(_error(), unexported=False)
    assert "KeyError" in said
    assert len(said.splitlines()) == 1


async def test_an_error_in_a_key_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def broken(self: Npuscope) -> None:
        raise _error()

    monkeypatch.setattr(Npuscope, "action_help", broken)
    app = Npuscope(str(SAMPLES / "denoiser_lstm_int8.onnx"), target("2.1"))
    with pytest.raises(KeyError):
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("question_mark")
            await pilot.pause()
    said = capsys.readouterr().err
    assert "an error of npuscope's own ended it" in said
    assert "Traceback" not in said
    assert app.return_code == 1
