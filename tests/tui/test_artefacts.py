"""What ST's tools printed, beside the model and alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from builders.artefact_json import Q_JSON, c_info
from builders.artefact_texts import (
    DOT,
    EC_TRACE,
    MDESC,
    MPOOL,
    NETWORK_C,
    NETWORK_CSV,
    OPTIONS,
    PROFILES,
    TIMING,
)

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.services.builds import BuildOptions
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.agreement.screen import AgreementScreen
from npuscope.tui.screens.epochs.screen import EpochsScreen
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.tui.screens.rule.screen import RuleScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.bars.tab_bar import TabBar
from npuscope.widgets.bars.title_bar import TitleBar
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain

REPORT = """ST Edge AI Core v2.1.0-20194 329b0e98d
model_fmt : ss/sa per channel
Total number of epochs: 23 of which 3 implemented in software
epoch ID HW/SW/EC Operation (SW only)
epoch 1 HW
epoch 2 -SW- ( Conv )
epoch 3 -SW- ( Conv )
""" + "".join(f"epoch {i} {'-SW- ( Conv )' if i == 21 else 'HW'}\n" for i in range(4, 24))

LOG = "".join(
    f"""Lowering {node} id={number} with Lowerer HW
Lowering Conv ...
HW lowering not done for Conv node={node} because output tensor (id=5{number}) has scale-offset format
Let's try with the next lowerer
Lowering {node} id={number} with Lowerer SW (scale offset)
Standard Software Lowering operations for node {node}
tensor w: 1
tensor h: 1
tensor ch: 257
tensor chin: {chin}
"""
    for node, number, chin in (("Conv2D_23", 80, 257), ("Gemm_28_conv_16", 94, 1024), ("Conv2D_79", 218, 257))
)

Read = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(REPORT)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "lowering.log"
    path.write_text(LOG)
    return path


@pytest.fixture
def beside(settle: Any) -> Read:
    """Run the application on several files."""

    @asynccontextmanager
    async def run(*paths: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Any]:
        app = Npuscope(str(paths[0]), target(profile="overdrive"), [str(path) for path in paths[1:]])
        app.document.asked = BuildOptions()
        async with app.run_test(size=size) as pilot:
            for _ in range(3):
                await settle(pilot)
            yield pilot

    return run


def lines(screen: Any) -> list[str]:
    rows = screen.query_one(RowList)
    return [plain(rows.body(i, rows.line_width)) for i in range(rows.count)]


def text(pane: Any) -> str:
    return "\n".join(plain(pane.body(i, pane.line_width)) for i in range(pane.count))


async def test_the_model_is_judged_for_the_clocks_that_a_board_states(
    denoiser: Path, beside: Read, tmp_path: Path
) -> None:
    path = tmp_path / "board.txt"
    path.write_text(TIMING)
    async with beside(denoiser, path) as pilot:
        assert pilot.app.session.target.profile == "nominal"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
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


async def test_q_leaves_artefacts_without_a_model(report: Path, beside: Read) -> None:
    async with beside(report) as pilot:
        assert isinstance(pilot.app.screen, AgreementScreen)
        await pilot.press("q")
        assert pilot.app.return_code == 0


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
        assert "a as built" in plain(app.screen.query_one(KeyBar).bar(196))
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


ALONE = {
    "c_info.json": json.dumps(c_info()), "network.csv": NETWORK_CSV, "network.c": NETWORK_C, "x.mpool": MPOOL,
    "x.mdesc": MDESC, "profiles.json": PROFILES, "atonn_options.ini": OPTIONS, "x_Q.json": Q_JSON, "board.txt": TIMING,
    "trace.c": EC_TRACE,
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_each_kind_opens_alone_and_says_something(
    name: str, size: tuple[int, int], tmp_path: Path, beside: Read, settle: Any
) -> None:
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


async def test_the_picker_lists_artefacts_with_their_kind(
    tmp_path: Path, denoiser: Path, beside: Read, settle: Any
) -> None:
    for name, content in (
        *ALONE.items(),
        ("report.txt", REPORT),
        ("log.txt", LOG),
        ("notes.txt", "shopping\n"),
    ):
        (tmp_path / name).write_text(content)
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    async with beside(denoiser) as pilot:
        await pilot.press("o")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        screen.query_one(Entry).input.value = f"{tmp_path}/"
        await settle(pilot)
        found = {entry.name: entry.kind for entry in screen._entries if not entry.folder}
        assert found.pop(denoiser.name) == "model"
        assert found == {
            "c_info.json": "c_info.json", "network.csv": "network.csv", "network.c": "network.c",
            "x.mpool": "memory pools", "x.mdesc": "machine description", "profiles.json": "compilation profiles",
            "atonn_options.ini": "compiler options", "x_Q.json": "Q.json", "board.txt": "timing on a board",
            "report.txt": "report", "log.txt": "lowering log", "trace.c": "network.c",
        }  # fmt: skip
        screen.query_one(Entry).input.value = f"{tmp_path}/report.txt"
        await settle(pilot)
        await pilot.press("enter")
        for _ in range(3):
            await settle(pilot)
        assert isinstance(pilot.app.screen, AgreementScreen), "held against the model that is open"
        assert len(pilot.app.snapshot.layers) == 32
        assert pilot.app.comparison.totals.epochs == 23


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


async def test_the_picker_starts_where_the_artefact_lies(report: Path, beside: Read, settle: Any) -> None:
    async with beside(report) as pilot:
        await pilot.press("o")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        assert screen.query_one(Entry).value == f"{report.parent}/"
        assert [entry.name for entry in screen._entries if not entry.folder] == ["report.txt"]


async def test_a_text_alone_that_says_nothing_is_no_bad_model(tmp_path: Path, beside: Read) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("nothing that any tool prints\n")
    async with beside(bad) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        assert "holds nothing that ST's tools print" in " ".join(
            text(screen.query_one("#reason", Page)).split()
        )
