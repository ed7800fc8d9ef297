"""Times as text: never an exponent, never a zero for what is there, one sign for a change wherever it is shown."""

from __future__ import annotations

from decimal import Decimal
from math import fsum

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npuscope.npu.times import (
    SAME,
    add_up,
    change_in_ms,
    change_sign,
    in_ms,
    is_gain,
    saving_words,
    shown_sum,
    signed,
    table_ms,
)
from npuscope.widgets.text.figures import THIN, time_cell, time_change

TIMES = st.floats(1e-7, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "words", "cell"),
    [
        (0.0, "0", "0"),
        (3.56e-5, "0.000036", "<0.001"),
        (0.00777, "0.00777", "0.008"),
        (0.367, "0.367", "0.367"),
        (4.0997, "4.10", "4.100"),
        (27.497, "27.5", "27.497"),
        (1234.5, "1 234", "1 234"),
    ],
)
def test_a_time_in_words_and_in_a_column(value: float, words: str, cell: str) -> None:
    assert in_ms(value) == words
    assert table_ms(value) == cell
    assert time_cell(value) == f"{cell} ms".replace(" ", THIN)


@pytest.mark.parametrize(
    ("change", "report", "screen", "saving"),
    [
        (-0.3671, "-0.367", "-0.367 ms", "saves 0.367 ms"),
        (0.12, "+0.120", "+0.120 ms", "costs 0.120 ms"),
        (3.56e-5, "0", "·", "saves nothing"),
        (-0.0004, "0", "·", "saves nothing"),
    ],
)
def test_a_change_has_one_sign(change: float, report: str, screen: str, saving: str) -> None:
    assert change_in_ms(change) == report
    assert time_change(change).replace(THIN, " ") == screen
    assert saving_words(-change) == saving


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ((-0.3666304, -0.05875224, -0.01007587, -0.04953531), ("-0.367", "-0.059", "-0.010", "-0.049")),
        ((-0.25, 0.012), ("-0.250", "+0.012")),
        ((-1.0, 2e-9), ("-1.000", "0")),
        ((), ()),
        ((-0.10000449,) * 150, ("-0.101",) + ("-0.100",) * 149),
        ((0.0004, 0.0004, 0.0004), ("+0.001", "0", "0")),
    ],
)
def test_changes_that_add_up_do_so_as_they_are_written(
    changes: tuple[float, ...], written: tuple[str, ...]
) -> None:
    assert tuple(signed(change) for change in add_up(changes)) == written


@given(st.lists(st.floats(-50, 50), max_size=30), st.integers(2, 4))
def test_rounded_parts_add_up_to_the_rounded_sum(parts: list[float], places: int) -> None:
    rounded = add_up(parts, places)
    written = sum((Decimal(f"{part:.{places}f}") for part in rounded), Decimal(0))
    assert written == Decimal(f"{round(fsum(parts), places):.{places}f}")
    assert all(abs(one - part) < 1.01 * 10.0**-places for one, part in zip(rounded, parts, strict=True))


@given(TIMES)
def test_no_time_that_is_there_reads_as_zero(value: float) -> None:
    assert in_ms(value).strip("0.") or value < 5e-7
    assert "e" not in in_ms(value)
    for places in (3, 4):
        assert table_ms(value, places).startswith("<") or table_ms(value, places).strip("0.")


@given(TIMES, TIMES, TIMES)
@example(23.39, 17.822, 5.144)
def test_a_sum_adds_up_as_it_is_written(before: float, head: float, tail: float) -> None:
    parts, after, was, saved = shown_sum(before, head, tail)
    written = [Decimal(text) for text in (*parts, after, was)]
    assert len({len(text.partition(".")[2]) for text in (*parts, after, was)}) == 1
    assert written[0] + written[1] == written[2]
    assert float(written[3] - written[2]) == pytest.approx(saved, abs=1e-9)
    last = 10.0 ** -len(after.partition(".")[2])
    for value, text in zip((head, tail, head + tail, before), (*parts, after, was), strict=True):
        assert abs(float(text) - value) <= 1.01 * last


def test_parts_that_never_add_up_give_way_to_their_sum() -> None:
    """0.0916, 0.0587, 0.0386 and 0.1060 are 0.2949; rounded alone they would add up to 0.296."""
    before = 0.37052266664574673
    shown = shown_sum(
        before, 0.09159572611523323, 0.058665017637877986, 0.038566178365966375, 0.10603769680782008
    )
    assert shown == (("0.092", "0.059", "0.038", "0.106"), "0.295", "0.371", 0.076)


@given(st.floats(-10, 10), st.floats(1e-3, 1e3))
def test_a_gain_is_a_change_that_is_faster(saved: float, milliseconds: float) -> None:
    if is_gain(saved, milliseconds):
        assert change_sign(-saved) == "-"
    if abs(saved) < SAME:
        assert change_sign(saved) == ""
