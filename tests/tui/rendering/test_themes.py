"""Every role has a look in every theme, ours or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from textual.command import CommandList
from textual.theme import BUILTIN_THEMES, Theme

from npuscope.themes import THEMES
from npuscope.themes.variables import for_other
from npuscope.widgets.text.role_styles import LOOKS, style_of

ALL = {theme.name: theme for theme in (*THEMES, *BUILTIN_THEMES.values())}


@pytest.mark.parametrize("name", ALL)
def test_each_role_has_a_color_of_its_theme(name: str) -> None:
    theme: Theme = ALL[name]
    variables = {**for_other(theme), **theme.to_color_system().generate(), **theme.variables}
    for role in LOOKS:
        style = style_of(role, variables)
        assert style.color is not None
        assert (style.bgcolor is not None) == (role == "cursor")


def test_secondary_text_of_another_theme_is_weaker_than_its_text() -> None:
    variables = for_other(BUILTIN_THEMES["nord"])
    assert variables["quiet"] not in (BUILTIN_THEMES["nord"].foreground, variables["faint"])


@pytest.mark.parametrize("theme", [theme for theme in THEMES if not theme.ansi], ids=lambda theme: theme.name)
def test_what_is_to_be_read_stands_out_from_what_is_behind_it(theme: Theme) -> None:
    """By the ratios of WCAG: 4.5 for text, 3 for what cannot be done now and for a selected row's second words."""
    variables = {**theme.to_color_system().generate(), **theme.variables}
    for role in ("foreground", "hw", "hybrid", "sw", "attention", "changed", "quiet", "faint"):
        least = 3.0 if role == "faint" else 4.5
        for behind in ("background", "surface"):
            assert contrast(variables[role], variables[behind]) >= least, (role, behind)
        if role != "faint":
            assert contrast(variables[role], variables["cursor"]) >= 3.0, role


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours, 1 to 21."""
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in Color.parse(color).normalized
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_role_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        style_of("loud", for_other(BUILTIN_THEMES["nord"]))


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_the_palette_has_the_colors_of_the_theme(
    theme: str, denoiser: Path, explore: Any, settle: Any
) -> None:
    async with explore(denoiser, (80, 24)) as pilot:
        pilot.app.theme = theme
        await pilot.press("ctrl+p")
        await settle(pilot)
        variables = pilot.app.theme_variables
        found = pilot.app.screen.query_one(CommandList)
        chosen = found.get_component_styles("option-list--option-highlighted")
        assert chosen.background == Color.parse(variables["cursor"])
        assert pilot.app.screen.query_one("#--container").styles.background == Color.parse(
            variables["surface"]
        )
