"""What the screens show of one model is one truth; tests/test_one_truth.py has what they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.text.figures import milliseconds, percent
from npuscope.widgets.text.spans import plain


async def test_the_screens_show_the_same(denoiser: Path, explore: Any, settle: Any) -> None:
    """Header, details, reasons, layers, epochs and bounds: one time of the model, one share off the NPU."""
    async with explore(denoiser) as pilot:
        app = pilot.app
        total = app.snapshot.ledger.milliseconds
        shown = {"header": plain(app.main.query_one(StatusLine).bar(120))}
        for name in ("layers", "epochs", "bounds", "reasons"):
            getattr(app.main, f"action_{name}")()
            await settle(pilot)
            shown[name] = " ".join(map(plain, app.screen.heading()))
            await pilot.press("escape")
            await settle(pilot)
        for name in ("header", "layers", "epochs", "bounds"):
            assert milliseconds(total) in shown[name], name
        off = sum(app.snapshot.share(report) for report in app.snapshot.off_npu)
        assert f"{percent(off)} % of the time" in shown["reasons"]
        app.main.graph_tree.go_to_layer("Gemm_28")
        await settle(pilot)
        line = app.snapshot.by_name["Gemm_28"].line
        panes = " ".join(plain(row) for row in app.main.query_one(CostPane).lines(app.selection, 60))
        assert milliseconds(line.milliseconds) in panes and "bound by" in panes and line.bound_by == "cpu"
