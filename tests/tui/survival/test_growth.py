"""What hours of keys must not pile up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual._styles_cache import StylesCache

from npuscope.tui import garbage, survival
from npuscope.tui.screens.help.screen import HelpScreen

MOST = 5


async def test_screens_do_not_pile_up_without_end(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survival, "MOST_SCREENS", MOST)
    async with explore(denoiser) as pilot:
        app, answers = pilot.app, list[object]()
        for _ in range(MOST + 3):
            app.push_screen(HelpScreen(), answers.append)
        await settle(pilot)
        assert len(app.screen_stack) == MOST and answers == [None] * 4
        assert any("leave some first" in note.message for note in app._notifications)
        while len(app.screen_stack) > 1:
            await pilot.press("escape")
        assert app.is_running and answers == [None] * (MOST + 3)


async def test_a_screen_below_others_is_drawn_over_what_lies_below_it(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    """Asked for the style under the mouse, Textual took one above it for the one behind: the two then drew each other."""
    async with explore(denoiser) as pilot:
        for _ in range(3):
            pilot.app.push_screen(HelpScreen())
            await settle(pilot)
        _, lowest, middle, _ = pilot.app.screen_stack
        for screen in (lowest, middle):
            screen.refresh()
            screen._behind = None
        lowest.get_style_at(0, 0)
        await settle(pilot)
        assert not pilot.app.faults


def test_all_is_collected_now_and_then_while_no_key_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[tuple[float, tuple[int, ...]]] = []
    now, pressed, new = [5.0], [0.0], [0]
    monkeypatch.setattr(garbage, "_next", float("inf"))
    monkeypatch.setattr(garbage, "_left", False)
    monkeypatch.setattr(garbage.gc, "isenabled", lambda: True)  # an analysis in a thread may hold it off
    monkeypatch.setattr(garbage.gc, "get_count", lambda: (new[0], 0, 0))
    monkeypatch.setattr(garbage.gc, "collect", lambda *young: collected.append((now[0], young)))
    monkeypatch.setattr(garbage, "monotonic", lambda: now[0])
    monkeypatch.setattr(garbage.key_priority, "since_a_key", lambda: now[0] - pressed[0])
    garbage.after_a_screen()
    garbage.look()
    assert not collected, "only the program itself collects all, not what uses its screens"
    monkeypatch.setattr(garbage, "_next", 0.0)
    pressed[0] = 18.5
    for now[0] in (20.0, 21.0, 22.0, 29.0, 32.0, 40.0, 45.0):
        garbage.look()
        if now[0] in (22.0, 40.0):
            garbage.after_a_screen()
    assert collected == [(21.0, ()), (32.0, ()), (45.0, ())]
    new[0] = garbage.FEW + 1
    for now[0], pressed[0] in ((46.0, 45.95), (47.0, 46.8), (48.0, 47.95)):
        garbage.look()
    assert collected[3:] == [(47.0, (garbage.YOUNG,))], "between two keys what is new"


async def test_the_pictures_of_screens_that_are_left_are_let_go_of(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    kept = StylesCache.get_inner_outer.cache_info
    async with explore(denoiser, (80, 24)) as pilot:
        for _ in range(3):
            await pilot.press("question_mark")
            await settle(pilot)
            drawn = kept().misses
            assert kept().currsize
            await pilot.press("escape")
            await settle(pilot)
            assert kept().misses < drawn, "counted anew, as nothing is kept"
