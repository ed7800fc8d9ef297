"""Search by what layers are, a filter of the tree from it, the same words in the table of layers; a jump by letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders.shown_text import text

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.tui.screens.help.screen import help_text
from npuscope.widgets.bars.key_bar import KeyBar
from npuscope.widgets.bars.search_bar import SearchBar, SearchCount
from npuscope.widgets.bars.status_line import StatusLine
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.layer_filter import FilterBy, LayerFilter
from npuscope.widgets.lists.outline import Kind
from npuscope.widgets.text.labels import LETTERS, labels
from npuscope.widgets.text.spans import plain


def layers_shown(app: Any) -> list[str]:
    return [row.report.name for row in app.graph_tree.rows if row.kind is Kind.LAYER]


async def test_a_search_by_figures_becomes_a_filter(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        await pilot.press("slash", *"op=gemm >0.5ms")
        await settle(pilot)
        assert app.graph_tree.layer_name == "Gemm_28"
        assert plain(app.query_one(SearchCount).bar(80)).startswith("1 of 4")
        assert "Tab only these" in plain(app.query_one(SearchCount).bar(46))
        await pilot.press("tab")
        await settle(pilot)
        assert not app.query_one(SearchBar).is_open and app.focused is app.graph_tree
        assert layers_shown(app) == ["Gemm_28", "Gemm_30", "Gemm_51", "Gemm_53"]
        assert "only op=gemm >0.5ms" in plain(app.query_one(StatusLine).bar(80))
        await pilot.press("n")
        assert app.graph_tree.layer_name == "Gemm_30"

        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        shown = layers_shown(app)
        assert "Gemm_28" not in shown and "Gemm_30" in shown, "an edit's layers are asked again"
        assert all(app.main.snapshot.by_name[name].line.milliseconds > 0.5 for name in shown)
        await pilot.press("backspace")
        await settle(pilot)
        assert len(layers_shown(app)) == len(app.main.snapshot.layers)


async def test_nothing_found_is_no_filter(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        for typed in ("", "kernel=77"):
            await pilot.press("slash", *typed, "tab")
            await settle(pilot)
            assert app.query_one(SearchBar).is_open and app.main.only is None
            await pilot.press("escape")
        await pilot.press("slash", *"kernel=1", "enter")
        await settle(pilot)
        assert app.graph_tree.layer_name == "Conv2D_23" and app.main.only is None


async def test_the_table_of_layers_is_narrowed_by_what_they_are(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("L", "slash", *">0.5ms cpu")
        await settle(pilot)
        table = pilot.app.screen.query_one(Choices)
        assert [table.reports[i].name for i in table.kept or []] == ["Gemm_28"]
        await pilot.press("enter", "enter")
        await settle(pilot)
        assert pilot.app.graph_tree.layer_name == "Gemm_28"


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 90)])
async def test_a_letter_jumps_to_its_row(
    size: tuple[int, int], denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, size) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        await pilot.press("n")
        first = tree.layer_name
        await pilot.press("J")
        await settle(pilot)
        top = tree.scroll_offset.y
        seen = range(top, min(top + tree.page, tree.count))
        assert sorted(tree.labels.values()) == list(seen)
        assert "go to its row" in plain(app.query_one(KeyBar).bar(size[0]))
        label, row = next((k, r) for k, r in tree.labels.items() if tree.rows[r].op == "Tanh")
        assert text(tree).splitlines()[row].startswith(label)
        await pilot.press(*label)
        await settle(pilot)
        assert (tree.cursor, tree.labels) == (row, {})
        assert "go to its row" not in plain(app.query_one(KeyBar).bar(size[0]))
        await pilot.press("ctrl+o")
        assert tree.layer_name == first, "a jump is gone back from"
        scope = next(k for k, r in (await _labelled(pilot)).items() if tree.rows[r].kind is Kind.SCOPE)
        await pilot.press(*scope)
        assert tree.row.kind is Kind.SCOPE


async def _labelled(pilot: Any) -> dict[str, int]:
    await pilot.press("J")
    return dict(pilot.app.graph_tree.labels)


async def test_a_jump_is_given_up(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        for key in ("escape", "1", "down", "slash"):
            await pilot.press("J")
            here = tree.cursor
            await pilot.press(key)
            await settle(pilot)
            assert not tree.labels
            assert tree.cursor == here + (key == "down"), "any other key does what it always does"
        assert app.query_one(SearchBar).is_open
        await pilot.press("escape", "J")
        await pilot.click(type(tree), offset=(20, 6))
        assert not tree.labels and tree.cursor == 5


async def test_letters_of_rows_that_are_gone_lead_nowhere(denoiser: Path, explore: Any, settle: Any) -> None:
    """An analysis that ends, or a filter, may come between the letters and the key."""
    async with explore(denoiser, (80, 24)) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        known = len(await _labelled(pilot))
        app.main.show_only(LayerFilter(FilterBy.OPERATOR, "Tanh", "Tanh"))
        await settle(pilot)
        assert len(tree.rows) < known and not tree.labels, "a letter would be one of a row that is no more"
        assert "go to its row" not in plain(app.query_one(KeyBar).bar(80))


@pytest.mark.parametrize("count", [0, 1, len(LETTERS), len(LETTERS) + 1, 200])
def test_no_label_begins_another(count: int) -> None:
    made = labels(count)
    assert len(made) == len(set(made)) == count and len(set(map(len, made))) <= 1


def test_help_explains_what_a_search_looks_for() -> None:
    shown = "\n".join(plain(one) for one in help_text(90))
    for words in (
        "What / looks for",
        "op=Conv",
        "where:cpu",
        "kernel=7",
        "Tab keeps only those",
        "Jump to a row",
    ):
        assert words in shown
