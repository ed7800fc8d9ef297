"""The default: calm, dark, one blue accent."""

from __future__ import annotations

from textual.theme import Theme

from npuscope.themes.variables import variables

DARK = Theme(
    name="npuscope-dark",
    dark=True,
    primary="#7aa2d6",
    secondary="#5f7f9f",
    accent="#7aa2d6",
    warning="#e2b45c",
    error="#ff6f6f",
    success="#7fae96",
    foreground="#ccd3dc",
    background="#14171c",
    surface="#1b1f26",
    panel="#20252d",
    variables=variables(
        hw="#7b9a8d",
        hybrid="#e2b45c",
        sw="#ff6f6f",
        attention="#e2b45c",
        changed="#86b4f0",
        quiet="#848f9d",
        faint="#66717f",
        rule="#343b46",
        cursor="#26364b",
        cursor_text="#eef2f7",
    ),
)
