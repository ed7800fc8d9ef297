"""What hands expect: / filters lists, + enlarges, R reads a changed file again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from builders.longer import SIZES

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.widgets.bars.narrow_bar import NarrowBar
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.graph_tree import GraphTree
from npuscope.widgets.panes.details import Details
from npuscope.widgets.panes.pane import Pane
from npuscope.widgets.text.spans import plain


def seen(choices: Choices) -> list[str]:
    """The lines a user sees."""
    height = choices.heading_lines + choices.page
    strips = [choices.render_line(y) for y in range(choices.heading_lines, height)]
    return [text for strip in strips if (text := strip.text.rstrip())]


@pytest.mark.parametrize("size", SIZES)
async def test_a_slash_filters_a_list(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        for action, word in (("layers", "gemm"), ("epochs", "gemm"), ("blocks", "mask"), ("reasons", None)):
            getattr(pilot.app.main, f"action_{action}")()
            await settle(pilot)
            await _filters(pilot, word, settle)
            while len(pilot.app.screen_stack) > 1:
                await pilot.press("escape")


async def _filters(pilot: Any, word: str | None, settle: Any) -> None:
    choices = pilot.app.screen.query(Choices).first()
    every, word = seen(choices), word or plain(choices.body(choices.count - 1, 400)).split()[-1]
    await pilot.press("slash", *word)
    await settle(pilot)
    left = seen(choices)
    assert choices.seen == len(choices.kept or []) < choices.count or len(every) == 1
    assert left and all(word.lower() in plain(choices.body(i, 400)).lower() for i in choices.kept or [])
    assert choices.cursor in (choices.kept or [])
    await pilot.press("down", "enter")
    assert not pilot.app.screen.query(NarrowBar)
    assert pilot.app.focused is choices and choices.cursor in (choices.kept or [])
    await pilot.press("slash", "escape")
    assert choices.kept is None and seen(choices)
    await pilot.press("slash", *"no such line", "enter", "enter", "down", "end")
    assert choices.seen == 0


async def test_a_filtered_table_sorts_and_goes_to_its_layer(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.main.action_layers()
        await settle(pilot)
        await pilot.press("slash", *"gemm", "enter", "right", "r")
        await settle(pilot)
        table = pilot.app.screen.query_one(Choices)
        assert {table.reports[i].layer.op for i in table.kept} == {"Gemm"}
        await pilot.press("end", "enter")
        await settle(pilot)
        assert str(pilot.app.graph_tree.layer_name).startswith("Gemm_")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50), (60, 15)])
async def test_plus_enlarges_what_has_the_keys(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        stacked = app.query_one(Details).stacked
        await pilot.press("plus")
        await settle(pilot)
        assert app.graph_tree.region.width >= size[0] - 1
        assert not app.query_one(Details).region.area
        await pilot.press("plus")
        await settle(pilot)
        if size[0] > 100:
            await pilot.press("3")
            await pilot.press("plus")
            await settle(pilot)
            wide = [pane for pane in app.query(Pane) if pane.region.area]
            assert [type(pane).__name__ for pane in wide] == ["CostPane"]
            assert wide[0].region.width >= size[0] - 2
            assert not app.graph_tree.region.area
            await pilot.resize_terminal(size[0] + 4, size[1])
            await settle(pilot)
            assert not app.graph_tree.region.area
            await pilot.press("escape")
            await settle(pilot)
        assert app.query_one(Details).stacked is stacked
        assert isinstance(app.focused, GraphTree) and app.graph_tree.region.area


async def test_a_file_that_changed_is_noticed_and_read_again(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        app.reloader.watch()
        assert not app.document.stale
        model = onnx.load(denoiser)
        next(node for node in model.graph.node if node.name == "Gemm_30").name = "Gemm_other"
        model.doc_string = "another file"
        onnx.save(model, denoiser)
        app.reloader.watch()
        await settle(pilot)
        assert app.document.stale
        line = plain(app.query_one(StatusLine).bar(78))
        assert "changed on disk" in line or "!" in line
        await pilot.press("R")
        await settle(pilot)
        assert not app.document.stale
        assert app.session.done == (SplitInput("Gemm_28", (144, 113)),)
        assert "Gemm_other" in app.snapshot.by_name
        (note,) = app._notifications
        assert "No longer possible" in note.message, "that it changed is no longer said"


async def test_a_file_that_is_gone_is_noticed_and_that_it_is_back(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        app = pilot.app
        aside = denoiser.rename(denoiser.with_suffix(".aside"))
        app.reloader.watch()
        await settle(pilot)
        assert "deleted or moved" in plain(app.query_one(StatusLine).bar(118))
        assert [note.severity for note in app._notifications if "deleted or moved: " in note.message] == [
            "warning"
        ]
        app.clear_notifications()
        app.reloader.watch()
        assert not app._notifications
        aside.rename(denoiser)
        app.reloader.watch()
        await settle(pilot)
        assert not app.document.stale and not app._notifications
        assert "disk" not in plain(app.query_one(StatusLine).bar(118))


async def test_a_file_that_is_damaged_by_now_leaves_what_is_open(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        denoiser.write_bytes(b"\x08\x07 nothing of use")
        await pilot.press("R")
        await settle(pilot)
        assert pilot.app.snapshot.layers and pilot.app.session is not None
        assert pilot.app._notifications
