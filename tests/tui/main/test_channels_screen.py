"""What if this layer had N channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npuscope.npu.verdict import Placement
from npuscope.planning.channels import channel_table, shape_of
from npuscope.tui.screens.channels.rows import about_row, beaten
from npuscope.tui.screens.channels.screen import ChannelsScreen
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.text.spans import plain


async def test_counts_around_the_layers_own(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("M")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ChannelsScreen)
        assert screen.now == 257 and screen.row is not None and screen.row.channels == 257
        report = app.snapshot.by_name["Conv2D_23"]
        assert screen.row.placement is report.placement is Placement.SW_INT
        assert "as it is" in plain(about_row(screen.row, screen.row)[0])
        await pilot.press("n")
        assert screen.row.channels == 258 and screen.row.placement is Placement.HW
        await pilot.press("N")
        assert screen.row.channels == 256
        screen.action_turn()
        shown = screen.query_one(RowList)
        assert screen.table is None and not shown.count  # it may be drawn before the other side is judged
        await settle(pilot)
        assert not screen.vary_inputs and screen.row.channels == 257
        await pilot.press("escape")
        assert not isinstance(app.screen, ChannelsScreen)


async def test_layers_that_cannot_be_asked(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("M")  # the whole model
        pilot.app.main.go_to_choice("Sigmoid_33")
        await settle(pilot)
        await pilot.press("M")
        await settle(pilot)
        assert not isinstance(pilot.app.screen, ChannelsScreen)


async def test_a_gemm_and_a_small_terminal(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (60, 15)) as pilot:
        pilot.app.main.go_to_choice("Gemm_30")
        await settle(pilot)
        await pilot.press("M")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ChannelsScreen) and screen.row is not None and screen.row.channels == 256
        shape = shape_of(pilot.app.snapshot.by_name["Gemm_30"].layer, True)
        assert shape is not None
        table = channel_table(shape, range(200, 300), pilot.app.snapshot.target)
        for count, larger in beaten(table).items():
            times = {row.channels: row.milliseconds for row in table.rows}
            assert larger > count and times[larger] < times[count]
