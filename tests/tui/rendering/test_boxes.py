"""Dialogs are as high as what they hold: none is half empty, none hides a line while there is room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.box import Box
from npuscope.widgets.panes.sheet import Sheet

KEYS = ("C", "W", "b", "m", "i", "L", "c", "H", "B", "o", "p", "f", "V", "question_mark")


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_dialog_is_as_high_as_what_it_holds(
    denoiser: Path, size: tuple[int, int], explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        for key in KEYS:
            app.main.graph_tree.go_to_layer("Gemm_28")
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is not app.main, key
            box = app.screen.query_one(Box)
            flexible = [
                child
                for child in box.children
                if child.display and child.styles.height is not None and child.styles.height.is_fraction
            ]
            for sheet in flexible:
                assert isinstance(sheet, Sheet), key
                lines, room = sheet.count + sheet.heading_lines, sheet.content_size.height
                least = sheet.styles.min_height
                if key != "p":  # which held more while it searched
                    assert room <= max(lines, least.cells if least is not None else 0), key
                assert room >= lines or not box._can_grow, key
            await pilot.press("escape")
            await settle(pilot)


async def test_a_filtered_list_leaves_the_box_as_it_is(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (120, 40)) as pilot:
        app = pilot.app
        await pilot.press("L")
        await settle(pilot)
        box = app.screen.query_one(Box)
        before = box.region
        await pilot.press("/", *"gemm_2")
        await settle(pilot)
        assert app.screen.query_one(Choices).seen == 1
        assert box.region == before
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert app.screen.region.contains_region(box.region)
