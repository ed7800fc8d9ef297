"""Files that cannot be opened, and choosing others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from builders.longer import suite_or_long

from npuscope.tui.screens.open.folder import entries
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain


def bad_file(kind: str, folder: Path) -> Path:
    path = folder / "bad.onnx"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is not a model\n" * 20)
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "truncated":
        sample = Path(__file__).resolve().parents[3] / "sample_models" / "denoiser_lstm_int8.onnx"
        path.write_bytes(sample.read_bytes()[:50_000])
    return path


@pytest.mark.parametrize("size", suite_or_long([(60, 15)], [(80, 24), (60, 15)]))
@pytest.mark.parametrize("kind", ["missing", "empty", "text", "directory", "fifo", "truncated"])
async def test_a_bad_file_is_said_and_another_can_be_chosen(
    kind: str, size: tuple[int, int], tmp_path: Path, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(bad_file(kind, tmp_path), size) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        reason = screen.query_one("#reason", Page)
        text = " ".join(plain(reason.body(i, 60)).strip() for i in range(reason.count))
        assert text.startswith("✗")
        assert "bad.onnx" in text.replace(" ", "")
        assert "Traceback" not in text
        assert pilot.app.session is None
        screen.query_one(Entry).input.value = str(denoiser)
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session is not None
        assert len(pilot.app.snapshot.layers) == 32
        assert pilot.app.graph_tree.has_focus


async def test_the_picker_goes_through_folders(
    tmp_path: Path, denoiser: Path, explore: Any, settle: Any
) -> None:
    (tmp_path / "models").mkdir()
    denoiser.rename(tmp_path / "models" / "one.onnx")
    (tmp_path / "models" / "notes.txt").write_text("x")
    async with explore(None) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, OpenScreen)
        await pilot.press(*"mod", "enter")
        await settle(pilot)
        assert screen.query_one(Entry).value == f"{tmp_path}/models/"
        choices = screen.query_one(Choices)
        lines = [plain(choices.body(i, 70)) for i in range(choices.count)]
        assert any(line.startswith("one.onnx") for line in lines)
        assert not any("notes" in line for line in lines)
        assert plain(choices.body(choices.cursor, 70)).startswith("one.onnx"), "the first model is at hand"
        await pilot.press("enter")
        await settle(pilot)
        assert len(pilot.app.snapshot.layers) == 32


async def test_leaving_the_picker_leaves_the_program_usable(explore: Any, settle: Any) -> None:
    async with explore(None) as pilot:
        await pilot.press("escape")
        await pilot.press("n", "s", "u", "v", "e", "w", "c", "slash", "escape", "question_mark", "escape")
        await settle(pilot)
        await pilot.press("o")
        assert isinstance(pilot.app.screen, OpenScreen)
        await pilot.press("escape", "q")
        assert pilot.app.return_code == 0


async def test_a_bad_file_leaves_the_open_model(
    tmp_path: Path, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        session = pilot.app.session
        await pilot.press("o")
        pilot.app.screen.query_one(Entry).input.value = str(bad_file("text", tmp_path))
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(pilot.app.screen, OpenScreen)
        await pilot.press("escape")
        assert pilot.app.session is session
        assert len(pilot.app.snapshot.layers) == 32


def test_entries_of_what_cannot_be_read() -> None:
    assert entries("/nowhere/at/all/") == []
    assert entries("\0") == []


async def test_a_fault_of_ours_is_said_too(
    denoiser: Path, explore: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("Gemm_28")

    monkeypatch.setattr("npuscope.tui.controllers.opener.analyse", broken)
    async with explore(denoiser) as pilot:
        reason = pilot.app.screen.query_one("#reason", Page)
        text = " ".join(plain(reason.body(i, 200)) for i in range(reason.count))
        assert "please report" in text
