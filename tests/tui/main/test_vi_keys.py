"""Keys that hands expect: those of the vi family in every list and text, ? on every screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from npuscope.tui.screens.help.screen import HelpScreen
from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.tui.screens.reasons.screen import ReasonsScreen
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page


async def test_the_tree_moves_by_vi_keys(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        tree = pilot.app.graph_tree
        last, half = len(tree.rows) - 1, tree.page // 2
        assert last > 2 * half
        for keys, cursor in (
            ("G", last),
            ("gg", 0),
            (("ctrl+d",), half),
            (("ctrl+d",), 2 * half),
            (("ctrl+u",), half),
            ("gjg", half + 1),  # another key between two g
            ("g", 0),
            ("ggg", 0),
            ("jjj", 3),
            ("ggG", last),
        ):
            await pilot.press(*keys)
            assert tree.cursor == cursor, keys
        await pilot.press("g", "g", "j")
        row = tree.row
        opened = row.expanded
        await pilot.press(*("h" if opened else "l"))
        assert tree.row.key == row.key and tree.row.expanded is not opened
        await pilot.press(*("l" if opened else "h"))
        assert tree.row.expanded is opened
        assert len(pilot.app.screen_stack) == 1


async def test_tables_and_texts_move_by_vi_keys(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("L")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, LayersScreen)
        table = screen.query_one(LayerTable)
        await pilot.press("G")
        assert table.cursor == table.count - 1
        await pilot.press("g", "g")
        assert table.cursor == 0
        await pilot.press("ctrl+d")
        assert table.cursor == table.page // 2
        await pilot.press("ctrl+u")
        assert table.cursor == 0
        table.narrow("gemm")
        for keys, place in (("G", -1), (("ctrl+u",), 0), (("ctrl+d",), -1), ("gg", 0)):
            await pilot.press(*keys)
            assert table.kept and len(table.kept) < table.page // 2 and table.cursor == table.kept[place]
        table.narrow("")
        by = table.by
        await pilot.press("l")
        assert table.by is not by
        await pilot.press("h")
        assert table.by is by
        await pilot.press("L", "W")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ReasonsScreen)
        rows = screen.query_one(RowList)
        count = rows.count
        await pilot.press("l")
        assert rows.count > count
        await pilot.press("h")
        assert rows.count == count
        await pilot.press("W", "question_mark")
        page = pilot.app.screen.query_one(Page)
        for key, place in (("ctrl+d", page.page // 2), ("G", page.max_scroll_y)):
            await pilot.press(key)
            await pilot.pause()
            assert page.scroll_offset.y == place, key
        await pilot.press("g", "g")
        await pilot.pause()
        assert page.scroll_offset.y == 0


@pytest.mark.parametrize("key", ["s", "o", "slash"])
async def test_a_question_mark_can_be_typed_and_f1_helps(
    key: str, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "n", key)
        await settle(pilot)
        screen = pilot.app.screen
        field = screen.query_one(Input)
        field.value = ""
        await pilot.press("question_mark", "g", "h", "l", "G")
        await pilot.pause()
        assert field.value == "?ghlG"
        assert pilot.app.screen is screen
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(pilot.app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.screen is screen
