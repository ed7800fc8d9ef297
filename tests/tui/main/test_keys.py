"""The user's keys: they do what they should, and bar, help, palette and texts show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.tui import run
from npuscope.tui.actions import ACTIONS, RESERVED
from npuscope.tui.app import Npuscope
from npuscope.tui.palette import commands
from npuscope.tui.screens.fixes.screen import FixesScreen
from npuscope.tui.screens.help.screen import HelpScreen
from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.text import keys
from npuscope.widgets.text.spans import plain


def test_actions_have_names_for_the_settings_and_keys_that_can_be_had() -> None:
    words = [action.word for action in ACTIONS]
    assert len(set(words)) == len(words) and {"fixes", "next_off_npu", "agreement", "mac_cycle"} <= set(words)
    pressed = {key for action in ACTIONS if action.word != "tree" for key in action.pressed}
    assert not pressed & RESERVED


async def test_the_users_keys(denoiser: Path, settle: Any) -> None:
    app = Npuscope(str(denoiser), target("2.1"))
    wanted = {
        "fixes": "z",
        "layers": "f",
        "rule": "F7",
        "help": "!",
        "open": "ctrl+x",
        "search": "u",
        "fly": "y",
    }
    app.use_keys(wanted)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            (note,) = app._notifications
            assert (
                "fly is not an action" in note.message
                and "u for search is the key of undo too" in note.message
            )
            await pilot.press("n", "n", "z")
            await settle(pilot)
            assert isinstance(app.screen, FixesScreen)
            await pilot.press("escape", "f")
            await settle(pilot)
            assert isinstance(app.screen, LayersScreen), "its own key, since fixes gave it away"
            await pilot.press("escape")
            for unused in ("L", "x"):
                await pilot.press(unused)
                assert len(app.screen_stack) == 1
            hints = {hint.label: hint.key for hint in app.main.query_one(KeyBar).hints}
            assert (hints["fixes"], hints["layers"], hints["search"]) == ("z", "f", "/")
            pane = app.query_one(Eligibility)
            assert plain(pane.heading(0, 60)).endswith("F7 rule")
            titles = {command.title for command in commands(app, app.main, app.actions)}
            assert any(title.endswith("  Ctrl+x") for title in titles)
            for key in ("exclamation_mark", "f1"):
                await pilot.press(key)
                await settle(pilot)
                screen = app.screen
                assert isinstance(screen, HelpScreen)
                text = "\n".join(plain(line) for line in screen._text(90))
                assert "\nz              Fixes" in text and "\nF7             The rules" in text
                await pilot.press("escape")
            await pilot.press("ctrl+x", "escape")
            assert not app.faults
            empty = plain(StatusLine().bar(80))
            assert "Ctrl+x opens one" in empty
    finally:
        keys.use({})


def test_the_file_of_settings_is_what_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "npuscope").mkdir()
    (tmp_path / "npuscope" / "settings.toml").write_text('[keys]\nquit = "X"\n')
    made: list[Npuscope] = []
    monkeypatch.setattr(Npuscope, "run", lambda self: made.append(self))
    run.run([], run.BuildOptions())
    try:
        (quits,) = (action.key for action in made[0].actions if action.word == "quit")
        assert quits == "X"
    finally:
        keys.use({})
