"""The picker by keyboard: models opened last, and files below the folder by some of their letters."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from npuscope.files.recent import recent, remember
from npuscope.tui.screens.open.folder import entries
from npuscope.tui.screens.open.screen import OpenScreen
from npuscope.widgets.bars.entry import Entry
from npuscope.widgets.lists.choices import Choices
from npuscope.widgets.text.spans import plain


def listed(app: Any) -> list[str]:
    choices = app.screen.query_one(Choices)
    return [plain(choices.body(i, 76)) for i in range(choices.count)]


async def test_recent_models_and_letters(
    tmp_path: Path, denoiser: Path, make_chain: Any, explore: Any, settle: Any
) -> None:
    deep = tmp_path / "zoo" / "int8"
    deep.mkdir(parents=True)
    away = tmp_path / "away"
    away.mkdir()
    other = Path(shutil.move(make_chain(["a", "b"], file="other[red].onnx"), away))
    hidden = Path(shutil.copy(denoiser, deep / "wanted_model.onnx"))
    remember(tmp_path / "gone.onnx")
    remember(other)
    async with explore(denoiser, (80, 24)) as pilot:
        app = pilot.app
        assert recent() == [denoiser, other]
        await pilot.press("o")
        await settle(pilot)
        rows = listed(app)
        assert rows[0].startswith("other[red].onnx") and "recent, ~/away" in rows[0]
        assert not any("recent" in row for row in rows[1:]), "not the open one, none that is gone"
        assert app.screen.query_one(Choices).cursor == 0
        await pilot.press("enter")
        for _ in range(2):
            await settle(pilot)
        assert app.session.source.path == other and recent()[0] == other

        await pilot.press("o")
        await settle(pilot)
        app.screen.query_one(Entry).input.value = f"{tmp_path}/"
        await pilot.press(*"wtdmod")
        await settle(pilot)
        assert [row.split()[0] for row in listed(app)] == ["wanted_model.onnx"]
        assert "model in zoo/int8" in listed(app)[0]
        await pilot.press(*"qq")
        await settle(pilot)
        assert listed(app) == ["no folder, model or artefact of that name"]
        await pilot.press("backspace", "backspace", "enter")  # not listed yet: Enter waits for it
        for _ in range(3):
            await settle(pilot)
        assert app.session.source.path == hidden and recent()[0] == hidden
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(app.screen, OpenScreen)
        app.screen.query_one(Entry).input.value = f"{tmp_path}/no/such/int8/wan"
        await settle(pilot)
        assert listed(app) == ["no folder, model or artefact of that name"]
        app.screen.query_one(Entry).input.value = f"{tmp_path}/oth"
        await settle(pilot)
        assert "recent, ~/away" in listed(app)[0], "by its letters too"
        assert sum("other" in row for row in listed(app)) == 1, "once, though it lies below"


def test_only_a_toml_file_that_is_a_recipe_is_called_one(tmp_path: Path) -> None:
    for name, text in (
        ("fix.toml", '# Edits\nschema = "npuscope.recipe/1"\n'),
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("later.TOML", "\n" * 5000 + 'schema = "npuscope.recipe/1"\n'),
        ("empty.toml", ""),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "dangling.toml").symlink_to(tmp_path / "gone")
    assert [(entry.name, entry.kind) for entry in entries(f"{tmp_path}/") if not entry.folder] == [
        ("fix.toml", "recipe")
    ]


async def test_a_slash_behind_a_folder_stands_there_once(denoiser: Path, explore: Any, settle: Any) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("o")
        await settle(pilot)
        field = pilot.app.screen.query_one(Entry).input
        assert field.value == f"{denoiser.parent}/"
        await pilot.press("/")
        await settle(pilot)
        assert field.value == f"{denoiser.parent}/"
        assert field.cursor_position == len(field.value)
        await pilot.press("home", "right", "/")
        await settle(pilot)
        assert field.value == f"{denoiser.parent}/" and field.cursor_position == 1
        assert listed(pilot.app)


async def test_folders_say_how_many_models_they_hold(
    tmp_path: Path, denoiser: Path, explore: Any, settle: Any
) -> None:
    for place in ("zoo/int8/a.onnx", "zoo/b.tflite", "zoo/c.txt", "notes/readme.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    async with explore(denoiser, (80, 24)) as pilot:
        await pilot.press("o")
        await settle(pilot)
        rows = {row.split()[0]: row.split()[1:] for row in listed(pilot.app)}
        assert rows["zoo/"] == ["2", "models"]
        assert rows["notes/"] == []
        pilot.app.screen.query_one(Entry).input.value = f"{tmp_path}/zoo/"
        await settle(pilot)
        rows = {row.split()[0]: row.split()[1:] for row in listed(pilot.app)}
        assert rows["int8/"] == ["1", "model"]
