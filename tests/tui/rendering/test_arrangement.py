"""The panes share the height by what they have to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from textual.geometry import Size

from npuscope.widgets.panes.arrangement import AROUND, BLOCK, FIGURES, ROOMY, WHY, regions, shares
from npuscope.widgets.panes.pane import Pane

ROWS = st.integers(1, 60)


@given(st.integers(0, 80), ROWS, ROWS, ROWS, st.booleans())
def test_every_row_is_somebodys(height: int, why: int, around: int, figures: int, roomy: bool) -> None:
    rows = shares(height, why, around, figures, roomy)
    assert sum(rows) == height
    assert min(rows) >= 0


@given(st.integers(22, 80), ROWS, ROWS, ROWS, st.booleans())
def test_no_block_is_blank_where_another_pane_is_cut_off(
    height: int, why: int, around: int, figures: int, roomy: bool
) -> None:
    first, last, middle = shares(height, why, around, figures, roomy)
    cut_off = why > first or around > last or figures > middle
    if cut_off:
        assert first < max(why, WHY.least) + WHY.step
        assert last < max(around, AROUND.least) + AROUND.step
    if why > first or around > last:
        assert middle <= max(min(figures, FIGURES.least), 1)
    if why > first:
        assert last <= AROUND.least


@given(st.integers(22, 80), st.integers(1, 9), st.integers(1, 8), ROWS, ROWS)
def test_what_has_its_least_moves_nothing(height: int, why: int, around: int, one: int, other: int) -> None:
    assume(min(one, other) >= FIGURES.least)
    assert shares(height, why, around, one) == shares(height, 1, 1, other)


@pytest.mark.parametrize("width", [50, ROOMY - 1, ROOMY, 130])
@given(st.integers(22, 70), st.tuples(*[st.integers(1, 60)] * 4))
def test_panes_cover_their_room_once(width: int, height: int, wants: tuple[int, ...]) -> None:
    placed = regions(Size(width, height), wants)
    assert sum(region.area for region in placed) == width * height
    assert not any(one.overlaps(other) for at, one in enumerate(placed) for other in placed[at + 1 :])


@pytest.mark.parametrize("size", [(120, 40), (160, 45), (200, 50)])
async def test_a_layers_neighbours_are_all_in_view(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        for key in ("n", "n", ".", "}"):
            await pilot.press(key)
            await settle(pilot)
            why, scales, cost, around = pilot.app.main.query(Pane)
            assert around.count + 1 <= around.region.height
            assert why.count + 1 <= why.region.height
            assert scales.region.area and cost.region.area


@given(st.integers(22, 70), *[st.tuples(*[st.integers(1, 60)] * 4)] * 2)
def test_panes_stay_unless_that_hides_reasons_neighbours_or_many_figures(
    height: int, before: tuple[int, ...], wants: tuple[int, ...]
) -> None:
    now = regions(Size(61, height), before)
    placed, fresh = regions(Size(61, height), wants, now), regions(Size(61, height), wants)
    assert placed in (now, fresh)
    if placed != fresh:
        assert placed[0].height >= wants[0]
        assert placed[3].height >= wants[3]
        assert placed[1].height >= max(wants[1:3]) or placed[1].height > fresh[1].height - BLOCK
    assert regions(Size(80, height), wants, now) == regions(Size(80, height), wants), "another size"
