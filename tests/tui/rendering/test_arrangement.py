"""The panes share the height by what they have to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.geometry import Size

from npuscope.widgets.panes.arrangement import BLOCK, FIRST, NEAR, ROOMY, SIDE, Claim, regions, shares
from npuscope.widgets.panes.pane import Pane

WANTS = st.tuples(*[st.integers(1, 60)] * 3)
USUAL = (FIRST, NEAR, SIDE)


def claims(wants: tuple[int, ...]) -> list[Claim]:
    return [Claim(want, one.part, one.least) for want, one in zip(wants, USUAL, strict=True)]


@given(st.integers(0, 80), WANTS)
def test_every_row_is_somebodys(height: int, wants: tuple[int, ...]) -> None:
    rows = shares(height, claims(wants))
    assert sum(rows) == height
    assert min(rows) >= 0


@given(st.integers(24, 80), WANTS, WANTS)
def test_no_block_is_blank_where_another_pane_is_cut_off(
    height: int, before: tuple[int, ...], wants: tuple[int, ...]
) -> None:
    now = shares(height, claims(before))
    rows = shares(height, claims(wants), now)
    usual = shares(height, claims((1, 1, 1)))
    for at, (own, want) in enumerate(zip(rows, wants, strict=True)):
        blank = own - max(want, min(USUAL[at].least, usual[at]))
        others = [other for other in range(3) if other != at and wants[other] > rows[other]]
        assert blank < BLOCK or not others, (now, rows)


@given(st.integers(24, 80), WANTS)
def test_what_will_do_stays(height: int, wants: tuple[int, ...]) -> None:
    rows = shares(height, claims(wants))
    assert shares(height, claims(wants), rows) == rows


@given(st.integers(24, 80), st.integers(1, 18), st.integers(1, 12))
def test_reasons_come_before_figures(height: int, reasons: int, around: int) -> None:
    rows = shares(height, claims((reasons, around, 60)))
    assert rows[0] >= min(reasons, height - rows[1] - SIDE.least)


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
            blank = {pane: pane.region.height - pane.count - 1 for pane in (why, around)}
            if cost.count + 1 > cost.region.height and cost.region.height < pilot.app.main.size.height - 2:
                assert max(blank.values()) < 2 * BLOCK, "least shares are kept"
            assert scales.region.area
