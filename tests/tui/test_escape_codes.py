"""What is sent with fewer bytes leaves the same cells on the screen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npuscope.tui.escape_codes import EscapeCodes

ANY = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(.)", re.DOTALL)
WIDTH = 24
"""Columns of the terminal; behind the last one it is said to be nowhere."""
SEEN_ON_BLANKS = {4, 7, 9, 21}


class Screen:
    """A terminal of a few lines, as the tests see it: letters with colours and marks."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str, str, frozenset[int]]] = {}
        self.x = self.y = 0
        self.foreground = self.background = ""
        self.marks: frozenset[int] = frozenset()
        self.other: list[tuple[str, str, str]] = []

    def feed(self, data: str) -> None:
        for parameters, final, letter in ANY.findall(data):
            if letter == "\r":
                self.x = 1
            elif letter == "\b":
                assert self.x <= WIDTH, "terminals do not agree where they are behind the last column"
                self.x -= 1
            elif letter:
                self.put(letter)
            elif final == "m":
                self.style([int(part or 0) for part in parameters.split(";")])
            elif final == "H":
                y, _, x = parameters.partition(";")
                self.y, self.x = int(y or 1), int(x or 1)
            elif final + parameters == "K" or final == "X":
                for x in range(self.x, self.x + int(parameters or WIDTH + 1 - self.x)):
                    self.cells[self.y, x] = (" ", "", self.background, frozenset())
            elif final in "ABCD":
                assert self.x <= WIDTH, "terminals do not agree where they are behind the last column"
                step = int(parameters or 1)
                self.y += {"A": -step, "B": step}.get(final, 0)
                self.x += {"C": step, "D": -step}.get(final, 0)
            else:
                # An erased line takes the colour of the moment.
                self.other.append((parameters, final, self.background))

    def put(self, letter: str) -> None:
        marks = self.marks & SEEN_ON_BLANKS if letter == " " else self.marks
        foreground = self.foreground if letter != " " or marks else ""
        self.cells[self.y, self.x] = (letter, foreground, self.background, frozenset(marks))
        self.x += 1

    def style(self, numbers: list[int]) -> None:
        off = {22: {1, 2}, 23: {3}, 24: {4, 21}, 25: {5}, 27: {7}, 28: {8}, 29: {9}}
        while numbers:
            number = numbers.pop(0)
            if number in (38, 48):
                count = 4 if numbers[0] == 2 else 2
                colour = ";".join(map(str, [number, *numbers[:count]]))
                del numbers[:count]
                self.foreground, self.background = (
                    (colour, self.background) if number == 38 else (self.foreground, colour)
                )
            elif number == 0:
                self.foreground = self.background = ""
                self.marks = frozenset()
            elif number in off:
                self.marks -= off[number]
            elif number == 39:
                self.foreground = ""
            elif number == 49:
                self.background = ""
            elif 30 <= number <= 37 or 90 <= number <= 97:
                self.foreground = str(number)
            elif 40 <= number <= 47 or 100 <= number <= 107:
                self.background = str(number)
            elif number < 30:
                self.marks |= {number}


STYLES = st.sampled_from(
    [
        "0", "", "1", "22", "2", "3", "23", "4", "24", "7", "27", "9", "29", "39", "49", "31", "97", "44", "103", "38;2;1;2;3",
        "48;2;9;8;7", "38;5;200", "48;5;17", "1;38;2;4;5;6;48;2;1;1;1", "0;7", "53",
    ]
)  # fmt: skip
PIECES = st.one_of(
    STYLES.map(lambda style: f"\x1b[{style}m"),
    st.sampled_from(
        [
            "a",
            "bc",
            " ",
            "   ",
            " d ",
            "          ",
            "a             b",
            "●",
            "abcabcabc",
            "abcXabcabX",
            "猫a",
            "e\u0301b",
        ]
    ),
    st.tuples(st.integers(1, 3), st.integers(1, 9)).map(lambda at: f"\x1b[{at[0]};{at[1]}H"),
    st.sampled_from(["\x1b[2K", "\x1b[2J", "\x1b[?2026h", "\x1b[?2026l", "\x1b[?1049h"]),
)


