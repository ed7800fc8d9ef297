"""What a key costs: no layout for a move, and nothing drawn twice where a screen lies behind another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual._compositor import Compositor

from npuscope.widgets.panes.cost import CostPane
from npuscope.widgets.panes.eligibility import Eligibility
from npuscope.widgets.panes.pane import Pane

COUNTED = ("reflow", "render_full_update")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the screen was laid out and drawn as a whole."""
    counts: Counter[str] = Counter()

    def count(name: str) -> None:
        plain = getattr(Compositor, name)

        def counted(self: Any, *args: Any, **options: Any) -> Any:
            counts[name] += 1
            return plain(self, *args, **options)

        monkeypatch.setattr(Compositor, name, counted)

    for name in COUNTED:
        count(name)
    return counts


async def test_a_move_lays_out_only_where_a_pane_takes_rows_of_another(
    denoiser: Path, explore: Any, settle: Any, work: Counter[str]
) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("down")
        await settle(pilot)
        sizes = set()
        places = [pane.region for pane in pilot.app.main.query(Pane)]
        still = 0
        for key in (*["down"] * 6, "n", "n", "N"):
            work.clear()
            await pilot.press(key)
            await settle(pilot)
            for pane in pilot.app.main.query(Pane):
                if pane.display and pane.size:
                    bar, seen = pane.vertical_scrollbar, pane.scrollable_content_region.height
                    needed = max(pane.count + pane.heading_lines, seen)
                    sizes.add(needed > seen)
                    assert (pane.virtual_size.height, bar.window_virtual_size) == (needed, needed)
                    assert bar.window_size == seen
            now = [pane.region for pane in pilot.app.main.query(Pane)]
            if now == places:
                still += 1
                assert work["reflow"] == 0
            places = now
        assert still
        assert sizes == {True, False}, "some texts are longer than their pane, some are not"


async def test_a_pane_scrolls_to_its_end_and_back(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("n", "n")
        await settle(pilot)
        pane = max(pilot.app.main.query(Pane), key=lambda pane: pane.max_scroll_y)
        assert pane.max_scroll_y > 0
        pane.scroll_end(animate=False)
        await pilot.pause()
        assert pane.scroll_offset.y == pane.max_scroll_y
        await pilot.press("home")
        await settle(pilot)
        assert pane.scroll_offset.y <= pane.max_scroll_y


@pytest.mark.parametrize("key", ["c", "question_mark", "f"])
async def test_a_screen_is_drawn_whole_once_when_it_opens_and_once_when_it_is_left(
    key: str, denoiser: Path, explore: Any, settle: Any, work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    laid_out: list[object] = []
    async with explore(denoiser) as pilot:
        await pilot.press("n")
        await settle(pilot)
        work.clear()
        below = pilot.app.main._compositor
        plain = below.reflow
        monkeypatch.setattr(below, "reflow", lambda *what: [laid_out.append(what), plain(*what)][1])
        await pilot.press(key)
        await settle(pilot)
        assert pilot.app.screen is not pilot.app.main
        assert (work["render_full_update"], laid_out) == (1, []), "with what is behind it, laid out as it was"
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen is pilot.app.main
        assert (work["render_full_update"], laid_out) == (2, []), "what was behind it is where it was"


async def test_an_edit_undone_and_made_again_draws_the_rows_it_changes(
    denoiser: Path, explore: Any, settle: Any, work: Counter[str]
) -> None:
    from npuscope.edits.kinds.split_output import SplitOutput

    async with explore(denoiser, (120, 30)) as pilot:
        tree = pilot.app.graph_tree
        tree.go_to_layer("Gemm_30")
        await settle(pilot)
        root, first = tree.outline.root, tree.render_line(5)
        pilot.app.make(SplitOutput("Gemm_30", (512, 512)))
        await settle(pilot)
        edited = tree.outline.root
        assert edited is not root
        await pilot.press("u")
        await settle(pilot)
        assert tree.outline.root is root, "the tree of a state that comes back is known"
        work.clear()
        drawn: list[int] = []
        plain = tree.render_line
        tree.render_line = lambda y: [drawn.append(y), plain(y)][1]  # type: ignore[method-assign]
        await pilot.press("r")
        await settle(pilot)
        assert tree.outline.root is edited
        assert work["reflow"] == 0, "the panes stay where they are"
        assert 0 < len(set(drawn)) < tree.size.height - 3, "rows above the layer are as they were"
        assert "".join(segment.text for segment in plain(5)) == "".join(segment.text for segment in first)


async def test_messages_to_a_screen_behind_another_draw_nothing(
    denoiser: Path, explore: Any, settle: Any, work: Counter[str]
) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("m")
        await settle(pilot)
        main = pilot.app.main
        main.query_one("#cost").refresh()  # what changes there is drawn once
        await settle(pilot)
        work.clear()
        for _ in range(5):
            main.call_later(lambda: None)
            await pilot.pause()
        assert work["render_full_update"] == 0


async def test_fixes_that_are_found_are_told_to_the_pane_that_shows_them(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    for pane in (Eligibility, CostPane):
        plain = pane.lines

        def counted(self: Any, *what: Any, plain: Any = plain) -> Any:
            asked[type(self).__name__] += 1
            return plain(self, *what)

        monkeypatch.setattr(pane, "lines", counted)
    async with explore(denoiser) as pilot:
        main = pilot.app.main
        pilot.app.graph_tree.go_to_layer("Gemm_30")
        await settle(pilot)
        for fixes, wanted in (((), {"Eligibility": 1}), ((), {"Eligibility": 1, "CostPane": 1})):
            asked.clear()
            main.selection = replace(main.selection, fixes=fixes)
            assert asked == wanted, "what is no other in its fixes is another in something else, as its gains"
