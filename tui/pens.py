"""Pens: the colours and marks of text in a terminal, and the shortest way from one to another."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_REMOVES = {22: (1, 2), 23: (3,), 24: (4, 21), 25: (5,), 27: (7,), 28: (8,), 29: (9,)}
_MARKS = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 21})
_ON_BLANKS = frozenset({4, 7, 9, 21})
"""Marks that are seen where there is no letter."""


class Pen(NamedTuple):
    """Colours as the parameters that set them, '' for the terminal's own, and marks."""

    foreground: str = ""
    background: str = ""
    marks: frozenset[int] = frozenset()

    @property
    def seen_on_blanks(self) -> bool:
        """More is seen of it where there is no letter than what that lies on."""
        return bool(self.marks & _ON_BLANKS)


BARE = Pen()


@lru_cache(1024)
def change(current: Pen | None, wanted: Pen) -> str:
    """The shortest sequence from one pen to another, '' for the same; from None, what is not known, to any."""
    if current == wanted:
        return ""
    parts = ["0", *_parts(BARE, wanted)]
    if current is not None:
        parts = min(_parts(current, wanted), parts, key=lambda parts: len(";".join(parts)))
    return f"\x1b[{';'.join(parts)}m"


def _parts(current: Pen, wanted: Pen) -> list[str]:
    held = current.marks
    parts: list[str] = []
    for number, removed in _REMOVES.items():
        if (held - wanted.marks) & frozenset(removed):
            parts.append(str(number))
            held -= frozenset(removed)
    parts += [str(mark) for mark in sorted(wanted.marks - held)]
    if current.foreground != wanted.foreground:
        parts.append(wanted.foreground or "39")
    if current.background != wanted.background:
        parts.append(wanted.background or "49")
    return parts


@lru_cache(1024)
def after(pen: Pen, parameters: str) -> Pen | None:
    """The pen after some parameters; None where they hold one that is not known here."""
    foreground, background, marks = pen
    numbers = [int(part) if part else 0 for part in parameters.split(";")]
    position = 0
    while position < len(numbers):
        number = numbers[position]
        if number in (38, 48):
            size = {2: 5, 5: 3}.get(numbers[position + 1] if position + 1 < len(numbers) else -1, 0)
            if not size or position + size > len(numbers):
                return None
            code = ";".join(str(part) for part in numbers[position : position + size])
            foreground, background = (code, background) if number == 38 else (foreground, code)
            position += size
            continue
        if number == 0:
            foreground, background, marks = BARE
        elif number in _MARKS:
            marks = marks | {number}
        elif number in _REMOVES:
            marks = marks - frozenset(_REMOVES[number])
        elif 30 <= number <= 37 or 90 <= number <= 97:
            foreground = str(number)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            background = str(number)
        elif number == 39:
            foreground = ""
        elif number == 49:
            background = ""
        else:
            return None
        position += 1
    return Pen(foreground, background, marks)


class Looks:
    """A number for each look of a cell, from 1 on; a blank has its own, since nothing is seen of it but what it lies on."""

    def __init__(self) -> None:
        self.pens: list[Pen] = [BARE]
        """By number."""
        self.blank: list[int] = [0]
        """By number that of a blank written with the same pen."""
        self._of_pen: dict[Pen, int] = {}
        self._of_ground: dict[str, int] = {}

    def of(self, pen: Pen) -> int:
        """The number of letters written with a pen."""
        number = self._of_pen.get(pen)
        if number is None:
            blank = 0 if pen.seen_on_blanks else self._ground(pen.background)
            number = self._of_pen[pen] = self._new(pen)
            self.blank.append(blank or number)
        return number

    def of_each(self, pen: Pen, text: str) -> list[int]:
        """The numbers of the letters of a text."""
        own = self.of(pen)
        blank = self.blank[own]
        if blank == own or " " not in text:
            return [own] * len(text)
        return [blank if letter == " " else own for letter in text]

    def _ground(self, background: str) -> int:
        number = self._of_ground.get(background)
        if number is None:
            number = self._of_ground[background] = self._new(Pen("", background))
            self.blank.append(number)
        return number

    def _new(self, pen: Pen) -> int:
        self.pens.append(pen)
        return len(self.pens) - 1

    def is_ground(self, number: int) -> bool:
        """It is that of blanks."""
        return self.blank[number] == number and not self.pens[number].seen_on_blanks