@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=5), st.booleans())
def test_the_same_cells_come_of_it(writes: list[str], erases: bool) -> None:
    plain, reduced, escape_codes = Screen(), Screen(), EscapeCodes(WIDTH, erases)
    for data in (*writes, "\x1b[0m\x1b[?1049l"):
        plain.feed(data)
        reduced.feed(escape_codes.reduced(data))
    assert reduced.cells == plain.cells
    assert [entry for entry in reduced.other if entry[1] in "KJ"] == [e for e in plain.other if e[1] in "KJ"]
    assert (reduced.foreground, reduced.background, reduced.marks) == (
        plain.foreground,
        plain.background,
        plain.marks,
    ), "nothing stays behind"


def test_what_is_there_is_not_sent_again() -> None:
    escape_codes = EscapeCodes()
    row = "\x1b[3;4H\x1b[31mthe same layer, 12 ms\x1b[0m\n\x1b[4;4H\x1b[44mbelow\x1b[0m"
    assert "layer" in escape_codes.reduced(row)
    assert escape_codes.reduced(row) == ""
    changed = escape_codes.reduced(row.replace("12", "37"))
    assert "37" in changed and "layer" not in changed and "ms" not in changed
    assert "the same" in escape_codes.reduced(row.replace("[31m", "[32m")), "another colour is another cell"


@pytest.mark.parametrize("lost", ["\x1b[2J", "\x1b[?1049h", "\x1b[2K"])
def test_what_a_terminal_lost_is_sent_again(lost: str) -> None:
    escape_codes = EscapeCodes()
    row = "\x1b[3;4Hthe same"
    escape_codes.reduced(row)
    escape_codes.reduced(lost)
    assert "the same" in escape_codes.reduced(row)
    escape_codes.forget()
    assert "the same" in escape_codes.reduced(row), "a terminal of another size"


def test_letters_that_terminals_draw_in_more_cells_are_always_sent() -> None:
    escape_codes = EscapeCodes()
    row = "\x1b[3;4H層名 the same"
    assert escape_codes.reduced(row).count("層名 the same") == 1
    assert escape_codes.reduced(row).count("層名 the same") == 1


def test_a_row_of_one_background_names_it_once() -> None:
    background = "48;2;20;23;28"
    parts = [
        f"\x1b[38;2;{i};{i};{i};{background}m{'word ' if i % 2 == 0 else '   '}\x1b[0m"
        for i in range(100, 110)
    ]
    escape_codes = EscapeCodes()
    escape_codes.reduced("\x1b[0mx")
    sent = escape_codes.reduced("".join(parts))
    assert sent.count(background) == 1
    assert sent.count("38;2") == 5, "a blank needs no colour of its own"
    assert len(sent) < 0.5 * len("".join(parts))


def test_a_colour_is_named_once_wherever_it_is() -> None:
    escape_codes = EscapeCodes(WIDTH)
    red, green = "38;2;200;10;10", "38;2;10;200;10"
    rows = "".join(f"\x1b[{y};2H\x1b[{red}mname\x1b[{green}m value\x1b[0m\n" for y in range(1, 9))
    sent = escape_codes.reduced(rows)
    assert (sent.count(red), sent.count(green)) == (1, 1)
    assert len(sent) < 0.5 * len(rows)


def test_what_becomes_blank_is_erased_where_that_takes_the_background() -> None:
    row = "\x1b[2;3H\x1b[44m{}\x1b[0m"
    text, blank = "a" * 10 + " " * 3 + "b" * 9, " " * 22
    for erases, most in ((True, 10), (False, 30)):
        escape_codes = EscapeCodes(WIDTH, erases)
        escape_codes.reduced(row.format(text))
        sent = escape_codes.reduced(row.format(blank))
        assert ("\x1b[K" in sent) is erases, "to the end of the line"
        assert len(sent) <= most
        escape_codes.resized(WIDTH + 1)
        assert "aaaa" in escape_codes.reduced(row.format(text)), "a terminal of another size has lost it"
        assert ("\x1b[22X" in escape_codes.reduced(row.format(blank))) is erases
