"""The journal of a session, and recipes."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.files import journal
from npuscope.files.recipe import load as load_recipe
from npuscope.files.recipe import save
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.tui.app import Npuscope
from npuscope.tui.screens.export.screen import ExportScreen
from npuscope.tui.screens.restore.screen import RestoreScreen, when
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.panes.page import Page
from npuscope.widgets.text.spans import plain

EDITS = (SplitOutput("Gemm_30", (512, 512)), SplitOutput("Gemm_53", (512, 512)))


async def edit(pilot: Any, settle: Any) -> None:
    for one in EDITS:
        pilot.app.make(one)
        await settle(pilot)


def kept(denoiser: Path) -> Any:
    return journal.pending(load(denoiser))


async def test_edits_survive_and_are_offered_again(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        assert kept(denoiser).edits == EDITS
        assert not list(denoiser.parent.glob("*.toml")), "never beside the model"
    async with explore(denoiser) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RestoreScreen)
        title, about = screen.heading()
        assert plain(title) == "2 unsaved edits"
        assert plain(about).startswith(f"of {denoiser.name}, from ")
        page = screen.query_one(Page)
        assert any("Gemm_30" in plain(page.body(i, 60)) for i in range(page.count))
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.done == EDITS
        assert pilot.app.session.unexported
        await pilot.press("u")
        await settle(pilot)
        assert kept(denoiser).edits == EDITS[:1]
        await pilot.press("u")
        await settle(pilot)
        assert kept(denoiser) is None, "nothing is left to lose"


async def test_not_now_keeps_them_and_discard_does_not(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
    for key in ("escape", "d"):
        async with explore(denoiser) as pilot:
            assert isinstance(pilot.app.screen, RestoreScreen)
            await pilot.press(key)
            await settle(pilot)
            assert pilot.app.session.done == ()
    async with explore(denoiser) as pilot:
        assert not isinstance(pilot.app.screen, RestoreScreen)


async def test_what_is_exported_or_given_up_is_not_offered(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        await pilot.press("e")
        pilot.app.screen.query_one(Entry).input.value = str(tmp_path / "out.onnx")
        await pilot.press("enter")
        await settle(pilot)
        assert kept(denoiser) is None
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        assert kept(denoiser) is not None
        await pilot.press("q", "q")
        await settle(pilot)
    assert kept(denoiser) is None


async def test_another_file_under_that_name_has_no_journal(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
    data = denoiser.read_bytes()
    (denoiser.parent / "convnet.onnx").write_bytes(data)
    model = load(denoiser).proto
    model.producer_name = "another"
    denoiser.write_bytes(model.SerializeToString())
    async with explore(denoiser) as pilot:
        assert not isinstance(pilot.app.screen, RestoreScreen)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_stops_nothing(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "locked"
    state.mkdir(mode=0o500)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        assert pilot.app.session.done == EDITS


async def test_a_recipe_beside_the_model_and_alone(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    (tmp_path / "out.toml").write_text("mine")
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        for name in ("out.onnx", "alone.toml"):
            await pilot.press("e")
            screen = pilot.app.screen
            assert isinstance(screen, ExportScreen)
            screen.query_one(Entry).input.value = str(tmp_path / name)
            if name == "out.onnx":
                await pilot.press("ctrl+t")
            await pilot.press("enter")
            await settle(pilot)
            page = screen.query_one(Page)
            assert ".toml" in "\n".join(plain(page.body(i, 80)) for i in range(page.count))
            await pilot.press("enter")
    assert (tmp_path / "out.toml").read_text() == "mine"
    for name in ("out2.toml", "alone.toml"):
        assert load_recipe(tmp_path / name).edits == EDITS


async def test_a_report_beside_the_model_and_in_the_clipboard(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    (tmp_path / "out.md").write_text("mine")
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        await pilot.press("v")
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, ExportScreen)
        for ending in (".md", ".html", ""):
            await pilot.press("ctrl+o")
            assert screen.report == ending
        await pilot.press("ctrl+o")
        screen.query_one(Entry).input.value = str(tmp_path / "out.onnx")
        await pilot.press("enter")
        await settle(pilot)
        page = screen.query_one(Page)
        assert "out2.md" in "\n".join(plain(page.body(i, 80)) for i in range(page.count))
        await pilot.press("c")
        await settle(pilot)
        copied = pilot.app.clipboard
        assert isinstance(pilot.app.screen, ExportScreen)
    assert (tmp_path / "out.md").read_text() == "mine"
    report = (tmp_path / "out2.md").read_text("utf-8")
    assert report.startswith(copied.rstrip()) and "| Gemm_30 |" in report
    assert "2 edits to denoiser_lstm_int8.onnx." in copied and "Bit-exact over 8 samples." in copied


async def test_a_recipe_alone_is_no_export(denoiser: Path, tmp_path: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser) as pilot:
        await edit(pilot, settle)
        await pilot.press("e")
        pilot.app.screen.query_one(Entry).input.value = str(tmp_path / "alone.toml")
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.unexported


def recipe_of(denoiser: Path, path: Path) -> Path:
    session = Session.open(load(denoiser), target("2.1"))
    for one in EDITS:
        changed = session.edit(one)
        assert isinstance(changed, Session)
        session = changed
    save(session, path)
    return path


async def test_a_recipe_given_at_the_start_or_opened(
    denoiser: Path, tmp_path: Path, explore: Any, settle: Any
) -> None:
    path = recipe_of(denoiser, tmp_path / "mine.toml")
    app = Npuscope(str(denoiser), target("2.1", "overdrive"))
    app.recipe = str(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert app.session is not None
        assert app.session.done == EDITS
        app.journal.drop()
    async with explore(denoiser) as pilot:
        await pilot.press("o")
        pilot.app.screen.query_one(Entry).input.value = str(path)
        await pilot.press("enter")
        await settle(pilot)
        assert pilot.app.session.done == EDITS


async def test_a_recipe_of_another_model_is_refused(
    denoiser: Path, tmp_path: Path, make_chain: Any, explore: Any, settle: Any
) -> None:
    path = recipe_of(denoiser, tmp_path / "mine.toml")
    for recipe, texts in ((path, "made for"), (tmp_path / "none.toml", "no such file")):
        async with explore(make_chain(["relu"])) as pilot:
            pilot.app.recipes.use(str(recipe), pilot.app.session)
            await settle(pilot)
            assert pilot.app.session.done == ()
            assert any(texts in notification.message for notification in pilot.app._notifications)


def test_when() -> None:
    now = datetime(2026, 3, 4, 13, 5)
    assert when(datetime(2026, 3, 4, 12, 40), now) == "12:40"
    assert when(datetime(2026, 3, 3, 12, 40), now) == "2026-03-03 12:40"
