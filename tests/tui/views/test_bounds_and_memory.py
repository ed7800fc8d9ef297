"""What bounds a model, its memory, and what if."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.price.roofline import Point, roofs
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.tui.screens.bounds.screen import BoundsScreen
from npuscope.tui.screens.memory.screen import MemoryScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.bars.figure_bars import bar, columns
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.page import Page
from npuscope.widgets.panes.roofline_plot import roofline_plot
from npuscope.widgets.panes.selection import Selection
from npuscope.widgets.text.spans import length, plain

SIZES = [(80, 24), (200, 50), (20, 6)]


def text_of(screen: Any, id_: str) -> str:
    page = screen.query_one(f"#{id_}", Page)
    return "\n".join(plain(page.body(i, page.line_width)) for i in range(page.count))


async def test_bounds_add_up_and_lead_to_a_layer(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("b")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, BoundsScreen)
        total = sum(bound.milliseconds for bound in screen.bounds)
        assert total == pytest.approx(pilot.app.snapshot.summary.milliseconds)
        names = [bound.name for bound in screen.bounds]
        assert {"octoFlash", "start"} <= set(names)
        await pilot.press(*["down"] * names.index("start"))
        assert "configured" in text_of(screen, "epochs")
        await pilot.press("home", *["down"] * names.index("octoFlash"))
        assert "The memory octoFlash" in text_of(screen, "epochs")
        assert "Gemm_30" in text_of(screen, "epochs")
        slowest = screen.bounds[names.index("octoFlash")].parts[0].epoch.layers
        await pilot.press("tab")
        await settle(pilot)
        picture = text_of(screen, "roofline")
        assert "16x8" in picture
        assert "octoFlash" in picture
        assert "Gemm_30" in picture
        await pilot.press("tab", "enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == slowest[0]


@pytest.mark.parametrize("size", SIZES)
async def test_bounds_and_memory_fit(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        for keys in (("b", "tab"), ("m",)):
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
                if size[0] >= 72:  # below, what is too long ends in an ellipsis
                    for page in filter(lambda page: page.region.area, pilot.app.screen.query(Page)):
                        width = page.line_width
                        assert all(length(page.body(i, width)) <= width for i in range(page.count)), page.id
            await pilot.press("escape")


async def test_bars_fit_after_a_resize_behind_the_roofline(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("b")
        await settle(pilot)
        choices = pilot.app.screen.query_one(Choices)
        before = [plain(choices.body(i, choices.line_width)) for i in range(choices.count)]
        await pilot.press("tab")
        await pilot.resize_terminal(80, 30)
        await settle(pilot)
        await pilot.press("tab")
        await settle(pilot)
        assert [plain(choices.body(i, choices.line_width)) for i in range(choices.count)] == before


async def test_a_switch_shows_at_once_what_it_brings(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        before = pilot.app.snapshot.summary
        await pilot.press("m")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, MemoryScreen)
        memory = text_of(screen, "memory")
        assert "octoFlash" in memory
        assert "peak in epoch" in memory
        await pilot.press("enter")
        assert pilot.app.screen is screen, "nothing was turned"
        await pilot.press("space")
        await settle(pilot)
        assert screen.after is not None
        assert screen.after.summary.milliseconds < before.milliseconds
        assert "faster" in text_of(screen, "outcome")
        assert "octoFlash" not in text_of(screen, "memory")
        assert pilot.app.session.target is not screen.target, "not before Enter"
        await pilot.press("down", "space")
        await settle(pilot)
        assert screen.target.profile == "nominal"
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.target is screen.target
        assert pilot.app.snapshot.summary == screen.after.summary
        await pilot.press("m")
        await settle(pilot)
        lines = [plain(pilot.app.screen.query_one(Choices).body(i, 80)) for i in range(5)]
        assert [line[1] for line in lines] == ["x", "x", " ", " ", " "]
        await pilot.press("space", "down", "space", "enter")
        await settle(pilot)
        assert pilot.app.session.target.pools == target("2.1").pools


async def test_the_pools_of_a_file(denoiser: Path, tmp_path: Path, explore: Any, settle: Any) -> None:
    pool = {"size": {"value": 1, "magnitude": "KBYTES"}, "prop": {"byteWidth": 8, "freqRatio": 1.25}}
    file = tmp_path / "small.mpool"
    file.write_text(json.dumps({"memory": {"mempools": [{"name": "[b]tiny", **pool}]}}))
    async with explore(denoiser) as pilot:
        await pilot.press("m", "5")
        screen = pilot.app.screen
        entry = screen.query_one(Entry)
        assert entry.input.has_focus
        entry.input.value = "/nowhere/x.mpool"
        await pilot.press("enter")
        await settle(pilot)
        assert "/nowhere/x.mpool" in text_of(screen, "outcome")
        await pilot.press("space")
        entry.input.value = str(file)
        await pilot.press("enter")
        await settle(pilot)
        text = text_of(screen, "memory")
        assert "[b]tiny" in text
        assert "does not fit" in text
        await pilot.press("5", "5", "escape")
        assert pilot.app.screen is screen, "the first Esc leaves the line"
        await pilot.press("escape")
        assert pilot.app.screen is not screen
        assert pilot.app.session.target is target("2.1", "overdrive")


def test_bars_are_as_long_as_they_are_told() -> None:
    for width in (1, 4, 40):
        for parts in ([], [(0.0, "hw")], [(1e-9, "hw"), (5.0, "accent")], [(7.0, "hw"), (7.0, "sw")]):
            assert length(bar(parts, 10.0, width)) == width
    assert bar([(1.0, "hw")], 0.0, 4)[-1].text == "────"


@pytest.mark.parametrize("count", [0, 1, 7, 60, 61, 10_000])
def test_columns_show_the_largest(count: int) -> None:
    values = [float(i % 11) for i in range(count)]
    lines = columns(values, 60, 3, marked=min(10, count - 1))
    assert len(lines) == (3 if count else 0)
    assert all(length(line) <= 60 for line in lines)
    if count > 10:
        assert "█" in plain(lines[0])
        assert any(span.role == "attention" for line in lines for span in line)


@pytest.mark.parametrize("width", [40, 76, 100])
def test_a_roofline_of_anything_fits(width: int) -> None:
    tops = roofs(target("2.1"))
    odd = [Point("[b]x", 1e-6, 1e-9, 1.0, "8x8"), Point("y", 1e9, 300.0, 1.0, "16x8")]
    many = [Point(f"p{i}", 0.5 * i + 0.1, i + 0.1, 1.0, "8x8") for i in range(100)]
    for points in ([], odd, many):
        for height in (6, 20):
            lines = roofline_plot(tops, points, width, height)
            assert all(length(line) <= max(width, 56) for line in lines)
            assert all(length(line) <= width for line in lines[: max(height, 6)])


@pytest.mark.parametrize("size", [(50, 10), (76, 16), (100, 26)])
def test_the_slopes_of_a_roofline_are_lines_without_gaps(size: tuple[int, int]) -> None:
    tops = [roof for roof in roofs(target("2.1")) if roof.name != "octoFlash"]  # whose line meets a name
    rows = [plain(line).ljust(size[0]) for line in roofline_plot(tops, (), *size)[: size[1] - 2]]
    drawn = [at for at, row in enumerate(rows) if "─" in row]
    assert drawn == list(range(drawn[0], drawn[-1] + 1))
    assert len(drawn) >= size[1] // 2
    assert "╭" in rows[drawn[0]]  # the fastest memory reaches the level
    for above, below in pairwise(drawn):
        joints = [column for column, character in enumerate(rows[below]) if character == "╯"]
        assert joints
        assert all(rows[above][column] in "╭│" for column in joints)


def test_letters_of_a_roofline_are_all_in_the_list_below_it() -> None:
    points = [Point(f"p{i}", 1.3**i, 2.0 + i % 7, 60.0 - i, "8x8") for i in range(40)]
    points += [Point("beside", points[0].macs_per_byte, points[0].macs_per_cycle, 0.5, "8x8")]
    lines = [plain(line) for line in roofline_plot(roofs(target("2.1")), points, 100, 26)]
    rows = [line.split() for line in lines[28:]]
    by_name = {row[1]: row[0] for row in rows}
    assert by_name["p0"] == by_name["beside"] == "A"
    drawn = {word for line in lines[:24] for word in line[6:] if word in ascii_uppercase}
    assert drawn - set("R") == set(by_name.values()) - set("R")  # R is also in the name of a memory
    assert any("•" in line for line in lines[:24])


def test_the_cost_pane_says_what_limits_a_layer_and_what_would_help(denoiser: Path) -> None:
    snapshot = analyse(Session.open(load(denoiser), target("2.1")))
    for name, texts in (
        ("Gemm_30", ("octoFlash: its bytes take", "8x8 with Deep1x1", "87 382")),
        ("Gemm_28", ("no legal tiling", "258 input channels")),
    ):
        report = snapshot.by_name[name]
        for width in (24, 30, 42, 90):
            lines = CostPane().lines(Selection(snapshot, name, (report,), report), width)
            text = " ".join(plain(line).strip() for line in lines).replace("\N{NO-BREAK SPACE}", " ")
            assert all(length(line) <= width for line in lines)
            assert width < 90 or all(part in text for part in texts)


def test_a_roofline_without_layers_says_why() -> None:
    lines = [plain(line) for line in roofline_plot(roofs(target("2.1")), (), 76, 20)]
    assert "No layer multiplies on the NPU" in lines[-1]
