"""Figures, cells and wrapping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from npuscope.widgets.panes.scales_text import histogram
from npuscope.widgets.text.cells import cells, clip, left, right, shown, squeeze
from npuscope.widgets.text.figures import (
    THIN,
    became,
    bytes_,
    column,
    grouped,
    milliseconds,
    percent,
    short,
    three,
    time_cell,
)
from npuscope.widgets.text.spans import Span, fit, length, line, plain, spread, wrap


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.02454193, "0.0245"),
        (9.287, "9.29"),
        (2.0, "2"),
        (131.5, "132"),
        (0.00001234, "1.2e-05"),
        (263168.0, f"263{THIN}168"),
        (2.5e9, "2.50e+09"),
        (-0.0687, "-0.0687"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_three_places(value: float, text: str) -> None:
    assert three(value) == text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (4.09, 3.72, "4.09 → 3.72 ms"),
        (23.422, 23.243, "23.4 → 23.2 ms"),
        (23.250, 23.243, "23.25 → 23.24 ms"),
        (32.951, 32.918, "32.95 → 32.92 ms"),
        (1234.2, 1233.9, "1234.2 → 1233.9 ms"),
        (1.0, 1.0001, "1.00 ms"),
    ],
)
def test_two_times_show_by_how_much_they_differ(before: float, after: float, words: str) -> None:
    assert became(before, after).replace(THIN, " ") == words


def test_figures_with_units() -> None:
    assert grouped(1572864) == f"1{THIN}572{THIN}864"
    assert short(263168) == f"263{THIN}k"
    assert short(999_999) == f"1.00{THIN}M"
    assert short(512) == "512"
    assert milliseconds(1.9234) == f"1.92{THIN}ms"
    assert milliseconds(0.0844) == f"0.0844{THIN}ms" and time_cell(0.0844) == f"0.084{THIN}ms"
    assert milliseconds(1200) == f"1{THIN}200{THIN}ms" and time_cell(0.0002) == f"<0.001{THIN}ms"
    assert bytes_(262144) == f"256{THIN}KiB"
    assert bytes_(17) == f"17{THIN}B"
    assert column(0.052) == "0.0520"
    assert [percent(share) for share in (0, 0.001, 0.38, 1)] == ["0", "<1", "38", "100"]


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=60)


@given(texts, st.integers(0, 40))
def test_cutting_keeps_to_the_width(text: str, width: int) -> None:
    for cut in (clip, squeeze, shown):
        assert cells(cut(text, width)) <= width
    assert cell_len(left(text, width)) == width
    assert cell_len(right(text, width)) == width


@given(
    st.lists(st.tuples(texts, st.sampled_from(["text", "quiet"])), max_size=6),
    st.integers(9, 50),
    st.integers(0, 4),
)
def test_wrapping_keeps_width_and_words(parts: list[tuple[str, str]], width: int, hang: int) -> None:
    spans = tuple(Span(*part) for part in parts)
    lines = list(wrap(spans, width, hang))
    assert all(length(one) <= max(width, hang + 8) for one in lines)
    joined = "".join(plain(one) for one in lines).replace(" ", "")
    assert joined == plain(spans).replace(" ", "")


@pytest.mark.parametrize(
    ("word", "first"),
    [
        ("coordinate_transformation_mode=asymmetric", "coordinate_transformation_mode="),
        ("/model.10/m/m.0/attn/MatMul_1/and/more", "/model.10/m/m.0/attn/MatMul_1/"),
        ("a" * 40, "a" * 32),
        ("a_" + "b" * 40, "a_" + "b" * 30),
    ],
)
def test_a_word_too_long_for_a_line_is_broken_between_its_parts(word: str, first: str) -> None:
    lines = [plain(one) for one in wrap(line(word), 32)]
    assert lines[0] == first and "".join(lines) == word


@given(st.lists(texts, max_size=4), st.integers(0, 60))
def test_fitting_and_spreading_keep_to_the_width(parts: list[str], width: int) -> None:
    spans = tuple(Span(part) for part in parts)
    assert length(fit(spans, width)) <= width
    assert length(spread(spans, line("end"), width)) <= max(width, 3)


def test_both_ends_of_a_name_stay() -> None:
    assert shown("a_rather_long_name_part0", 12) == "a_ra…e_part0"
    assert shown("\x1b[31m", 12) == "\\x1b[31m"


def test_histogram_has_a_bar_for_the_most_frequent() -> None:
    lines = histogram(sorted([1.0] * 10 + [2.0, 3.0]), 40)
    assert plain(lines[0]).startswith("█")
    assert "all 4 are" in plain(histogram([2.0] * 4, 40)[0])


def test_names_are_shortened_where_they_agree() -> None:
    from npuscope.widgets.panes.eligibility import _names

    names = [
        f"/tcn/tcn_block_{b}/network/network.{n}/TCM_net/TCM_net.0/Conv" for b in range(2) for n in range(3)
    ]
    text = plain(_names(names, True)).split(", ")
    assert len(set(text)) == 6
    assert text[0] == "tcn_block_0/network.0/TCM_net.0/Conv"
    assert plain(_names(["/a/Conv", "/b/Conv"], True)) == "/a/Conv, /b/Conv"
