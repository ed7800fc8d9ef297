"""Times as text: a time, what a change does to it, and from where on it is a change. Without a unit they are milliseconds.

A sign is that of the change: -0.370 is faster, +0.120 slower. In words a saving is positive: 'saves 0.370 ms'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import fsum

from npuscope.npu.figures import thousands

SAME = 5e-4
"""Milliseconds that are no change: half a microsecond, half of the last place that tables show."""

LEAST_GAIN = 1e-4
"""Part of the model's time below which a saving is none: far less than an estimate is good for."""


def in_ms(milliseconds: float) -> str:
    """Three places with their zeros, and never an exponent: 4.10, 0.0844, 1 200. In a sentence; columns have `table_ms`."""
    if milliseconds >= 999.5:
        return thousands(round(milliseconds))
    if abs(milliseconds) < 1e-3:
        return f"{milliseconds:.6f}".rstrip("0").rstrip(".")
    return f"{milliseconds:#.3g}".rstrip(".")


def table_ms(milliseconds: float, places: int = 3) -> str:
    """The same places in every row, 12.345 above 0.084; what is less than half of the last one says so: <0.001."""
    if 0 < milliseconds < 0.5 * 10.0**-places:
        return f"<{10.0**-places:.{places}f}"
    if milliseconds >= 999.5:
        return thousands(round(milliseconds))
    return f"{milliseconds:.{places if milliseconds < 99.9995 else 1}f}" if milliseconds else "0"


def table_change(change: float) -> str:
    """What a change does to a time, in a column: -0.367, +0.012; 0 for what is no change."""
    sign = change_sign(change)
    return f"{sign}{table_ms(abs(change))}" if sign else "0"


def shown_sum(before: float, *parts: float) -> tuple[tuple[str, ...], str, str, float]:
    """(parts, their sum, a time before, before less the sum) as text that a reader can add up, the last as a number.

    All have the same places: two, or three where the rounded parts do not add up to the rounded sum else or one of them is
    small; where they never do, `add_up` says which part gives way. Only microseconds have four.
    """
    least = min((abs(time) for time in (*parts, before) if time), default=1.0)
    first = min(max(2, 1 - math.floor(math.log10(least))), 4)
    total, places = fsum(parts), first
    for places in range(first, max(first, 3) + 1):
        after, was = round(total, places), round(before, places)
        adds_up = round(fsum(round(part, places) for part in parts), places) == after
        if adds_up and round(was - after, places) == round(before - total, places):
            break
    return (
        tuple(_places(part, places) for part in add_up(parts, places)),
        _places(after, places),
        _places(was, places),
        round(was - after, places),
    )


def _places(milliseconds: float, places: int) -> str:
    return f"{milliseconds:.{places}f}"


def add_up(parts: Sequence[float], places: int = 3) -> tuple[float, ...]:
    """Parts rounded so that they add up, as they are written, to their rounded sum.

    Where rounding each alone does not, those nearest to the middle between two figures go to the other one of them.
    """
    unit = 10.0**-places
    rounded = [round(part, places) for part in parts]
    over = round((fsum(rounded) - round(fsum(parts), places)) / unit)
    side = 1 if over > 0 else -1
    by_excess = sorted(range(len(parts)), key=lambda at: side * (rounded[at] - parts[at]), reverse=True)
    for at in by_excess[: abs(over)]:
        rounded[at] = round(rounded[at] - side * unit, places)
    return tuple(rounded)


def signed(change: float) -> str:
    """-0.367, +0.010; 0 for what rounds to nothing."""
    text = f"{change:+.3f}"
    return text if float(text) else "0"


def change_sign(change: float) -> str:
    """'-' where it is faster, '+' where it is slower, '' where nobody could tell."""
    return "" if abs(change) < SAME else "-" if change < 0 else "+"


def change_in_ms(change: float) -> str:
    """-0.370, +0.120; 0 for what is no change."""
    sign = change_sign(change)
    return f"{sign}{in_ms(abs(change))}" if sign else "0"


def saving_words(saved: float, places: int | None = None) -> str:
    """'saves 0.370 ms', 'costs 0.120 ms', 'saves nothing'; with as many places as the times that it is between."""
    if not change_sign(saved):
        return "saves nothing"
    size = in_ms(abs(saved)) if places is None else f"{abs(saved):.{places}f}"
    return f"{'saves' if saved > 0 else 'costs'} {size} ms"


def is_gain(saved: float, milliseconds: float) -> bool:
    """Whether a saving counts in a model of some milliseconds."""
    return saved > max(SAME, LEAST_GAIN * milliseconds)
