"""Dialogs name only keys that do something there, and show what was typed; on small and wide screens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.tui.screens.split.screen import SplitScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain


def hinted(app: Any) -> list[str]:
    return [hint.key for hint in app.screen.query_one("#box KeyBar", KeyBar).hints]


def text_of(page: Page) -> str:
    return " ".join(plain(page.body(i, page.line_width)).strip() for i in range(page.count))


async def test_small(denoiser: Path, explore: Any, settle: Any, until: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        off = [report.name for report in app.snapshot.off_npu]
        await pilot.press("n", "n", "n")
        assert tree.layer_name == off[-1]
        assert [note.message for note in app._notifications] == ["3 of 3 not on the NPU"]
        await pilot.press("n")
        assert tree.layer_name == off[0]
        assert [note.message for note in app._notifications] == [
            f"1 of {len(off)} not on the NPU: the first again"
        ]
        await pilot.press("N")
        assert "the last again" in next(note.message for note in app._notifications)

        app.main.go_to("Gemm_28")
        await pilot.press("s")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, SplitScreen)
        choices = screen.query_one(Choices)
        proposed = choices.count
        await pilot.press(*"150", "plus", *"107")
        await until(pilot, lambda: choices.count > proposed)
        await settle(pilot)
        assert choices.count == proposed + 1 and choices.cursor == proposed
        await until(pilot, lambda: screen.result.edit in screen.outcomes)
        await settle(pilot)
        assert "whole model" in text_of(screen.query_one(Page))
        assert plain(choices.body(choices.cursor, 76)).startswith("150+107")
        await pilot.press("up")
        assert choices.cursor == proposed - 1 and screen.result.edit == screen._proposals[-1].edit
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.session.done[0].sizes == (150, 107)

        app.main.go_to("Sigmoid_33")
        await pilot.press("f")
        await settle(pilot)
        assert "s" not in hinted(app) and {"b", "L"} <= set(hinted(app))
        assert "b shows what bounds the model" in text_of(app.screen.query_one(Page))
        await pilot.press("escape", "c")
        await settle(pilot)
        versions = app.screen.query_one(Choices)
        assert versions.page >= versions.count >= 10, "every version in view"
        await pilot.press("escape", "e", "enter")
        await settle(pilot)
        assert hinted(app) == ["c", "Enter Esc"]


async def test_wide(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (200, 50)) as pilot:
        app = pilot.app
        await pilot.press("b")
        await settle(pilot)
        assert "Enter" in hinted(app)
        await pilot.press("tab")
        assert hinted(app) == ["↑↓", "Tab", "Esc"]
        await pilot.press("tab")
        assert "Enter" in hinted(app)
        await pilot.press("escape", "p")
        await settle(pilot)
        assert app.screen.query_one("#box").region.width > 120
        await pilot.press("escape", "n", "x")
        await settle(pilot)
        assert "see docs/sources.md" in text_of(app.screen.query_one(Page))


async def test_what_was_said_below_does_not_cover_a_dialog(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("full_stop")
        assert app._notifications
        await pilot.press("d")
        await settle(pilot)
        assert app.screen is not app.main and not app._notifications
        await pilot.press("escape")
        app.show_message("It failed.", "error")
        await pilot.press("d")
        await settle(pilot)
        assert [note.message for note in app._notifications] == ["It failed."]


@pytest.mark.parametrize(
    ("size", "key", "scrolls"),
    [((80, 24), "m", False), ((80, 14), "m", True), ((80, 24), "question_mark", True)],
)
async def test_a_key_that_scrolls_is_dim_where_all_is_in_view(
    size: tuple[int, int], key: str, scrolls: bool, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        await pilot.press(key)
        await settle(pilot)
        bar = pilot.app.screen.query_one(KeyBar)
        (hint,) = (hint for hint in bar.fitting(200) if hint.label == "scroll")
        assert hint.enabled is scrolls
        await pilot.resize_terminal(size[0], 12)
        await settle(pilot)
        (hint,) = (hint for hint in bar.fitting(200) if hint.label == "scroll")
        assert hint.enabled


async def test_build_options_have_nothing_to_restore_at_first(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("B")
        await settle(pilot)
        bar = pilot.app.screen.query_one(KeyBar)
        enabled = []
        for keys in (("down",), ("right",), ("backspace",)):
            await pilot.press(*keys)
            await settle(pilot)
            enabled.append(next(hint.enabled for hint in bar.hints if hint.key == "⌫"))
        assert enabled == [False, True, False]
