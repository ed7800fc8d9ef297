"""The history of edits and the screen of before and after, by keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders.longer import SIZES

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.session import Session
from npuscope.tui.screens.compare.screen import CompareScreen
from npuscope.tui.screens.history.screen import HistoryScreen
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.text.spans import length, plain

A, B = SplitInput("Gemm_28", (144, 113)), SplitOutput("Gemm_30", (512, 512))


async def edited(pilot: Any, settle: Any) -> Any:
    for edit in (A, B):
        pilot.app.make(edit)
        await settle(pilot)
    return pilot.app


@pytest.mark.parametrize("size", SIZES)
async def test_edits_are_switched_off_moved_and_dropped(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = await edited(pilot, settle)
        before = app.snapshot.summary.milliseconds
        await pilot.press("H")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, HistoryScreen)
        assert set(screen.steps) == {A, B} and set(screen.losses) == {A, B}
        text = plain(screen._line(0, size[0] - 4))
        assert "✗ 3→2" in text and "dB" in text
        assert "exact" in plain(screen._line(1, size[0] - 4))
        await pilot.press("K")
        await settle(pilot)
        assert screen.session.done == (B, A)
        await pilot.press("down", "space")
        await settle(pilot)
        assert screen.session.done == (B,) and screen.session.undone == (A,)
        assert [on for _, on in screen.edits] == [True, False]
        await pilot.press("enter")
        await settle(pilot)
        assert app.session.done == (B,) and app.snapshot.summary.on_cpu == 3
        await pilot.press("r")
        await settle(pilot)
        assert app.session.done == (B, A)
        assert app.snapshot.summary.milliseconds == pytest.approx(before)
        await pilot.press("H", "x", "enter")
        await settle(pilot)
        await pilot.press("escape")
        assert isinstance(app.session, Session)


async def test_leaving_changes_nothing_and_a_refusal_is_said(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        app.make(B)
        await settle(pilot)
        part = next(layer.name for layer in app.session.layers.layers if layer.name.startswith("Gemm_30"))
        app.make(SplitOutput(part, (256, 256)))
        await settle(pilot)
        session = app.session
        await pilot.press("H", "up", "space")
        await settle(pilot)
        screen = app.screen
        assert screen.session is session, "the second edit is of what the first one made"
        assert "needs an edit" in "\n".join(plain(line) for line in screen._about(100))
        await pilot.press("escape")
        await settle(pilot)
        assert app.session is session


async def test_no_edits_no_history(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("H")
        await settle(pilot)
        assert "No edits yet" in "\n".join(plain(line) for line in pilot.app.screen._about(60))
        await pilot.press("space", "x", "K", "enter", "escape")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, HistoryScreen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_two_timelines_on_one_scale(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = await edited(pilot, settle)
        await pilot.press("equals_sign")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, CompareScreen) and screen.both is not None
        head = [plain(line) for line in screen.both.head(size[0] - 6)]
        assert head[0].startswith("before") and head[3].startswith("after")
        bars = [len(line.rstrip()) for line in (head[1], head[4])]
        assert bars[0] > bars[1], "what is faster is shorter"
        for width in (50, 74, 114, 154):
            rows = range(len(screen.both.stretches))
            assert all(length(screen.both.row(at, width)) <= width for at in rows)
            assert all(length(line) <= width for line in screen.both.head(width))
        rows = screen.query_one(RowList)
        assert not screen.both.stretches[rows.cursor].same, "it opens at the first change"
        wanted = screen.both.layer(rows.cursor)
        await pilot.press("enter")
        await settle(pilot)
        assert app.graph_tree.layer_name == wanted
