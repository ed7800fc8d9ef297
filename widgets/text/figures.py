"""Numbers as text: thousands apart, at most three significant places where rounded."""

from __future__ import annotations

import math
import re

from npuscope.npu.figures import size_words, thousands
from npuscope.npu.times import change_sign, in_ms, signed, table_change, table_ms

THIN = "\N{NO-BREAK SPACE}"
"""Between thousands, and between a number and its prefix. Kept together by `spans.wrap`."""

THOUSANDS = re.compile(r"(?<=\d) (?=\d{3}\b)")
"""The blank between thousands, in text made elsewhere."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def grouped(value: int) -> str:
    """The exact figure: 263 168."""
    return thousands(value).replace(" ", THIN)


def three(value: float) -> str:
    """Three significant places, without an exponent where the number can be read without: 0.0245, 9.3, 263."""
    if not math.isfinite(value):
        return "inf" if value > 0 else "-inf" if value < 0 else "nan"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 999.5:
        return grouped(round(value)) if size < 1e6 else f"{value:.2e}"
    if size < 1e-4:
        return f"{value:.1e}"
    places = max(0, 2 - math.floor(math.log10(size)))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def column(value: float) -> str:
    """Three significant places with their zeros, for figures that stand below one another: 0.0520."""
    if value == 0 or not 1e-5 <= abs(value) < 999.5:
        return three(value)
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def short(value: float) -> str:
    """With a prefix: 264 k, 1.92 M. Below a thousand as it is."""
    for factor, prefix in _PREFIXES:
        if abs(value) >= factor * 0.9995:
            scaled = value / factor
            return f"{_padded(scaled)}{THIN}{prefix}"
    return three(value)


def milliseconds(value: float) -> str:
    """A time in words: 1.92 ms, 0.0844 ms, 1 200 ms. One unit, so that times can be compared at sight."""
    return f"{in_ms(value).replace(' ', THIN)}{THIN}ms"


def before_after(before: float, after: float) -> tuple[str, str]:
    """Two times of one thing, with as many places as it takes to see by how much they differ: 32.95 ms and 32.92 ms.

    Rounded alone, 23.250 and 23.243 would be 23.3 and 23.2: over ten times the change.
    """
    shown = milliseconds(before), milliseconds(after)
    change = abs(after - before)
    stated = abs(_number(shown[0]) - _number(shown[1]))
    if change_sign(change) and abs(stated - change) > change / 2:
        for places in (1, 2, 3, 4):
            shown = f"{before:.{places}f}{THIN}ms", f"{after:.{places}f}{THIN}ms"
            if abs(abs(_number(shown[0]) - _number(shown[1])) - change) <= change / 2:
                break
    return shown


def _number(time: str) -> float:
    """The number that a time in words states."""
    return float(time.removesuffix("ms").replace(THIN, ""))


def became(before: float, after: float) -> str:
    """'4.09 → 3.72 ms'; one figure where they are the same."""
    was, now = before_after(before, after)
    return f"{was.removesuffix(f'{THIN}ms')} → {now}" if was != now else now


def time_cell(value: float, places: int = 3) -> str:
    """A time in a column: the same places in every row, 12.345 ms above 0.084 ms; what is less than one of the last says so."""
    return f"{table_ms(value, places).replace(' ', THIN)}{THIN}ms"


def time_change(change: float) -> str:
    """What a change does to a time, in a column: -0.373 ms, +0.012 ms, '·' for nothing."""
    return f"{table_change(change).replace(' ', THIN)}{THIN}ms" if change_sign(change) else "·"


def added(change: float) -> str:
    """A change in a column of those that add up: -0.373 ms, '·' for what rounds to nothing."""
    text = signed(change)
    return f"{text}{THIN}ms" if text != "0" else "·"


def decibels(value: float | None) -> str:
    """A ratio of signal to difference: 33.5 dB; 'exact' where nothing differs."""
    return "exact" if value is None else f"{value:.1f}{THIN}dB"


def steps(value: float) -> str:
    """A difference in steps of a scale."""
    return f"1{THIN}step" if value == 1 else f"{three(value)}{THIN}steps"


def bytes_(value: int) -> str:
    """A size with its unit, powers of 1024: 256 KiB."""
    return size_words(value).replace(" ", THIN)


def percent(share: float) -> str:
    """A share of 1 in whole percent; '<1' where it is there but rounds to nothing."""
    value = share * 100
    if value <= 0:
        return "0"
    return "<1" if value < 0.5 else f"{value:.0f}"


def ratio(value: float) -> str:
    """MAC/cycle and the like: '·' for none."""
    return three(value) if value else "·"


def _padded(value: float) -> str:
    """Three significant places, zeros kept, so that figures of one size have one width: 1.90, 12.0, 264."""
    size = abs(value)
    return f"{value:.2f}" if size < 9.995 else f"{value:.1f}" if size < 99.95 else f"{value:.0f}"
