"""The command palette."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.command import CommandList
from textual.events import Click, MouseDown
from textual.geometry import Offset
from textual.widgets import LoadingIndicator, Static

from npuscope.tui.palette import Palette


@pytest.mark.parametrize("key", ["pageup", "pagedown", "home", "end"])
async def test_keys_before_the_list_is_there(
    key: str, denoiser: Path, explore: Any, settle: Any, until: Any
) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("ctrl+p")
        palette = pilot.app.screen
        assert isinstance(palette, Palette)
        commands = palette.query_one(CommandList)
        await until(pilot, lambda: commands.option_count)
        commands.styles.display = "none"
        await pilot.pause()
        commands.clear_options()
        commands.add_options(["a", "b"])
        commands.highlighted = 0
        await pilot.press(key)
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.return_code is None
        assert pilot.app.screen is pilot.app.screen_stack[0]


async def test_no_line_says_again_what_the_name_above_it_says(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        listed = {
            entry.title: entry.help for entry in pilot.app.get_system_commands(pilot.app.screen_stack[0])
        }
        assert listed["Plan  p"] == "Edits for the whole model, bit-exact ones first"
        assert not [
            title
            for title, text in listed.items()
            if text.startswith(f"{title.rpartition('  ')[0].split()[0]}: ")
        ]


async def test_it_is_taken_apart_while_its_search_still_runs(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.action_command_palette()
        await settle(pilot)
        palette = pilot.app.screen
        await palette.query_one(LoadingIndicator).remove()
        palette._show_busy = not palette._show_busy
        await settle(pilot)
        assert not pilot.app.faults and pilot.app.screen is palette


async def test_a_callback_for_a_screen_that_is_left_is_dropped(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.action_command_palette()
        await settle(pilot)
        palette = pilot.app.screen
        palette.left = True
        palette.call_next(lambda: palette.query_one("#gone"))
        await settle(pilot)
        assert not pilot.app.faults
        palette.left = False
        palette.call_next(lambda: palette.query_one("#gone"))
        await settle(pilot)
        assert [type(error).__name__ for _, error in pilot.app.faults] == ["NoMatches"]
        pilot.app.faults.clear()


async def test_a_command_by_name(denoiser: Path, explore: Any, settle: Any, until: Any) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("ctrl+p")
        await pilot.press(*"layers")
        await settle(pilot)
        commands = pilot.app.screen.query_one(CommandList)
        await until(pilot, lambda: commands.highlighted is not None and 0 < commands.option_count < 5)
        await pilot.press("enter")
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "LayersScreen"


async def test_a_palette_opens_over_a_dialog_that_hides_one(
    denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        pilot.app.action_command_palette()
        pilot.app.action_help()
        await settle(pilot)
        pilot.app.action_command_palette()
        await settle(pilot)
        assert isinstance(pilot.app.screen, Palette)
        for _ in range(3):
            await pilot.press("escape")
            await settle(pilot)
        assert pilot.app.return_code is None
        assert pilot.app.screen is pilot.app.screen_stack[0]


async def test_clicks_that_come_too_late_are_dropped(
    denoiser: Path, explore: Any, settle: Any, until: Any, tmp_path: Path
) -> None:
    async with explore(denoiser) as pilot:
        await pilot.press("ctrl+p")
        palette = pilot.app.screen
        commands = palette.query_one(CommandList)
        await until(pilot, lambda: commands.option_count)

        def click(widget: Any, **meta: Any) -> Click:
            style = Style.from_meta(meta)
            return Click(widget, 0, 0, 0, 0, 1, False, False, False, 9999, 9999, style)

        palette.post_message(click(palette))
        await settle(pilot)
        commands.post_message(click(commands, option=9999))
        await settle(pilot)
        assert pilot.app.screen is palette and not pilot.app.faults
        removed = Static("gone")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(palette, "get_widget_and_offset_at", lambda x, y: (removed, Offset(0, 0)))
            pilot.app.post_message(MouseDown(None, 1, 1, 0, 0, 1, False, False, False, 1, 1))
            await settle(pilot)
        assert not pilot.app.faults
        await pilot.press("escape")
        await settle(pilot)
        assert len(pilot.app.screen_stack) == 1
    assert not (tmp_path / "state" / "npuscope" / "crash.txt").exists()


async def test_a_command_takes_one_line(denoiser: Path, explore: Any, settle: Any, until: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("ctrl+p")
        palette = pilot.app.screen
        listed = palette.query_one(CommandList)
        await until(pilot, lambda: listed.option_count == len(pilot.app.actions))
        await settle(pilot)
        lines = [listed.render_line(y).text for y in range(listed.size.height)]
        assert lines[0].split()[:3] == ["Accuracy", "A", "Each"]
        labels = sorted(action.label[:1].upper() + action.label[1:] for action in pilot.app.actions)
        assert [line[1:17].rstrip() for line in lines if line.strip()] == labels[: len(lines)]
