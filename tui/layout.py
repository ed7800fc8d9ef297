"""Which of the four layouts a terminal of some size gets."""

from __future__ import annotations

from enum import Enum


class Layout(Enum):
    """The value is the style class of the screen."""

    TINY = "-tiny"
    """The tree alone and the verdict in one line."""
    STACKED = "-stacked"
    """Tree at the left; at the right the panes one at a time."""
    NORMAL = "-normal"
    """All panes in view."""
    WIDE = "-wide"
    """All panes, with room for more columns in the tree."""


STACKED = (Layout.TINY, Layout.STACKED)
"""The layouts that show one pane at a time."""


def layout_for(width: int, height: int) -> Layout:
    """The layout for a terminal of some size."""
    if height < 24 or width < 72:
        return Layout.TINY
    if width < 104:
        return Layout.STACKED
    return Layout.NORMAL if width < 160 else Layout.WIDE
