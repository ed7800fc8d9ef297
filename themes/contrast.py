"""For projectors and tired eyes: pure black, nothing dim."""

from __future__ import annotations

from textual.theme import Theme

from npuscope.themes.variables import variables

CONTRAST = Theme(
    name="npuscope-contrast",
    dark=True,
    primary="#6cc7ff",
    secondary="#b0c4d4",
    accent="#6cc7ff",
    warning="#ffd24a",
    error="#ff8080",
    success="#8fe0b0",
    foreground="#ffffff",
    background="#000000",
    surface="#101010",
    panel="#181818",
    variables=variables(
        hw="#9fdcb8",
        hybrid="#ffd24a",
        sw="#ff8080",
        attention="#ffd24a",
        changed="#6cc7ff",
        quiet="#c4c4c4",
        faint="#8a8a8a",
        rule="#7a7a7a",
        cursor="#003a78",
        cursor_text="#ffffff",
        cursor_style="bold",
    ),
)
