"""An error of ours is shown and survived; where it cannot be, the program ends with a line, not with pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope
from npuscope.tui.crash import last_words
from npuscope.tui.screens.bounds.screen import BoundsScreen
from npuscope.tui.screens.help.screen import HelpScreen
from npuscope.tui.survival import MOST_FAULTS
from npuscope.widgets.lists.choices import Choices

SAMPLES = Path(__file__).resolve().parents[3] / "sample_models"


def _error() -> Exception:
    try:
        raise KeyError("[red]no\x1b[31m such layer")
    except KeyError as error:
        return error


def test_the_traceback_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    text = last_words(_error(), unexported=True)
    assert "\x1b" not in text
    file = tmp_path / "npuscope" / "crash.txt"
    assert str(file) in text
    assert "your edits were kept" in text
    assert "test_crash.py" in file.read_text()
    assert "your edits" not in last_words(_error(), unexported=False)


def test_a_state_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    text = last_words(_error(), unexported=False)
    assert "KeyError" in text
    assert len(text.splitlines()) == 1


async def test_an_error_in_a_key_is_shown_logged_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def broken(self: Npuscope) -> None:
        raise _error()

    monkeypatch.setattr(Npuscope, "action_help", broken)
    app = Npuscope(str(SAMPLES / "denoiser_lstm_int8.onnx"), target("2.1"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        (notice,) = app._notifications
        assert "KeyError" in notice.message
        assert str(tmp_path / "npuscope" / "crash.txt") in notice.message
        await pilot.press("b")
        await settle(pilot)
        assert isinstance(app.screen, BoundsScreen)
        app.faults.clear()
    assert not app.return_code
    assert "such layer" in (tmp_path / "npuscope" / "crash.txt").read_text()


@pytest.mark.parametrize("broken", ["on_click", "render_line", "on_mount", "content"])
async def test_errors_elsewhere_are_survived(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle: Any
) -> None:
    """In a handler, while drawing, while a screen is set up."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def fail(*_: object) -> None:
        raise _error()

    app = Npuscope(str(SAMPLES / "denoiser_lstm_int8.onnx"), target("2.1"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.pause()
        with monkeypatch.context() as patch:
            owner = Choices if broken in ("on_click", "render_line") else BoundsScreen
            patch.setattr(owner, broken, fail)
            await pilot.press("b")
            await pilot.pause()
            if broken == "on_click":
                await pilot.click(Choices)
            await pilot.press("escape")
            await pilot.pause()
            assert app.faults
        assert len(app.screen_stack) == 1
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
    assert not app.return_code


async def test_errors_without_end_end_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settle: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = Npuscope(str(SAMPLES / "denoiser_lstm_int8.onnx"), target("2.1"))
    with pytest.raises(KeyError):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            for _ in range(MOST_FAULTS + 2):
                try:
                    raise _error()
                except KeyError as error:
                    app._handle_exception(error)
            await pilot.pause()
    output = capsys.readouterr().err
    assert "ended by an internal error" in output
    assert "Traceback" not in output
    assert app.return_code == 1
