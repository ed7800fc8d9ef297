"""What goes to the terminal: a slow line is sent what changed, in few pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual._compositor import Compositor
from textual.geometry import Region
from textual.widget import Widget

from npuscope.widgets.bars.key_bar import KeyHint
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.lists.row_list import RowList
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.drawing import LineWidget
from npuscope.widgets.text.spans import Span, line, quiet


@contextmanager
def drawn(widget: Widget) -> Iterator[list[Region | None]]:
    """The regions of a widget that are drawn again, None for all of it."""
    regions_drawn: list[Region | None] = []
    original = widget.refresh

    def refresh(*regions: Region, **named: Any) -> Widget:
        regions_drawn.extend(regions or [None])
        return original(*regions, **named)

    widget.refresh = refresh  # type: ignore[method-assign,assignment]
    yield regions_drawn
    del widget.refresh


async def test_a_page_draws_the_lines_that_changed(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "n", "f")
        await settle(pilot)
        page = pilot.app.screen.query_one(Page)
        page.show(lambda width: [line("a"), line("b"), line("c")])
        with drawn(page) as regions:
            page.show(lambda width: [line("a"), line("b"), line("c")])
            assert regions == []
            page.show(lambda width: [line("a"), line("x"), line("c")])
            assert [(region.y, region.height) for region in regions if region is not None] == [(1, 1)]


async def test_a_list_draws_the_lines_that_changed(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "n", "f")
        await settle(pilot)
        choices = pilot.app.screen.query_one(Choices)
        lines = [line(str(index)) for index in range(choices.count)]
        choices.show(lines, 0)
        with drawn(choices) as regions:
            choices.show(lines, 0)
            assert regions == []
            choices.show([lines[0], line("x"), *lines[2:]], 2)
            rows = sorted(region.y for region in regions if region is not None)
            assert rows == [1, 2, 3], "the other line, and the cursor's old and new one, below the heading"


async def test_what_changed_is_drawn_beside_what_else_is_due(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual 8.2 would leave the old heading on the terminal where it runs the screen below or a layout in one frame."""
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("n", "n", "f")
        await settle(pilot)
        screen = pilot.app.screen
        choices = screen.query_one(Choices)
        update = Compositor.render_partial_update
        rows: set[int] = set()

        def recorded(compositor: Compositor) -> Any:
            made = update(compositor)
            rows.update(y for y, start, end in getattr(made, "spans", ()) if end - start > 60)
            return made

        monkeypatch.setattr(Compositor, "render_partial_update", recorded)
        for text in ("below", "layout"):
            rows.clear()
            choices.head(line(text))
            screen._dirty_widgets.add(choices)
            if text == "below":
                screen.refresh(Region(0, 0, 3, 1))
            else:
                screen._layout_required = True
            screen._on_timer_update()
            assert choices.region.y in rows, text


async def test_a_list_of_rows_is_drawn_whole(denoiser: Path, explore: Any, settle: Any) -> None:
    """Its lines are made as they are drawn, so nothing tells which are others."""
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("W")
        await settle(pilot)
        rows = pilot.app.screen.query_one(RowList)
        with drawn(rows) as regions:
            rows.show_rows(rows.count, 0)
            assert None in regions


async def test_the_focus_moves_without_the_whole_screen(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (120, 40)) as pilot:
        with drawn(pilot.app.screen) as regions:
            await pilot.press("tab", "tab")
            await settle(pilot)
            assert None not in regions


async def test_what_shows_through_a_dialog_is_drawn_where_it_changed(
    denoiser: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with explore(denoiser, (120, 40)) as pilot:
        app = pilot.app
        await pilot.press("c")
        await settle(pilot)
        pictures: list[Any] = []
        render_strips = Compositor.render_strips

        def counted(compositor: Compositor, *size: Any) -> Any:
            pictures.append(compositor)
            return render_strips(compositor, *size)

        monkeypatch.setattr(Compositor, "render_strips", counted)
        app.screen.refresh(layout=True)
        await settle(pilot)
        assert pictures == []
        app.main.hints = (KeyHint("z", "another key", "none"),)
        await settle(pilot)
        assert pictures == [app.main._compositor]
        (last,) = app.screen.render_lines(Region(0, 39, 120, 1))
        assert "another key" in last.text


@pytest.mark.parametrize("under", [None, "cursor"])
async def test_text_of_one_look_is_one_piece(
    under: str | None, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        widget = pilot.app.graph_tree
        assert isinstance(widget, LineWidget)
        spans = line("a", "b", quiet("  "), Span("c", "sw"), Span("   ", "hw"), quiet("d"))
        strip = widget.strip(spans, under)
        assert [segment.text for segment in strip] == ["ab  ", "c   ", "d" + " " * (widget.size.width - 9)]
        assert all(segment.style is not None and segment.style != Style.null() for segment in strip)
