"""What ST's tools printed, beside the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from builders.artefacts.texts import (
    TIMING,
)
from builders.artefacts.tool_files import REPORT
from builders.shown_text import lines, text

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.tui.screens.agreement.screen import AgreementScreen
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain

Read = Callable[..., AbstractAsyncContextManager[Any]]


async def test_the_model_is_judged_for_the_clocks_that_a_board_states(
    denoiser: Path, beside: Read, tmp_path: Path
) -> None:
    path = tmp_path / "board.txt"
    path.write_text(TIMING)
    async with beside(denoiser, path) as pilot:
        app = pilot.app
        assert app.session.target.profile == "nominal"
        await pilot.press("a")
        await pilot.pause()
        agreed = app.screen.comparison.agreement
        off = 100 * (agreed.milliseconds_predicted / agreed.milliseconds_actual - 1)
        assert f"time {off:+.0f} %" in text(app.screen.query_one("#summary", Page))


async def test_a_model_beside_its_report(
    denoiser: Path, report: Path, log: Path, beside: Read, settle: Any
) -> None:
    async with beside(report, denoiser, log) as pilot:
        app = pilot.app
        assert app.session is not None
        assert app.session.target.toolchain.version == "2.1", "the version the report states"
        await pilot.press("n")
        await settle(pilot)
        assert "the tools: ✗ CPU, epoch 2, as predicted" in text(app.screen.query_one(Eligibility))
        assert "a agreement" in plain(app.screen.query_one(KeyBar).bar(196))
        await pilot.press("a")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, AgreementScreen)
        assert "placement 32 of 32" in text(screen.query_one("#summary", Page))
        await pilot.press("down", "enter")
        await settle(pilot)
        assert app.graph_tree.layer_name == "Gemm_28"
        await pilot.press("a", "f")
        await settle(pilot)
        assert [r.name for r in app.graph_tree.outline.order] == ["Conv2D_23", "Gemm_28", "Conv2D_79"]
        await pilot.press("i")
        await settle(pilot)
        await pilot.press("tab")
        assert plain(app.screen.query_one(TitleBar).title).startswith("23 epochs")


async def test_disagreements_are_marked_and_measured_time_comes_first(
    denoiser: Path, tmp_path: Path, beside: Read, settle: Any
) -> None:
    """A report in which the 257-channel layers run on the NPU, with a time from a board."""
    wrong = tmp_path / "board.txt"
    wrong.write_text(
        REPORT.replace("3 implemented", "0 implemented").replace("-SW- ( Conv )", "HW")
        + "".join(
            f"Lowering {node} id={i} with Lowerer HW\nLowering Conv ...\n"
            for i, node in enumerate(("Conv2D_23", "Gemm_28_conv_16", "Conv2D_79"))
        )
    )
    async with beside(denoiser, wrong) as pilot:
        app = pilot.app
        assert app.main.differing == {"Conv2D_23", "Gemm_28", "Conv2D_79"}
        tree = app.graph_tree
        marked = [plain(tree.body(i, tree.line_width)) for i in range(tree.count)]
        assert sum(row.startswith("≠") for row in marked) == 3
        await pilot.press("n")
        await settle(pilot)
        assert "≠ the tools: ● NPU; npuscope predicts otherwise" in text(app.screen.query_one(Eligibility))
        await pilot.press("a")
        await settle(pilot)
        assert len(lines(app.screen)) == 3
        assert all("placement" in row for row in lines(app.screen))
        await pilot.press("f")
        await settle(pilot)
        assert len(tree.outline.order) == 3
        assert "only differences" in plain(app.screen.query_one(StatusLine).bar(118))


async def test_measured_time_takes_the_place_of_the_predicted(
    denoiser: Path, report: Path, beside: Read, settle: Any
) -> None:
    from dataclasses import replace

    async with beside(denoiser, report) as pilot:
        app = pilot.app
        totals = replace(app.comparison.totals, milliseconds=7.25)
        app.document.compared(replace(app.comparison, totals=totals))
        app.main.show_document()
        await settle(pilot)
        assert "7.25 ms measured" in plain(app.screen.query_one(StatusLine).bar(118)).replace("\xa0", " ")
        assert "measured" in text(app.screen.query_one(CostPane))


async def test_the_comparison_follows_the_version_but_not_the_edits(
    denoiser: Path, report: Path, log: Path, beside: Read, settle: Any
) -> None:
    from npuscope.edits.kinds.split_input import SplitInput
    from npuscope.machine.variants import with_toolchain

    async with beside(denoiser, report, log) as pilot:
        app = pilot.app
        first = app.comparison
        app.make(SplitInput("Gemm_28", (144, 113)))
        for _ in range(2):
            await settle(pilot)
        assert app.comparison is first
        app.editor.set_session(app.session.with_target(with_toolchain(app.session.target, "3.0")))
        for _ in range(3):
            await settle(pilot)
        assert app.comparison is not first
        assert "Gemm_28" in app.comparison.by_layer, "of the model as it was opened"


@pytest.mark.parametrize("content", ["nothing that any tool prints\n", "", "{"])
async def test_a_file_that_is_no_artefact_is_said(
    content: str, denoiser: Path, tmp_path: Path, beside: Read
) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text(content)
    async with beside(denoiser, bad) as pilot:
        assert len(pilot.app.snapshot.layers) == 32, "the model opens all the same"
        assert any("notes.txt" in notification.message for notification in pilot.app._notifications)
    async with beside(bad, bad) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        assert "✗" in text(screen.query_one("#reason", Page))


async def test_another_model_drops_what_the_last_one_had(
    denoiser: Path, report: Path, make_chain: Any, beside: Read, settle: Any
) -> None:
    async with beside(denoiser, report) as pilot:
        assert pilot.app.comparison is not None
        pilot.app.open(str(make_chain(["a", "b"])))
        for _ in range(2):
            await settle(pilot)
        assert pilot.app.comparison is None
        assert pilot.app.main.differing == frozenset()


async def test_measured_layers_have_their_share_and_the_others_are_marked(
    denoiser: Path, tmp_path: Path, beside: Read, settle: Any
) -> None:
    """A report with the epochs as predicted, and a board's time for each of them."""
    epochs = analyse(Session.open(load(denoiser), target("2.1", "overdrive"))).epochs
    rows = [f"epoch {e.index} {'HW' if e.placement.value == 'hw' else f'-SW- ( {e.op} )'}\n" for e in epochs]
    software = sum("-SW-" in row for row in rows)
    times = [
        f"  {i}  -  epoch  {i + 1}.000  4.0%  4.0%  [ 10 20 30 ]  EpochBlock_{e.index}\n"
        for i, e in enumerate(epochs)
    ]
    board = tmp_path / "board.txt"
    board.write_text(
        "ST Edge AI Core v2.1.0-20194\n"
        f"Total number of epochs: {len(rows)} of which {software} implemented in software\n{''.join(rows)}"
        f"  duration  :  {sum(range(1, len(rows) + 1))}.000 ms by sample (1/2/3)\n{''.join(times)}"
    )
    async with beside(denoiser, board, size=(120, 40)) as pilot:
        app = pilot.app
        alone = [epoch for epoch in epochs if len(epoch.layers) == 1]
        snapshot = app.snapshot
        assert snapshot.measured and snapshot.measured <= {epoch.layers[0] for epoch in alone}
        assert sum(snapshot.share(report) for report in snapshot.layers) == pytest.approx(1)
        tree = app.graph_tree
        shown = {row.report.name: plain(tree.body(i, tree.line_width)).split()[-1]
                 for i, row in enumerate(tree.rows) if row.report is not None and row.kind is Kind.LAYER}  # fmt: skip
        for name, figure in shown.items():
            assert figure == "·" or figure.startswith("~") == (name not in snapshot.measured)
        app.graph_tree.go_to_layer(next(iter(sorted(snapshot.measured))))
        await settle(pilot)
        assert "measured" in text(app.screen.query_one(CostPane))
