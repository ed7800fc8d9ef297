"""Epochs, reasons, rules, the filter of the tree, and what another version changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.longer import suite_or_long

from npuscope.neural_art.notes import NEWEST_READ
from npuscope.neural_art.schedule.handovers import excursion, handovers, saved
from npuscope.npu.cost import Epoch, Inserted
from npuscope.npu.verdict import Placement
from npuscope.snapshot import analyse
from npuscope.tui.screens.agreement.nothing import NothingToCompare
from npuscope.tui.screens.epochs.screen import EpochsScreen
from npuscope.tui.screens.reasons.screen import ReasonsScreen
from npuscope.tui.screens.rule.screen import RuleScreen
from npuscope.tui.screens.toolchain.screen import ToolchainScreen
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_filter import FilterBy, LayerFilter, pattern
from npuscope.widgets.lists.moves import Changes, change_lines
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.lists.reason_groups import Sort, groups, in_common
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import length, plain

OFF = ["Conv2D_23", "Gemm_28", "Conv2D_79"]


def made_up_epochs(session: Any, previous: Any = None, keep: bool = False) -> Any:
    """Real verdicts, and a schedule that does not change with the cost model."""
    snapshot = analyse(session, previous, keep)
    hw, cpu = Placement.HW, Placement.SW_INT
    epochs = (
        Epoch(1, hw, "QuantizeLinear", (), 10, 10, 0.01, (Inserted("QuantizeLinear", 257),), "start", 0.01),
        Epoch(2, cpu, "Conv", ("Conv2D_23",), 66_563, 66_563, 0.1),
        Epoch(3, cpu, "Conv", ("Gemm_28",), 264_449, 264_449, 0.4),
        Epoch(4, hw, "Conv", ("Gemm_30", "Add_31"), 262_144, 1_609_728, 0.7),
        Epoch(5, cpu, "Conv", ("Conv2D_79",), 66_563, 66_563, 0.1),
        Epoch(6, hw, "Sigmoid", ("Sigmoid_82",), 257, 257, 0.01),
    )
    return replace(snapshot, epochs=epochs)


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    for controller in ("opener", "editor"):
        monkeypatch.setattr(f"npuscope.tui.controllers.{controller}.analyse", made_up_epochs)


def lines(screen: Any, kind: Any = RowList) -> list[str]:
    shown = screen.query_one(kind)
    return [plain(shown.body(i, shown.line_width)) for i in range(shown.count)]


def page(screen: Any) -> str:
    return "\n".join(lines(screen, Page))


def title(screen: Any) -> str:
    return plain(screen.query_one(TitleBar).title)


def test_handovers() -> None:
    off = [False, True, True, False, True, False]
    assert handovers(off) == 4
    assert excursion(off, 2) == range(1, 3)
    assert not excursion(off, 0)
    assert saved(off, range(1, 2)) == 0
    assert saved(off, range(1, 3)) == 2
    assert saved(off, range(4, 5)) == 2
    assert saved([True, False], range(1)) == 1
    assert saved([True], range(1)) == 0


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 15)])
async def test_epochs(
    size: tuple[int, int], scheduled: None, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        await pilot.press("n", "n", "i")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, EpochsScreen)
        assert title(screen) == "6 epochs · 3 on the CPU · 4 hand-overs"
        rows = lines(screen)
        assert screen.cursor == 2, "the epoch of the selected layer"
        assert rows[1].startswith("┌")
        assert rows[2].startswith("└")
        assert rows[4].startswith("[")
        assert "ins" in rows[0]
        assert all(length(screen.query_one(RowList).body(i, size[0] - 5)) <= size[0] - 5 for i in range(6))
        assert "moving it and epoch 2 to the NPU removes 2 hand-overs" in page(screen)
        await pilot.press("n")
        assert screen.cursor == 4
        assert "moving it to the NPU removes 2 hand-overs" in page(screen)
        await pilot.press("home")
        assert "inserted by the compiler" in page(screen)
        await pilot.press("enter")
        assert pilot.app.screen is screen, "nothing to go to"
        await pilot.press("down", "down", "down")
        assert "Gemm_30, Add_31" in page(screen)
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "Gemm_30"


@pytest.mark.parametrize("size", suite_or_long([(80, 24)], [(80, 24), (200, 50)]))
async def test_reasons_lead_to_their_layers(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        await pilot.press("W")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ReasonsScreen)
        assert "3 of 32 layers on the CPU" in title(screen)
        first = lines(screen)[0]
        assert "N201" in first
        assert "257 input channels cannot be tiled" in first
        assert " 3 " in first
        await pilot.press("enter")
        members = [row.report.name for row in screen.rows if row.report is not None]
        assert members == OFF
        await pilot.press("down", "down")
        assert screen.row is not None
        assert screen.row.report is not None
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "Gemm_28"


async def test_only_the_layers_of_a_reason(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        await pilot.press("W", "f")
        await settle(pilot)
        assert [row.report.name for row in tree.rows if row.kind is Kind.LAYER] == OFF
        assert tree.layer_name == OFF[0]
        status = plain(app.screen.query_one(StatusLine).bar(118))
        assert "only N201" in status
        await pilot.press("n")
        assert tree.layer_name == "Gemm_28"
        await pilot.press("N", "N")
        assert tree.layer_name == "Conv2D_79"
        await pilot.press("backspace")
        await settle(pilot)
        assert app.main.only is None
        assert sum(row.kind is Kind.LAYER for row in tree.rows) == 32
        assert tree.layer_name == "Conv2D_79"
        assert "only" not in plain(app.screen.query_one(StatusLine).bar(118))

        await pilot.press("W", "tab", "tab")
        operators = [line for line in lines(app.screen) if "Tanh" in line]
        assert " 4 " in operators[0]
        await pilot.press("f")
        await settle(pilot)
        assert {row.op for row in tree.rows if row.kind is Kind.LAYER} == {"Gemm"}
        await pilot.press("escape")
        await settle(pilot)
        assert app.main.only is None, "Esc shows all again"

        await pilot.press("W", "2", "f")
        await settle(pilot)
        assert app.main.only == LayerFilter(FilterBy.PLACEMENT, "CPU", "✗ CPU")
        assert len(tree.outline.order) == 3
        app.main.go_to("Gemm_30")
        assert app.main.only is None, "a layer out of the filter is reached all the same"
        assert tree.layer_name == "Gemm_30"


async def test_a_filter_survives_an_edit(denoiser: Path, explore: Any, settle: Any) -> None:
    from npuscope.edits.kinds.split_input import SplitInput

    async with explore(denoiser) as pilot:
        app = pilot.app
        app.main.show_only(LayerFilter(FilterBy.PLACEMENT, "CPU", "✗ CPU"))
        await settle(pilot)
        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        assert [report.name for report in app.graph_tree.outline.order] == ["Conv2D_23", "Conv2D_79"]
        app.make(SplitInput("Conv2D_23", (144, 113)))
        app.make(SplitInput("Conv2D_79", (144, 113)))
        await settle(pilot)
        assert app.graph_tree.outline.order == ()
        assert len(app.graph_tree.rows) == 1
        await pilot.press("n", "down", "enter", "escape")
        await settle(pilot)
        assert len(app.graph_tree.outline.order) > 32


async def test_the_rule_in_full(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "x")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, RuleScreen)
        assert title(screen).startswith("N201")
        assert screen.rule.what.split()[0] in page(screen)
        assert "Example that triggers it" in page(screen)
        await pilot.press("escape", "W", "x")
        await settle(pilot)
        assert isinstance(pilot.app.screen, RuleScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, ReasonsScreen)
        await pilot.press("escape", "home", "x")
        await settle(pilot)
        rules = pilot.app.screen
        assert isinstance(rules, RuleScreen)
        first = rules.rule
        await pilot.press("tab")
        assert rules.rule is not first


async def test_the_keys_are_named(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser, (200, 50)) as pilot:
        bar = plain(pilot.app.screen.query_one(KeyBar).bar(196))
        assert "W reasons" in bar
        assert "i epochs" in bar
        assert "a agreement" not in bar, "there is nothing to compare with"
        await pilot.press("a")
        assert isinstance(pilot.app.screen, NothingToCompare)


async def test_what_another_version_changes(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("c")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ToolchainScreen)
        assert len(screen.changes) == screen.query_one(Choices).count
        await pilot.press("down")
        assert "cycles" in page(screen)
        assert "time" in page(screen)
        known = screen.changes[0]
        screen._judged((0, replace(known, after=replace(known.after, sw_int=15, hybrid=11))))
        choices = screen.query_one(Choices)
        ends = {plain(choices.body(i, choices.line_width)).find(" ms") for i in range(choices.count)}
        assert len(ends) == 1, "a long count moves no column of its line alone"


def test_changes_name_the_layers_that_move(denoiser: Path) -> None:
    from npuscope.machine.machine import target
    from npuscope.model.load import load
    from npuscope.session import Session

    before = analyse(Session.open(load(denoiser), target("2.1", "overdrive")))
    layers = tuple(
        replace(report, placement=Placement.HW) if report.name == "Gemm_28" else report
        for report in before.layers
    )
    changes = Changes.between(before, replace(before, layers=layers))
    text = "\n".join(plain(line) for line in change_lines(changes, 60, 20))
    assert "1 layer moves" in text
    assert "✗ CPU → ● NPU  Gemm_28" in text


def test_messages_in_common() -> None:
    texts = ["input zero point 5 costs 8x8", "input zero point -7 costs 8x8"]
    assert in_common(texts) == "input zero point … costs 8x8"
    assert pattern(texts[0]) == pattern(texts[1])
    assert in_common(["one", "one"]) == "one"


async def test_many_layers(make_chain: Callable[..., Path], explore: Any, settle: Any) -> None:
    """Groups, filters and epochs of a large model are there at once."""
    path = make_chain([f"/block_{i // 50}/relu_{i}" for i in range(4_000)])
    async with explore(path) as pilot:
        snapshot = pilot.app.snapshot
        grouped = groups(snapshot, Sort.REASON)
        assert len(grouped[0].members) == 4_000
        await pilot.press("W", "enter", "end", "enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "/block_79/relu_3999"
        pilot.app.main.show_only(grouped[0].filter)
        await pilot.press("i", "end", "enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name is not None


async def test_names_are_not_markup(make_chain: Callable[..., Path], explore: Any, settle: Any) -> None:
    name = "[bold red]x[/]\x1b[31m"
    async with explore(make_chain([name, "b"]), (80, 24)) as pilot:
        for keys in (("W", "enter", "down"), ("i",), ("x",)):
            await pilot.press(*keys)
            await settle(pilot)
            for part in pilot.app.screen.query(RowList):
                assert "\x1b" not in "".join(plain(part.body(i, 70)) for i in range(part.count))
            await pilot.press("escape")
        pilot.app.graph_tree.go_to_layer(name)
        await settle(pilot)
        assert pilot.app.screen.query_one(Eligibility).count


async def test_build_options_change_the_target(denoiser: Path, explore: Any, settle: Any) -> None:
    from npuscope.tui.screens.build_options.screen import BuildScreen

    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("B")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, BuildScreen)
        assert "change an option" in page(screen)
        here = pilot.app.session.target.toolchain.version
        await pilot.press("left")
        await settle(pilot)
        assert screen.build.toolchain != here
        assert "time" in page(screen)
        await pilot.press("backspace")
        assert screen.build == pilot.app.session.target.build
        await pilot.press("left", "enter")
        await settle(pilot)
        assert pilot.app.session.target.toolchain.version != here


async def test_leaving_build_options_changes_nothing(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        before = pilot.app.session.target
        await pilot.press("B", "right", "down", "right", "escape")
        await settle(pilot)
        assert pilot.app.session.target is before


async def test_what_holds_for_the_model_as_a_whole_stands_first_on_its_page(
    denoiser: Path, explore: Any, settle: Any, tmp_path: Path
) -> None:
    """As in `check`; a layer's page has none of it."""
    model = onnx.load(denoiser)
    model.opset_import[0].version = NEWEST_READ + 1
    onnx.save(model, tmp_path / "newer.onnx")
    async with explore(tmp_path / "newer.onnx") as pilot:
        await pilot.press("home")
        await settle(pilot)
        whole = "\n".join(map(plain, Eligibility().lines(pilot.app.main.selection, 200)))
        assert whole.index("note: The model uses opset 21") < whole.index("257 input channels")
        await pilot.press("n")
        await settle(pilot)
        assert "note:" not in "\n".join(map(plain, Eligibility().lines(pilot.app.main.selection, 200)))
