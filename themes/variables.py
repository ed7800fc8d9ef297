"""The colours that mean something here, by the names the style sheets use."""

from __future__ import annotations

from textual.color import Color
from textual.theme import Theme


def variables(
    *,
    hw: str,
    hybrid: str,
    sw: str,
    attention: str,
    changed: str,
    quiet: str,
    faint: str,
    rule: str,
    cursor: str,
    cursor_text: str,
    quiet_style: str = "none",
    cursor_style: str = "none",
) -> dict[str, str]:
    """A theme's variables.

    1. `hw`, `hybrid`, `sw`: where a layer runs. `hw` stays close to `quiet`: what is right asks for no attention.
    2. `attention` is a warning, `changed` what the last edit touched, `match` what a search found.
    3. `quiet` is secondary text, `faint` what cannot be done now, `rule` lines between panes, `cursor` the selected row.
    """
    return {
        "hw": hw,
        "hybrid": hybrid,
        "sw": sw,
        "attention": attention,
        "changed": changed,
        "quiet": quiet,
        "faint": faint,
        "quiet-style": quiet_style,
        "rule": rule,
        "cursor": cursor,
        "cursor-text": cursor_text,
        "cursor-style": cursor_style,
        "border": changed,
        "border-blurred": rule,
        "scrollbar": rule,
        "scrollbar-hover": quiet,
        "scrollbar-active": changed,
        "scrollbar-background": cursor if quiet_style == "dim" else "transparent",
        "scrollbar-background-hover": "transparent",
        "scrollbar-background-active": "transparent",
        "block-cursor-background": cursor,
        "block-cursor-foreground": cursor_text,
        "block-cursor-text-style": cursor_style,
        "block-cursor-blurred-background": cursor,  # the command palette's: its keys go to the line above
        "block-cursor-blurred-foreground": cursor_text,
        "block-cursor-blurred-text-style": cursor_style,
    }


def for_other(theme: Theme) -> dict[str, str]:
    """Our variables for a theme that does not know them."""
    foreground = theme.foreground or ("#e0e0e0" if theme.dark else "#1f1f1f")
    background = theme.background or ("#121212" if theme.dark else "#f0f0f0")

    def mixed(color: str, share: float) -> str:
        return Color.parse(background).blend(Color.parse(color), share).hex6

    return variables(
        hw=theme.success or theme.primary,
        hybrid=theme.warning or theme.primary,
        sw=theme.error or theme.primary,
        attention=theme.warning or theme.primary,
        changed=theme.accent or theme.primary,
        quiet="ansi_default" if theme.ansi else mixed(foreground, 0.65),
        faint="ansi_default" if theme.ansi else mixed(foreground, 0.35),
        rule="ansi_blue" if theme.ansi else mixed(foreground, 0.25),
        cursor="ansi_blue" if theme.ansi else mixed(theme.primary, 0.35),
        cursor_text="ansi_bright_white" if theme.ansi else foreground,
        quiet_style="dim" if theme.ansi else "none",
        cursor_style="bold" if theme.ansi else "none",
    )
