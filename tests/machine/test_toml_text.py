"""TOML that would take minutes or gigabytes is refused in a line, wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from npuscope.files import recipe, settings
from npuscope.machine.board import board
from npuscope.machine.toml_text import MOST_KEY_PARTS, loads
from npuscope.model.errors import ModelError

BAD = {
    "a key of 20,000 parts": ".".join(["a"] * 20_000) + " = 1",
    "a table of 20,000 parts": f"[{'.'.join(['a'] * 20_000)}]\nx = 1",
    "100,000 brackets": "a = " + "[" * 100_000,
    "100,000 tables in each other": "a = " + "{b = " * 100_000,
    "10,000 digits": "a = " + "9" * 10_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_refused_as_a_board_and_a_recipe_and_left_out_of_settings(text: str, tmp_path: Path) -> None:
    file = tmp_path / "npuscope" / "settings.toml"
    file.parent.mkdir()
    file.write_text(text[:60_000])
    for read in (lambda: board(str(file)), lambda: recipe.parse(text)):
        with pytest.raises(ModelError) as caught:
            read()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert settings.read({"XDG_CONFIG_HOME": str(tmp_path)}).complaint


def test_long_lists_of_numbers_are_no_keys() -> None:
    numbers = [0.5] * (3 * MOST_KEY_PARTS)
    assert loads(f"a = {numbers}") == {"a": numbers}


def test_a_board_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(ModelError, match="is a directory; name a description of a board"):
        board(str(tmp_path / "x.toml"))
