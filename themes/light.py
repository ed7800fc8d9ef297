"""For bright rooms and light terminals."""

from __future__ import annotations

from textual.theme import Theme

from npuscope.themes.variables import variables

LIGHT = Theme(
    name="npuscope-light",
    dark=False,
    primary="#1f5fae",
    secondary="#5b7086",
    accent="#1f5fae",
    warning="#8f5a00",
    error="#c02030",
    success="#3f6b57",
    foreground="#23282f",
    background="#fbfbfa",
    surface="#f1f2f3",
    panel="#e8eaec",
    variables=variables(
        hw="#4f7263",
        hybrid="#8f5a00",
        sw="#c02030",
        attention="#8f5a00",
        changed="#1f5fae",
        quiet="#5e6772",
        faint="#838b94",
        rule="#cfd4da",
        cursor="#d6e5f8",
        cursor_text="#101418",
    ),
)
