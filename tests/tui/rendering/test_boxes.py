"""Every dialog is as high as what it holds, keeps its way out in view, and its help begins with its keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from builders.shown_text import page_text

from npuscope.tui.screens.help.screen import HelpScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.box import Box
from npuscope.widgets.panes.sheet import Sheet
from npuscope.widgets.text.spans import plain

Check = Callable[[Any, str], Awaitable[None]]


async def is_as_high_as_what_it_holds(pilot: Any, key: str) -> None:
    box = pilot.app.screen.query_one(Box)
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


async def keeps_its_way_out_in_view(pilot: Any, key: str) -> None:
    screen = pilot.app.screen
    bar = screen.query_one(KeyBar)
    assert screen.region.contains_region(bar.region), key
    assert "Esc" in plain(bar.bar(bar.content_size.width)), key
    for table in screen.query(RowList):
        assert table.size.height > 1, f"{key}: more than its heading"


async def begins_its_help_with_its_keys(pilot: Any, key: str) -> None:
    screen = pilot.app.screen
    await pilot.press("question_mark")
    helped = pilot.app.screen
    assert isinstance(helped, HelpScreen), key
    text = page_text(helped)
    assert text.startswith(plain(screen.heading()[0]).split()[0])
    for hint in screen.hints():
        assert hint.label.split()[0] in text.partition("Moving")[0], key
    await pilot.press("question_mark")
    assert pilot.app.screen is screen, key


HIGH = ("C", "W", "b", "m", "i", "L", "c", "H", "B", "o", "p", "f", "V", "question_mark")
IN_VIEW = ("f", "s", "p", "c", "m", "b", "w", "o", "W", "i", "L", "question_mark")
CHECKS: dict[tuple[int, int], dict[Check, Iterable[str]]] = {
    (200, 50): {is_as_high_as_what_it_holds: HIGH},
    (80, 24): {
        is_as_high_as_what_it_holds: HIGH,
        keeps_its_way_out_in_view: IN_VIEW,
        begins_its_help_with_its_keys: "fpcmbdwWiLxH",
    },
    (60, 15): {keeps_its_way_out_in_view: IN_VIEW},
    (40, 12): {keeps_its_way_out_in_view: IN_VIEW, begins_its_help_with_its_keys: "fWLH"},
}
"""What is held of which dialogs, by the keys that open them: each is opened once at a size."""


@pytest.mark.parametrize("size", CHECKS)
async def test_every_dialog(denoiser: Path, size: tuple[int, int], explore: Any, settle: Any) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        for key in dict.fromkeys(chain.from_iterable(CHECKS[size].values())):
            app.main.graph_tree.go_to_layer("Gemm_28")
            await pilot.press(key)
            await settle(pilot)
            assert app.screen is not app.main, key
            for check, keys in CHECKS[size].items():
                if key in keys:
                    await check(pilot, key)
            await pilot.press("escape")
            assert app.screen is app.main, key


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
