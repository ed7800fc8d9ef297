"""A trace on the screen: by keyboard, at 80 columns too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.model.inspection.trace import layer_end, path
from npuscope.tui.screens.blocks.screen import BlocksScreen
from npuscope.tui.screens.layers.screen import LayersScreen
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.lists.layer_table import LayerTable
from npuscope.widgets.lists.rail import AWAY, END
from npuscope.widgets.lists.row import Kind
from npuscope.widgets.text.spans import plain


def header(app: Any) -> str:
    """The top line."""
    line = plain(app.main.query_one(StatusLine).bar(app.size.width - 2))
    return line.replace("\N{NO-BREAK SPACE}", " ")


def faint(app: Any) -> set[str]:
    """The layers whose rows step back."""
    tree = app.graph_tree
    width = tree.line_width
    return {
        row.report.name
        for index, row in enumerate(tree.rows)
        if row.kind is Kind.LAYER and row.report is not None
        and all(span.role == AWAY for span in tree.body(index, width) if span.text.strip(" │●┐┘┤├─┬┴┼+"))
    }  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_a_trace_sets_off_what_leads_to_a_layer(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        snapshot = app.snapshot
        app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("T")
        await settle(pilot)
        both = app.main.trace
        assert both is not None and both.start.name == "Gemm_28"
        assert f"trace {len(both.layers)} · " in header(app)
        everything = {report.name for report in snapshot.layers}
        assert faint(app) == everything - both.layers
        await pilot.press("T")
        before = app.main.trace
        await pilot.press("T")
        after = app.main.trace
        assert before is not None and after is not None
        assert before.layers | after.layers == both.layers
        assert before.layers & after.layers == {"Gemm_28"}
        assert faint(app) == everything - after.layers
        index = next(i for i, row in enumerate(app.graph_tree.rows) if row.label == "Gemm_28")
        assert app.graph_tree.body(index, app.graph_tree.line_width)[0].text == END
        await pilot.press("T")
        assert app.main.trace is None
        assert not faint(app)
        assert "trace" not in header(app)


async def test_the_path_between_two_layers(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        order = app.graph_tree.outline.off_npu
        await pilot.press("n", "T", "n", "N", "n", "T")
        await settle(pilot)
        between = app.main.trace
        assert between is not None and between.end and {end.name for end in between.ends} <= set(order)
        time = sum(app.snapshot.time_of(r) for r in app.snapshot.layers if r.name in between.layers)
        assert f"trace {len(between.layers)} · {time:#.3g}" in header(app)
        seen = set()
        for _ in range(4):
            await pilot.press("n")
            await settle(pilot)
            seen.add(app.graph_tree.layer_name)
        assert seen == set(order) & between.layers, "n stays on the trace"
        await pilot.press("d")
        await settle(pilot)
        assert isinstance(app.screen, BlocksScreen)
        rows = app.screen.rows
        roles = [rows.role(index) for index in range(len(rows.graph.blocks))]
        away = [not between.layers & {layer.name for layer in block.layers} for block in rows.graph.blocks]
        assert [role == AWAY for role in roles] == away and any(away) and not all(away)
        await pilot.press("c")
        assert app.screen.rows.trace is between, "in other colours too"
        await pilot.press("escape", "escape")
        await settle(pilot)
        assert app.main.trace is None and app.main.only is None


async def test_where_no_path_is_and_where_no_layer_is(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("T")
        await settle(pilot)
        assert app.main.trace is None
        assert "Choose a layer" in [note.message for note in app._notifications][-1]
        joined = app.snapshot.links
        first, other = next(
            (one.name, two.name)
            for one in app.snapshot.layers
            for two in app.snapshot.layers
            if one is not two and not _joined(joined, one.name, two.name)
        )
        app.graph_tree.go_to_layer(first)
        await pilot.press("T")
        kept = app.main.trace
        app.graph_tree.go_to_layer(other)
        await pilot.press("T")
        await settle(pilot)
        assert app.main.trace is kept
        assert "No path joins" in [note.message for note in app._notifications][-1]


def _joined(links: Any, one: str, other: str) -> bool:
    return path(links, layer_end(one), layer_end(other)) is not None


async def test_a_trace_follows_an_edit_and_ends_with_its_layer(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        app.graph_tree.go_to_layer("Add_31")
        await pilot.press("T")
        before = app.main.trace
        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        after = app.main.trace
        assert before is not None and after is not None
        assert after.start.name == "Add_31" and after.layers != before.layers
        assert after.layers <= {report.name for report in app.snapshot.layers}
        await pilot.press("u")
        await settle(pilot)
        app.graph_tree.go_to_layer("Gemm_28")
        await pilot.press("escape", "T")
        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        assert app.main.trace is None, "its layer is no more"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_trace_shows_in_the_table_of_layers(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app = pilot.app
        app.graph_tree.go_to_layer("Gemm_51")
        await pilot.press("T", "T")
        await settle(pilot)
        before = app.main.trace
        assert before is not None
        await pilot.press("L")
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        table = screen.query_one(LayerTable)
        assert f"trace {len(before.layers)} · " in plain(screen.heading()[1]).replace(
            "\N{NO-BREAK SPACE}", " "
        )
        for index, report in enumerate(table.reports):
            away = {span.role for span in table.body(index, table.line_width) if span.text.strip()} == {AWAY}
            assert away == (report.name not in before.layers), report.name
        await pilot.press("down", "down", "T")
        assert {report.name for report in table.reports} == before.layers
        assert table.report is not None
        here = table.report.name
        await pilot.press("right", "r", "slash", *"gemm", "enter")
        assert {table.reports[at].layer.op for at in table.kept or ()} == {"Gemm"}
        await pilot.press("slash", "escape", "T")
        assert len(table.reports) == len(app.snapshot.layers)
        await pilot.press("end", "enter")
        await settle(pilot)
        assert here in app.snapshot.by_name and app.main.trace is before
        await pilot.press("escape", "L", "T")
        await settle(pilot)
        assert app.main.trace is None
        table = app.screen.query_one(LayerTable)
        assert len(table.reports) == len(app.snapshot.layers)
        assert "T" not in [hint.key for hint in app.screen.hints()]


async def test_a_scope_can_be_traced_and_a_path_to_it(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        rows = {row.label: row for row in app.graph_tree.rows if row.kind is Kind.SCOPE}
        app.graph_tree.go_to_key(rows["lstm_1"].key)
        await pilot.press("T", "T")
        await settle(pilot)
        before = app.main.trace
        inside = {report.name for report in rows["lstm_1"].scope.layers}
        assert before is not None and before.start.layers == inside < before.layers
        assert "Conv2D_79" not in before.layers, "that comes of it"
        index = app.graph_tree.cursor
        assert app.graph_tree.body(index, app.graph_tree.line_width)[0].text == END
        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        after = app.main.trace
        assert after is not None and "Gemm_28_part0" in after.layers and after.start.layers == inside
        app.graph_tree.go_to_key(rows["mask"].key)
        await pilot.press("T")
        await settle(pilot)
        between = app.main.trace
        assert between is not None and between.end is not None
        assert [end.name for end in between.ends] == ["lstm_1", "mask"]
        assert "on the way from lstm_1 to mask" in [note.message for note in app._notifications][-1]
        app.graph_tree.go_to_layer("Gemm_51")
        await pilot.press("escape", "T")
        app.graph_tree.go_to_key(rows["lstm_1"].key)
        await pilot.press("T")
        await settle(pilot)
        assert app.main.trace is not None and app.main.trace.start.is_scope, "it holds what was traced before"


async def test_the_key_is_named_where_there_is_something_to_trace(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (200, 50)) as pilot:
        offered = []
        for keys in (("home",), ("down",), ("down",), ("right", "down"), ("right", "down")):
            await pilot.press(*keys)
            await settle(pilot)
            offered.append(next(hint.enabled for hint in pilot.app.main.hints if hint.key == "T"))
        assert offered == [False, True, True, True, True], "the model; a scope, a layer, a node, a tensor"
