"""For terminals with 16 colours: the terminal's own palette and its own background.

Quiet text is the default colour with the dim attribute: bright black, the usual grey, is invisible in some palettes.
"""

from __future__ import annotations

from textual.theme import Theme

from npuscope.themes.variables import variables

SIXTEEN = Theme(
    name="npuscope-16",
    ansi=True,
    dark=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        **variables(
            hw="ansi_default",
            hybrid="ansi_yellow",
            sw="ansi_red",
            attention="ansi_yellow",
            changed="ansi_cyan",
            quiet="ansi_default",
            faint="ansi_default",
            rule="ansi_blue",
            cursor="ansi_blue",
            cursor_text="ansi_bright_white",
            quiet_style="dim",
            cursor_style="bold",
        ),
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "scrollbar-background": "ansi_default",
        "scrollbar-background-hover": "ansi_default",
        "scrollbar-background-active": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_blue",
        "input-selection-foreground": "ansi_bright_white",
    },
)
