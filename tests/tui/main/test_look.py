"""Layouts, themes, the key bar and the help: everything fits, nothing is missing."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.seen_figures import opened

from npuscope.themes import THEMES
from npuscope.themes.dark import DARK
from npuscope.tui.actions import ACTIONS
from npuscope.tui.app import Npuscope
from npuscope.tui.layout import Layout, layout_for
from npuscope.tui.screens.help.screen import help_text
from npuscope.tui.screens.main.screen import MainScreen
from npuscope.tui.terminal import ascii_only, fills_erased_cells, first_theme, in_ascii
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.status_line import Status, StatusLine
from npuscope.widgets.lists.columns import columns, heading, heat, row_line
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.eligibility import verdict_line
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.panes.quantization import Quantization
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.spans import length, plain
from npuscope.widgets.text.words import shape

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "sample_models").glob("*.onnx"))


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((80, 24), Layout.STACKED),
        ((80, 23), Layout.TINY),
        ((71, 50), Layout.TINY),
        ((103, 24), Layout.STACKED),
        ((104, 24), Layout.NORMAL),
        ((120, 40), Layout.NORMAL),
        ((160, 50), Layout.WIDE),
        ((200, 50), Layout.WIDE),
    ],
)
def test_layout_for_a_size(size: tuple[int, int], layout: Layout) -> None:
    assert layout_for(*size) is layout


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
async def test_every_line_fits_its_width(sample: Path, explore: Any) -> None:
    """Rows, panes and status line in every width, for every layer of every sample."""
    async with explore(sample) as pilot:
        app = pilot.app
        snapshot = app.snapshot
        tree = app.graph_tree
        tree.opened |= {f"l:{report.name}" for report in snapshot.layers[:5]}
        rows = tree.outline.rows(tree.opened, "whole model")
        for width in (*range(12, 100, 7), 120):
            assert length(heading(width, "layer")) <= max(width, 24)
            assert length(heading(width, "layer", True)) <= max(width, 24)
            assert columns(width).name >= 4
            if width >= 26:
                too_long = [plain(row_line(row, snapshot, width, ("e",))) for row in rows
                            if length(row_line(row, snapshot, width, ("e",))) > width]  # fmt: skip
                assert not too_long
                measured = replace(snapshot, own_decibels={r.name: -12.3 for r in snapshot.layers[:6]})
                assert all(length(row_line(row, measured, width, ("e",))) <= width for row in rows)
        panes = app.query_one(Details).panes
        chosen = [Selection(snapshot, report.name, (report,), report) for report in snapshot.layers[:80]]
        chosen.append(Selection(snapshot, "whole model", snapshot.layers, whole_model=True))
        chosen.append(Selection(snapshot, "scope", snapshot.layers[:3]))
        for width in (26, 28, 33, 41, 58, 90):
            for selection in chosen:
                for pane in panes:
                    for line in pane.lines(selection, width):
                        assert length(line) <= width, (type(pane).__name__, width, plain(line))
        bar = app.query_one(StatusLine)
        for edits in (0, 2):
            bar.set_reactive(StatusLine.status, Status(snapshot, sample.name, edits, bool(edits)))
            for width in (58, 78, 98, 118, 198):
                assert length(bar.bar(width)) <= width


async def test_resizing_back_and_forth(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (200, 50)) as pilot:
        await pilot.press("n", "n")
        for size in ((60, 15), (20, 5), (1, 1), (200, 50), (72, 24)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert pilot.app.graph_tree.layer_name == "Gemm_28"
        assert pilot.app.screen.has_class("-stacked")
        for key in ("s", "p", "w"):
            await pilot.press(key)
            await pilot.resize_terminal(40, 10)
            await pilot.resize_terminal(120, 40)
            await pilot.press("escape")


async def test_stacked_panes_show_one_at_a_time(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        details = pilot.app.query_one(Details)

        def visible() -> list[str]:
            return [type(pane).__name__ for pane in details.panes if pane.region.area]

        assert visible() == ["Eligibility"]
        await pilot.press("2")
        await settle(pilot)
        assert visible() == ["Quantization"]
        assert pilot.app.graph_tree.has_focus
        await pilot.press("n", "n")
        await settle(pilot)
        assert visible() == ["Quantization"]
        assert "Gemm_28" in plain(details.query_one("#verdict").bar(40)), "the verdict stays in view"  # type: ignore[attr-defined]
        await pilot.press("3")
        await settle(pilot)
        assert visible() == ["CostPane"]


async def test_tiny_shows_the_tree_and_one_line(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (60, 15)) as pilot:
        await pilot.press("n")
        await settle(pilot)
        assert not pilot.app.query_one(Details).region.area
        verdict = plain(pilot.app.query_one("#tiny-verdict").bar(58))
        assert "✗ CPU" in verdict
        assert "257" in verdict
        await pilot.press("1")
        await settle(pilot)
        assert pilot.app.query_one(Details).region.area
        assert not pilot.app.graph_tree.region.area
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.graph_tree.region.area
        assert pilot.app.graph_tree.has_focus


async def test_tab_goes_round_the_panes(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        seen = []
        for _ in range(5):
            await pilot.press("tab")
            seen.append(type(pilot.app.focused).__name__)
        assert seen == ["Eligibility", "Quantization", "CostPane", "Neighbourhood", "GraphTree"]
        await pilot.press("2")
        assert type(pilot.app.focused).__name__ == "Quantization"
        await pilot.press("escape")
        assert isinstance(pilot.app.focused, GraphTree)


async def test_the_theme_key_walks_through_ours(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        assert pilot.app.theme == DARK.name
        seen = []
        for _ in THEMES:
            await pilot.press("t")
            seen.append(pilot.app.theme)
        assert seen == [*[theme.name for theme in THEMES[1:]], DARK.name]


async def test_a_theme_that_is_not_ours_works(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        for name in ("textual-light", "ansi-dark", "dracula"):
            pilot.app.theme = name
            await settle(pilot)
            await pilot.press("n", "t")


@pytest.mark.parametrize(
    ("environ", "colors", "name"),
    [
        ({}, "truecolor", "npuscope-dark"),
        ({}, "standard", "npuscope-16"),
        ({"COLORFGBG": "0;15"}, "256", "npuscope-light"),
        ({"COLORFGBG": "15;0"}, "256", "npuscope-dark"),
        ({"TEXTUAL_THEME": "nord"}, "standard", "nord"),
    ],
)
def test_first_theme(environ: dict[str, str], colors: str, name: str) -> None:
    assert first_theme(environ, colors) == name


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"LANG": "de_CH.UTF-8"}, False),
        ({"LANG": "C"}, True),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({"LC_CTYPE": "en_US.utf8", "LANG": "C"}, False),
        ({"LANG": "en_US.ISO-8859-1"}, True),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True),
        ({"TERM": "linux", "NPUSCOPE_ASCII": "0"}, False),
        ({"NPUSCOPE_ASCII": "1"}, True),
    ],
)
def test_ascii_only(environ: dict[str, str], wanted: bool) -> None:
    assert ascii_only(environ) is wanted


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "xterm-256color", "STY": "12.pts-0"}, False),
        ({"TERM": "xterm-256color", "TMUX": "/tmp/tmux-0/default"}, False),
        ({"TERM": "screen-256color"}, False),
        ({}, False),
    ],
)
def test_only_a_terminal_known_to_fill_what_is_erased_has_it_erased(
    environ: dict[str, str], wanted: bool
) -> None:
    assert fills_erased_cells(environ) is wanted


async def test_without_utf8_everything_is_ascii(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    async with explore(denoiser) as pilot:
        for key in ("n", "right", "question_mark", "escape", "s", "escape", "w", "escape"):
            await pilot.press(key)
            await settle(pilot)
            svg = pilot.app.export_screenshot()
            shown = re.sub(r"<[^>]*>|&#160;|&#x27;|npuscope", "", svg)
            assert not {c for c in shown if not c.isascii()}
        assert "x CPU" in svg.replace("&#160;", " ")


def test_ascii_keeps_the_width() -> None:
    assert in_ascii("✗ CPU ▸ 名前 ─┐") == "x CPU > ???? -+"


def test_every_action_exists_and_has_its_own_key() -> None:
    keys = [key for action in ACTIONS for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    for action in ACTIONS:
        owner = MainScreen if action.name.startswith("screen.") else Npuscope
        assert hasattr(owner, f"action_{action.name.removeprefix('screen.').partition('(')[0]}"), action.name


def test_the_help_names_every_key_and_fits() -> None:
    for width in (40, 76, 90):
        lines = help_text(width)
        assert all(length(line) <= width for line in lines)
        text = "\n".join(plain(line) for line in lines)
        for action in ACTIONS:
            assert re.search(rf"^{re.escape(action.key)}\s", text, re.MULTILINE), action.key
        for word in ("OPS/cycle", "Deep1x1", "choked ports"):
            assert word in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
async def test_the_key_bar_fits_and_keeps_help_and_quit(width: int, denoiser: Path, explore: Any) -> None:
    async with explore(denoiser, (width, 24)) as pilot:
        bar = pilot.app.query_one(KeyBar)
        line = bar.bar(bar.size.width)
        assert length(line) <= bar.size.width
        keys = [hint.key for hint in bar.fitting(bar.size.width)]
        assert "?" in keys
        if width >= 80:
            assert {"n", "/", "f", "p", ".", "q"} <= set(keys), "what does nothing yet gives way"
            bar.hints = tuple(replace(hint, enabled=True) for hint in bar.hints)
            keys = [hint.key for hint in bar.fitting(bar.size.width)]
            assert {"n", "/", "f", "p", "u", "v", "e", "q"} <= set(keys)


async def test_a_click_on_the_key_bar_does_what_the_key_does(denoiser: Path, explore: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.click(KeyBar, offset=(3, 0))
        assert pilot.app.graph_tree.layer_name == "Conv2D_23"


async def test_panes_draw_only_lines_that_changed(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.graph_tree.go_to_layer("Mul_38")
        await settle(pilot)
        drawn: list[int] = []
        for pane in pilot.app.query(Pane):
            original = pane.refresh_body

            def counted(index: int, lines: int = 1, original: Any = original) -> None:
                drawn.append(lines)
                original(index, lines)

            pane.refresh_body = counted  # type: ignore[method-assign]
        await pilot.press("down")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "Mul_39"
        assert 0 < sum(drawn) <= 14


def test_threads_begin_in_one_place() -> None:
    """`run_job` cancels, reports and survives errors; Textual's own decorator does none of it."""
    folder = Path(__file__).resolve().parents[3] / "tui"
    for path in folder.rglob("*.py"):
        text = path.read_text()
        names = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
        names |= {
            alias.name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert not names & {"work", "get_current_worker", "run_worker"} or path.name == "jobs.py", path


async def test_before_and_after_stay_in_the_header_at_80_columns(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    from npuscope.edits.kinds.split_input import SplitInput

    async with explore(denoiser, (80, 24)) as pilot:
        before = pilot.app.snapshot.summary.milliseconds
        pilot.app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        after = pilot.app.snapshot.summary.milliseconds
        text = plain(pilot.app.query_one(StatusLine).bar(78)).replace("\N{NO-BREAK SPACE}", " ")
        assert f"{before:.2f} → {after:.2f} ms" in text
        assert "1 edit" in text and "3 → " in text


@pytest.mark.parametrize(
    ("part", "width", "text"),
    [(0.0, 1, "  "), (1.0, 1, " █"), (0.5, 1, " ▄"), (0.0, 2, "   "), (1.0, 2, " ██"), (0.3, 2, " ▋ "), (0.01, 2, "   ")],
)  # fmt: skip
def test_heat_fills_its_cells(part: float, width: int, text: str) -> None:
    assert plain(heat(part, width, None)) == text


async def test_a_wide_screen_gives_every_pane_its_room(denoiser: Path, explore: Any, settle: Any) -> None:
    for size in ((160, 45), (200, 50)):
        async with explore(denoiser, size) as pilot:
            await pilot.press("n")
            await settle(pilot)
            widths = [pane.region.width for pane in pilot.app.query(Pane)]
            assert min(widths) >= 25, widths
            why, _, cost, around = pilot.app.query(Pane)
            assert cost.region.height == pilot.app.query_one(Details).region.height, (
                "the longest has a column"
            )
            for pane in (why, around):
                assert pane.count < pane.region.height, "all of it is seen"


@pytest.mark.parametrize("width", [14, 27, 34, 60])
def test_figures_of_the_whole_model_are_never_cut(width: int) -> None:
    """A cut shape or count reads as another one."""
    _, snapshot = opened("mobilenet_mini_int8")
    model = Selection(snapshot, "whole model", snapshot.layers, whole_model=True)
    text = "".join(plain(each).replace(" ", "") for each in Quantization().lines(model, width))
    for name in (*snapshot.graph.inputs, *snapshot.graph.outputs):
        kind = snapshot.graph.type(name)
        assert f"{kind.dtype}{shape(kind)}" in text, text
    few = replace(model, layers=snapshot.layers * 40)
    cpu = sum(report.placement.on_cpu for report in few.layers)
    seen = plain(verdict_line(few, width))
    assert (str(cpu) if cpu else "all") in seen or width < 20, seen
