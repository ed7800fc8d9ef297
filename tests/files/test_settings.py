"""The user's settings: what is understood is used, what is not is said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from npuscope.files.settings import MOST_BYTES, Settings, place, read
from npuscope.machine.machine import target
from npuscope.tui.app import Npuscope


def settings_of(text: str | bytes, folder: Path) -> Settings:
    environ = {"XDG_CONFIG_HOME": str(folder)}
    path = place(environ)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(environ)


@pytest.mark.parametrize(
    ("text", "wanted", "complaint"),
    [
        ("", Settings(), ""),
        ('theme = "light"\ntoolchain = "2.1"', Settings(theme="light", toolchain="2.1"), ""),
        ('board = "dk"\nspeed = 3', Settings(board="dk"), "speed is none of theme, toolchain, board, keys"),
        ("theme = 3", Settings(), "theme must be text"),
        ("theme = ", Settings(), "settings.toml"),
        ("keys = 3", Settings(), "keys must be a table"),
        ('theme = "light"\n[keys]\nfixes = "F"', Settings(theme="light"), ""),
        (b"\xff\xfe", Settings(), "settings.toml"),
        ("a = " + "[" * 5000, Settings(), "settings.toml"),
        ("#" * (MOST_BYTES + 1), Settings(), "too large"),
    ],
)
def test_settings(text: str | bytes, wanted: Settings, complaint: str, tmp_path: Path) -> None:
    settings = settings_of(text, tmp_path)
    assert (settings.theme, settings.toolchain, settings.board) == (
        wanted.theme,
        wanted.toolchain,
        wanted.board,
    )
    assert complaint in settings.complaint and bool(complaint) == bool(settings.complaint)
    assert "\n" not in settings.complaint and len(settings.complaint) < 260


def test_no_file_no_settings(tmp_path: Path) -> None:
    assert read({"XDG_CONFIG_HOME": str(tmp_path)}) == Settings()
    assert place({"HOME": "/home/someone"}) == Path("/home/someone/.config/npuscope/settings.toml")
    (tmp_path / "npuscope" / "settings.toml").mkdir(parents=True)
    assert read({"XDG_CONFIG_HOME": str(tmp_path)}) == Settings()


@pytest.mark.parametrize(
    ("theme", "shown", "complaint"),
    [
        ("light", "npuscope-light", ""),
        ("nord", "nord", ""),
        ("nonsense", "npuscope-dark", "there is no theme"),
    ],
)
async def test_the_theme_is_used_or_complained_of(
    theme: str, shown: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    monkeypatch.delenv("COLORFGBG", raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    app = Npuscope(None, target())
    app.use(theme, "")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.theme == shown
        assert any(complaint in note.message for note in app._notifications) or not complaint
