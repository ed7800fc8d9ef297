"""The screen of blocks: a whole model at a glance, and the way from it to the tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders.networks.yolo_like import yolo_like

from npuscope.machine.machine import target
from npuscope.model.inspection.blocks import blocks
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse
from npuscope.tui.screens.blocks.screen import BlocksScreen
from npuscope.widgets.lists.block_rows import BlockRows
from npuscope.widgets.text.spans import length, plain


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    return yolo_like(tmp_path / "detector.onnx")


async def test_a_detector_on_one_screen_and_back_to_its_tree(
    detector: Path, explore: Any, settle: Any
) -> None:
    async with explore(detector) as pilot:
        await pilot.press("d")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, BlocksScreen)
        keys = [block.key for block in screen.rows.graph.blocks]
        assert len(keys) + 8 <= 40
        at = keys.index("model.6")
        text = plain(screen.rows.line(at, 112))
        assert "Concat" in text and "1×96×16×16" in text
        screen.query_one("RowList").move_to(at)  # type: ignore[attr-defined]
        assert "model.2" in plain(screen.rows.about(at, 100)[0]), "the far end of the skip"
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "/model.6/Concat"
        await pilot.press("d")
        assert pilot.app.screen.cursor == at, "it opens where the cursor is"


async def test_dividing_walking_and_colours_by_keys_alone(detector: Path, explore: Any, settle: Any) -> None:
    async with explore(detector, (80, 24)) as pilot:
        await pilot.press("d")
        screen = pilot.app.screen
        keys = [block.key for block in screen.rows.graph.blocks]
        await pilot.press(*("down",) * keys.index("model.3"))
        await pilot.press("left_square_bracket")
        there = screen.rows.graph.blocks[screen.cursor]
        count = len(screen.rows.graph.blocks)
        if there.divides:
            await pilot.press("right")
            assert len(screen.rows.graph.blocks) > count
            await pilot.press("left")
            assert len(screen.rows.graph.blocks) == count
        await pilot.press("n")
        assert any(report.off_npu for report in screen.rows.reports[screen.cursor])
        before = screen.rows.role(screen.cursor)
        assert before in ("sw", "hybrid")
        await pilot.press("c")
        assert screen.rows.role(screen.cursor) in ("attention", "text", "faint")
        await pilot.press("full_stop")
        assert screen.rows.shares[screen.cursor] == max(screen.rows.shares)
        await pilot.press("escape")
        assert not isinstance(pilot.app.screen, BlocksScreen)


async def test_rows_fit_any_width(detector: Path, explore: Any) -> None:
    async with explore(detector) as pilot:
        snapshot = pilot.app.snapshot
        for most in (3, 40):
            rows = BlockRows(snapshot, blocks(snapshot.links, most))
            for width in (60, 76, 90, 116, 168):
                wide = {length(rows.line(at, width)) for at in range(len(rows.graph.blocks))}
                assert max(wide) <= width and length(rows.heading(width)) <= width
                assert all(length(line) <= width for line in rows.about(0, width))


def test_without_scopes_a_block_is_called_by_the_layers_it_goes_from_and_to(make_chain: Any) -> None:
    names = [f"convolution_of_a_long_name_{i}" for i in range(20)]
    snapshot = analyse(Session.open(load(make_chain(names)), target("4.0")))
    rows = BlockRows(snapshot, blocks(snapshot.links, 4))
    assert rows.name(0, 80) == f"{names[0]} to {names[7]}"
    shown = [rows.name(at, 30) for at in range(len(rows.graph.blocks))]
    assert all(name.count(" to ") == 1 and len(name) <= 30 for name in shown)
    assert len(set(shown)) == len(shown) > 1


def test_a_heading_is_not_cut_where_names_are_short(make_chain: Any) -> None:
    snapshot = analyse(Session.open(load(make_chain(["a"])), target("4.0")))
    assert "block" in plain(BlockRows(snapshot, blocks(snapshot.links, 4)).heading(76)).split()
