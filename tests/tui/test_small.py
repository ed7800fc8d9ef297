"""Small terminals: the keys stay in view, columns give way whole, what is cut does not mislead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.widgets.ink import plain
from npuscope.widgets.key_bar import KeyBar, KeyHint
from npuscope.widgets.page import Page
from npuscope.widgets.row_list import RowList


def rows(widget: Any) -> list[str]:
    """What a list or a text shows, its heading first."""
    return ["".join(segment.text for segment in widget.render_line(y)) for y in range(widget.size.height)]


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (40, 12)])
@pytest.mark.parametrize("key", ["f", "s", "p", "c", "m", "b", "w", "o", "g", "i", "l", "question_mark"])
async def test_every_dialog_keeps_its_way_out_in_view(
    key: str, size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        await pilot.press("n", "n")
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        screen = pilot.app.screen
        assert screen is not pilot.app.screen_stack[0]
        bar = screen.query_one(KeyBar)
        assert screen.region.contains_region(bar.region)
        assert "Esc" in plain(bar.bar(bar.content_size.width))
        for table in screen.query(RowList):
            assert table.size.height > 1, "more than its heading"


async def test_what_verify_says_scrolls_above_its_keys(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "n", "s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("b")
        await settle(pilot)
        screen = pilot.app.screen
        page, bar = screen.query_one(Page), screen.query_one(KeyBar)
        assert screen.region.contains_region(bar.region)
        assert page.count > page.size.height
        assert page.region.bottom <= bar.region.y
        await pilot.press("end")
        await settle(pilot)
        assert "split inputs of Gemm_28" in rows(page)[-1]


def test_the_way_out_gives_way_last() -> None:
    bar = KeyBar((KeyHint("y", "export first", "a", short="export"), KeyHint("Esc", "stay", "b")))
    assert [hint.label for hint in bar.fitting(30)] == ["export first", "stay"]
    assert [hint.label for hint in bar.fitting(20)] == ["export", "stay"]
    assert [hint.label for hint in bar.fitting(10)] == ["stay"]
