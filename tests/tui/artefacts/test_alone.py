"""What ST's tools printed, without a model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from builders.artefacts.texts import (
    DOT,
)
from builders.artefacts.tool_files import ALONE
from builders.longer import SIZES
from builders.shown_text import lines, text

from npuscope.tui.screens.agreement.screen import AgreementScreen
from npuscope.tui.screens.epochs.screen import EpochsScreen
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.tui.screens.rule.screen import RuleScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain

Read = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize("size", SIZES)
async def test_report_and_log_alone_lead_to_layers_and_reasons(
    size: tuple[int, int], report: Path, log: Path, denoiser: Path, beside: Read, settle: Any
) -> None:
    async with beside(report, log, size=size) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, AgreementScreen)
        assert pilot.app.session is None
        assert "3 in software" in text(screen.query_one("#summary", Page))
        rows = lines(screen)
        assert [row.split()[0] for row in rows] == ["2", "3", "21"]
        assert all("N201  257 input channels" in row for row in rows)
        assert "Gemm_28" in rows[1]
        about = screen.query_one("#about", Page)
        assert "→ Split the input channels" in text(about)
        assert "the tool says only" in text(about)
        await pilot.press("down")
        assert "swapped" in text(about)
        await pilot.press("x")
        assert isinstance(pilot.app.screen, RuleScreen)
        await pilot.press("escape", "i")
        await settle(pilot)
        epochs = pilot.app.screen
        assert isinstance(epochs, EpochsScreen)
        assert plain(epochs.query_one(TitleBar).title) == "23 epochs · 3 on the CPU · 4 hand-overs"
        await pilot.press("escape", "o")
        await settle(pilot)
        assert isinstance(pilot.app.screen, OpenScreen)
        pilot.app.screen.query_one(Entry).input.value = str(denoiser)
        await settle(pilot)
        await pilot.press("enter")
        for _ in range(3):
            await settle(pilot)
        assert len(pilot.app.screen_stack) == 1, "the model has taken the screen"
        assert pilot.app.comparison.by_layer["Gemm_28"].actual.placement == "sw"


async def test_a_second_artefact_joins_the_first(report: Path, log: Path, beside: Read, settle: Any) -> None:
    async with beside(report) as pilot:
        assert all(entry.code == "" for entry in pilot.app.comparison.off_npu)
        pilot.app.open(str(log))
        for _ in range(2):
            await settle(pilot)
        assert len(pilot.app.screen_stack) == 2
        assert all(entry.code == "N201" for entry in pilot.app.comparison.off_npu)
        await pilot.press("escape")
        hints = {hint.key for hint in pilot.app.screen.query_one(KeyBar).hints if hint.enabled}
        assert "a" in hints and "f" not in hints


async def test_q_leaves_artefacts_without_a_model(report: Path, beside: Read) -> None:
    async with beside(report) as pilot:
        assert isinstance(pilot.app.screen, AgreementScreen)
        await pilot.press("q")
        assert pilot.app.return_code == 0


async def test_a_graph_alone_shows_its_operators_and_costs(tmp_path: Path, beside: Read, settle: Any) -> None:
    graph = tmp_path / "tmp.dot"
    graph.write_text(DOT)
    async with beside(graph, size=(120, 40)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, AgreementScreen)
        await pilot.press("tab", "down")
        rows = lines(screen)
        assert [row.split()[0] for row in rows] == ["1", "1", "1", "2", "●"]
        assert "49.1" in rows[0] and "8x8" in rows[0] and "feat out" in rows[0]
        assert "unit CONV_ACC_V2 1" in text(screen.query_one("#about", Page))
        await pilot.press("tab")
        assert "quantum colour" in lines(screen)[0]
        await pilot.press("shift+tab", "shift+tab", "i")
        await settle(pilot)
        assert "49 150 cycles" in text(pilot.app.screen.query_one(Page)).replace("\u202f", " ").replace(
            "\xa0", " "
        )


@pytest.mark.parametrize("name", ALONE)
async def test_each_kind_opens_alone_and_says_something(
    name: str, tmp_path: Path, beside: Read, settle: Any
) -> None:
    size = (80, 24)
    path = tmp_path / name
    path.write_text(ALONE[name])
    async with beside(path, size=size) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, AgreementScreen)
        for _ in range(4):
            assert text(screen.query_one("#about", Page)).strip()
            await pilot.press("tab", "down")
        assert "in the files" in plain(screen.query_one(TabBar).bar(size[0] - 4))
        if screen.comparison.epochs:
            await pilot.press("i")
            await settle(pilot)
            assert isinstance(pilot.app.screen, EpochsScreen)
            assert "?" not in plain(pilot.app.screen.query_one(TitleBar).title)


async def test_a_text_alone_that_says_nothing_is_no_bad_model(tmp_path: Path, beside: Read) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("nothing that any tool prints\n")
    async with beside(bad) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        assert "holds nothing that ST's tools print" in " ".join(
            text(screen.query_one("#reason", Page)).split()
        )
