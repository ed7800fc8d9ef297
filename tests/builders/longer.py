"""How much is tried of what repeats itself: a stated sample by `make test`, all of it by `pytest --hypothesis-profile long`."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import settings

T = TypeVar("T")

LONG = settings.get_current_profile_name() == "long"


def suite_or_long(in_suite: T, at_length: T) -> T:
    """What this run takes."""
    return at_length if LONG else in_suite


SIZES = suite_or_long([(80, 24)], [(80, 24), (120, 40)])
"""Of the terminal, where keys do the same at any; the sizes that a layout has to fit are all tried."""
