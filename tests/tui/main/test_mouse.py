"""The mouse on what is no list: the row of bars in the status line, and the names of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.lists.columns import column_at
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.text.spans import plain


async def test_a_click_on_a_bar_goes_to_the_hottest_layer_behind_it(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (160, 40)) as pilot:
        app = pilot.app
        bar = app.main.query_one(StatusLine)
        text = plain(bar.bar(158))
        tallest = text.index("█")
        await pilot.click(StatusLine, offset=(tallest + 1, 0))
        await settle(pilot)
        hottest = max(app.snapshot.layers, key=app.snapshot.time_of)
        assert app.graph_tree.layer_name == hottest.name
        start = next(at for at, letter in enumerate(text) if letter in "▁▂▃▄▅▆▇█")
        await pilot.click(StatusLine, offset=(start + 1, 0))
        await settle(pilot)
        assert app.graph_tree.layer_name == app.snapshot.layers[0].name
        for beside in (start, 3):
            await pilot.click(StatusLine, offset=(beside, 0))
            assert app.graph_tree.layer_name == app.snapshot.layers[0].name
        await pilot.press("ctrl+o")
        assert app.graph_tree.layer_name == hottest.name, "it is a jump, and there is a way back"


async def test_a_click_on_a_columns_name_sorts_the_layers_by_it(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (160, 40)) as pilot:
        app = pilot.app
        heading = plain(app.graph_tree.heading(0, app.graph_tree.line_width))
        for name, by in (("layer", "layer"), ("op", "op"), ("where", "where"), ("MAC", "MAC/c"), ("%", "%")):
            await pilot.click(GraphTree, offset=(heading.index(name), 0))
            await settle(pilot)
            assert isinstance(app.screen, LayersScreen)
            table = app.screen.query_one(LayerTable)
            assert table.by.title == by
            order = [table.by.order(report, app.snapshot) for report in table.reports]
            known = [value for value in order if value is not None]
            assert known == sorted(known, reverse=table.by.largest_first)  # type: ignore[type-var]
            await pilot.press("escape")
        await pilot.click(GraphTree, offset=(heading.index("layer") - 1, 0))
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize(("x", "column"), [(0, ""), (2, "layer"), (6, "layer"), (7, ""), (9, "MAC/c")])
def test_the_column_under_the_mouse(x: int, column: str) -> None:
    assert column_at(x, "  layer MAC/c") == column
