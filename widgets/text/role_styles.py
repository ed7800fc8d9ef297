"""What each role of text looks like in a theme."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from rich.style import Style
from textual.color import Color


class Look(NamedTuple):
    """A role by the theme's variables; `words` are Rich's, or the name of a variable that holds them."""

    color: str
    words: str = ""
    background: str = ""


LOOKS: dict[str, Look] = {
    "text": Look("foreground"),
    "quiet": Look("quiet", "quiet-style"),
    "strong": Look("foreground", "bold"),
    "title": Look("quiet", "bold"),
    "accent": Look("changed"),
    "accent-strong": Look("changed", "bold"),
    "hw": Look("hw"),
    "hybrid": Look("hybrid"),
    "sw": Look("sw"),
    "sw-strong": Look("sw", "bold"),
    "attention": Look("attention"),
    "changed": Look("changed"),
    "match": Look("attention", "bold underline"),
    "rule": Look("rule"),
    "faint": Look("faint", "quiet-style"),
    "cursor": Look("cursor-text", "cursor-style", "cursor"),
}
"""A name for what text means, and how that is shown."""


def style_of(role: str, variables: Mapping[str, str]) -> Style:
    """The style of a role alone under a theme's variables. Raises KeyError for a role that is not in `LOOKS`.

    Component classes would say the same in a style sheet; there each role is resolved again for each widget, which took
    a tenth of the time to the first paint.
    """
    look = LOOKS[role]
    words = variables.get(look.words, look.words)
    return _style(variables[look.color], variables[look.background] if look.background else "", words)


@cache
def _style(color: str, background: str, words: str) -> Style:
    style = Style(
        color=Color.parse(color).rich_color,
        bgcolor=Color.parse(background).rich_color if background else None,
    )
    return style + Style.parse(words or "none")
