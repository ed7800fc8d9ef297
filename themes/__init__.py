"""The colour themes."""

from __future__ import annotations

from npuscope.themes.contrast import CONTRAST
from npuscope.themes.dark import DARK
from npuscope.themes.light import LIGHT
from npuscope.themes.sixteen import SIXTEEN

THEMES = (DARK, LIGHT, CONTRAST, SIXTEEN)
"""In the order the theme key walks through them."""
