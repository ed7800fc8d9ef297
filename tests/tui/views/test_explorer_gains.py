"""What fixes save: found in the background once somebody looks, in reasons, in layers, and along n and N."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.tui.screens.reasons.screen import ReasonsScreen
from npuscope.widgets.lists.layer_columns import GAIN
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.text.gains import by_gain, gains_of
from npuscope.widgets.text.spans import plain


async def test_reasons_by_gain_lead_to_what_saves_most(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        assert len(gains_of(app.snapshot)) == 0, "nobody looked yet"
        await pilot.press("W", "4")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, ReasonsScreen)
        named = [row.group.members[0].name for row in screen.rows]
        assert named[0] == by_gain(app.snapshot)[0].name == "Gemm_28"
        moot = [row.group for row in screen.rows if row.group.code == "N901"]
        assert [row.group for row in screen.rows[-len(moot) :]] == moot
        assert all(group.sign.role == "quiet" for group in moot)
        await pilot.press("enter")
        await settle(pilot)
        assert app.main.report is not None and app.main.report.name == "Gemm_28"
        pane = "\n".join(map(plain, app.main.query_one(Eligibility).lines(app.selection, 60)))
        gain = gains_of(app.snapshot).of("Gemm_28", "N201")
        assert gain is not None and f"S{gain.words[1:]} of the model" in pane
        order = [report.name for report in by_gain(app.snapshot)]
        for expected in (*order[1:], order[0]):
            await pilot.press("n")
            await settle(pilot)
            assert app.main.report.name == expected
        await pilot.press("escape", "n")
        await settle(pilot)
        assert app.main.report.name == "Conv2D_79", "the model's order again"


async def test_layers_sort_by_gain_while_it_is_found(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        await pilot.press("L")
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        table = screen.query_one(LayerTable)
        table.sort_by(GAIN)
        await settle(pilot)
        assert [report.name for report in table.reports[:2]] == [r.name for r in by_gain(app.snapshot)][:2]
        assert table.cursor == 0
        known = gains_of(app.snapshot)
        await pilot.press("escape", "L")
        await settle(pilot)
        assert gains_of(app.snapshot) is known, "looked for once"
