"""Small terminals: the keys stay in view, columns give way whole, what is cut does not mislead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from npuscope.tui.screens.plan.text import _saved
from npuscope.widgets.bars.key_bar import KeyBar, KeyHint
from npuscope.widgets.bars.search_bar import SearchBar, SearchCount
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain


def rows(widget: Any) -> list[str]:
    """What a list or a text shows, its heading first."""
    return ["".join(segment.text for segment in widget.render_line(y)) for y in range(widget.size.height)]


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


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (80, ["sizes", "along", "where", "model", "cycles", "MAC/c", "layers", "numbers"]),
        (72, ["sizes", "along", "where", "model", "cycles", "MAC/c", "numbers"]),
        (60, ["sizes", "along", "where", "model", "numbers"]),
        (40, ["sizes", "where", "model", "numbers"]),
    ],
)
async def test_columns_of_splits_give_way_whole(
    width: int, names: list[str], denoiser: Path, explore: Any, settle: Any, until: Any
) -> None:
    async with explore(denoiser, (width, 24)) as pilot:
        await pilot.press("n", "n", "s")
        await settle(pilot)
        heading, first, *_ = rows(pilot.app.screen.query_one(Choices))
        assert heading.split() == names
        assert "● NPU" in first
        page = pilot.app.screen.query_one(Page)

        def time() -> str:
            return next(row for row in rows(page) if row.startswith("time")).rstrip()

        assert time()
        if width >= 60:
            await until(pilot, lambda: time().endswith("faster"))


@pytest.mark.parametrize("width", [40, 60])
async def test_a_narrow_list_of_files(width: int, denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (width, 15)) as pilot:
        await pilot.press("o")
        await settle(pilot)
        shown = rows(pilot.app.screen.query_one(Choices))
        assert "../" in [row.split(" ")[0].strip() for row in shown]
        assert any(row.rstrip().endswith(denoiser.name) or "model" in row for row in shown)
        assert not any("…" in row for row in shown)


@pytest.mark.parametrize("width", [40, 60, 80])
async def test_what_is_sought_is_seen(width: int, denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (width, 24)) as pilot:
        await pilot.press("slash")
        await settle(pilot)
        bar = pilot.app.query_one(SearchBar)
        assert bar.query_one(Input).content_size.width >= 12
        count = bar.query_one(SearchCount)
        for _ in range(2):
            text = plain(count.bar(count.content_size.width))
            assert len(text) <= count.content_size.width
            assert "Esc back" in text
            await pilot.press(*"gemm")
            await settle(pilot)
        assert bar.query_one(Input).value == "gemmgemm"


async def test_a_shape_is_not_cut_in_two(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "right")
        await settle(pilot)
        shown = rows(pilot.app.graph_tree)
        assert any(row.split()[-1] == "257×257×1" or "257×257×1 " in row for row in shown)
        assert not any("…57×257" in row for row in shown)


def test_the_way_out_gives_way_last() -> None:
    bar = KeyBar((KeyHint("y", "export first", "a", short="export"), KeyHint("Esc", "stay", "b")))
    assert [hint.label for hint in bar.fitting(30)] == ["export first", "stay"]
    assert [hint.label for hint in bar.fitting(20)] == ["export", "stay"]
    assert [hint.label for hint in bar.fitting(10)] == ["stay"]


@pytest.mark.parametrize("width", [60, 80])
async def test_fixes_and_plans_name_what_they_change(
    width: int, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (width, 24)) as pilot:
        await pilot.press("n", "n", "f")
        await settle(pilot)
        heading, first, *_ = rows(pilot.app.screen.query_one(Choices))
        assert heading.split()[-1] == "numbers"
        assert first.startswith("pad inpu") and "to 258 channels" in first
        assert "bit-exact" in first
        await pilot.press("escape", "p")
        await settle(pilot)
        assert any("Gemm_28" in row for row in rows(pilot.app.screen.query_one(Choices)))


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (80, "Core clock off the NPU cycles time"),
        (60, "Core clock off the NPU cycles time"),
        (50, "Core clock off the NPU time"),
    ],
)
async def test_versions_show_their_time(
    width: int, names: str, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (width, 15)) as pilot:
        await pilot.press("c")
        await settle(pilot)
        heading, first, *_ = rows(pilot.app.screen.query_one(Choices))
        assert " ".join(heading.split()) == names
        assert first.rstrip().endswith(" ms")
        assert "1000 MHz" in first


@pytest.mark.parametrize(("time", "text"), [(0.0, "·"), (0.5, "-0.500 ms"), (-0.5, "+0.500 ms")])
def test_a_step_that_saves_no_time_says_so(time: float, text: str) -> None:
    assert _saved(time).replace("\N{NO-BREAK SPACE}", " ") == text
