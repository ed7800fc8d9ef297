"""Marks: a letter stands for a layer, through edits and a file read again, until another model is open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.tui.screens.help.screen import help_text
from npuscope.tui.screens.marks.screen import MarksScreen
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain


def listed(screen: Any) -> list[str]:
    choices = screen.query_one(Choices)
    return [plain(choices.body(i, 60)) for i in range(choices.count)]


async def test_marks_by_keyboard(denoiser: Path, make_chain: Any, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        app, tree = pilot.app, pilot.app.graph_tree
        await pilot.press("apostrophe", "g", "g", "semicolon")
        assert len(app.screen_stack) == 1, "no mark to go to, and no layer to mark"
        await pilot.press("n", "n")
        first = tree.layer_name
        await pilot.press("semicolon", "k", "n")
        second = tree.layer_name
        assert second not in (None, first)
        await pilot.press("semicolon", "Q")
        assert app.document.marks == {"k": first, "Q": second}
        await pilot.press("g", "g", "apostrophe", "k")
        await settle(pilot)
        assert tree.layer_name == first
        await pilot.press("apostrophe", "Q", "ctrl+o")
        assert tree.layer_name == first, "a mark is jumped to, and back from"

        await pilot.press("apostrophe", "z")
        screen = app.screen
        assert isinstance(screen, MarksScreen), "z is no mark"
        rows = listed(screen)
        assert [row[0] for row in rows] == ["Q", "k"] and first in rows[1] and "CPU" in rows[1]
        await pilot.press("slash", "k", "enter")
        assert isinstance(app.screen, MarksScreen), "a letter in the filter is no mark"
        await pilot.press("slash", "escape", "apostrophe")
        assert len(app.screen_stack) == 1

        app.make(SplitInput("Gemm_28", (144, 113)))
        await settle(pilot)
        removed = next(letter for letter, name in app.document.marks.items() if name == "Gemm_28")
        here = tree.layer_name
        await pilot.press("apostrophe")
        assert any(row.startswith(removed) and "not there as edited" in row for row in listed(app.screen))
        await pilot.press(removed)
        await settle(pilot)
        assert tree.layer_name == here
        await pilot.press("u")
        await settle(pilot)
        await pilot.press("g", "g", "apostrophe", removed)
        await settle(pilot)
        assert tree.layer_name == "Gemm_28"

        await pilot.press("R")
        await settle(pilot)
        assert app.document.marks == {"k": first, "Q": second}
        await pilot.press("apostrophe", "up", "up", "delete", "escape")
        assert app.document.marks == {"k": first}
        app.open(str(make_chain(["a", "b"])))
        for _ in range(2):
            await settle(pilot)
        assert app.document.marks == {}


async def test_a_name_with_markup_is_text(make_chain: Any, explore: Any, settle: Any) -> None:
    async with explore(make_chain(["[red]a[/]\x1b[31m", "b"]), (60, 15)) as pilot:
        await pilot.press("l", "j", "semicolon", "a", "apostrophe")
        await settle(pilot)
        assert "[red]a" in listed(pilot.app.screen)[0]
        drawn = "".join(pilot.app.screen.query_one(Choices).render_line(y).text for y in range(3))
        assert "[red]a" in drawn and "\x1b" not in drawn


def test_help_lists_marks() -> None:
    text = "\n".join(plain(one) for one in help_text(90))
    assert "Mark this layer" in text and "Marks: to the layer of the letter" in text
