"""Fewer bytes on a slow line: colours are sent where they change, not again with each piece of text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from npuscope.tui.sent_cells import SentCells, is_narrow

_SEQUENCE = re.compile(r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\r\n\x07]+")
_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_PLACE = re.compile(r"\x1b\[(?:(\d+);(\d+))?H")
_HARMLESS = re.compile(r"\x1b\[\?(?:2026|25)[hl]|\x1b\].*|\x07+", re.DOTALL)
"""Sequences that neither write nor move, and mean the same in any colour: the cursor shown, a title, the clipboard."""
_LINES = re.compile(r"[\r\n]+")

_REMOVES = {22: (1, 2), 23: (3,), 24: (4, 21), 25: (5,), 27: (7,), 28: (8,), 29: (9,)}
_MARKS = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 21})
_ON_BLANKS = frozenset({4, 7, 9, 21})
"""Marks that are seen where there is no letter."""


class Pen(NamedTuple):
    """Colours as the parameters that set them, '' for the terminal's own, and marks."""

    foreground: str = ""
    background: str = ""
    marks: frozenset[int] = frozenset()


BARE = Pen()


class EscapeCodes:
    """Rewrites what goes to a terminal: the same cells with fewer bytes.

    Colours are sent where they change, and only cells that are not there already.
    """

    def __init__(self) -> None:
        self._wanted: Pen = BARE
        self._held: Pen | None = None
        """What the terminal has, None where that is not known."""
        self._sent = SentCells()
        self._at: tuple[int, int] | None = None
        """Row and column where the next text goes, from 1 on; None where that is not known."""
        self._cursor: tuple[int, int] | None = None
        """Where the terminal's own cursor is."""
        self._astray = False
        """Terminals do not agree on the column: letters of other widths than a cell were sent."""
        self._lines = ""
        """Ends of lines that are not sent: a move to a place makes them needless."""
        self._pens: dict[Pen, int] = {}

    def forget(self) -> None:
        """What the terminal shows is not known: another size, another program's text."""
        self._sent.forget()
        self._cursor = self._held = None

    def reduced(self, data: str) -> str:
        """The same, shorter. What a style is set to at the end is sent with the text that follows."""
        pieces: list[str] = []
        position = 0
        moved = False
        for match in _SEQUENCE.finditer(data):
            if match.start() > position:
                self._text(data[position : match.start()], pieces)
                moved = False
            position = match.end()
            sequence = match[0]
            style = _STYLE.fullmatch(sequence)
            if style is not None:
                pen = _set(self._wanted, style[1])
                if pen is not None:
                    self._wanted = pen
                    continue
            if place := _PLACE.fullmatch(sequence):
                self._at = (int(place[1] or 1), int(place[2] or 1))
                self._lines, self._astray = "", False
                moved = True
            elif _HARMLESS.fullmatch(sequence):
                pieces.append(sequence)
            elif _LINES.fullmatch(sequence):
                self._lines += sequence
            else:
                self._go(pieces)
                self._change(pieces, self._wanted)
                pieces.append(sequence)
                self._cursor = self._at = None
                self._astray = False
                # A style this does not know, another screen, a reset: the next text states all of its own.
                self._held = None if style is not None or sequence[-1] in "hlp" else self._held
                if style is None:
                    self._sent.forget()
        if position < len(data):
            self._text(data[position:], pieces)
        elif moved:  # the cursor is left there for who types
            self._go(pieces)
        return "".join(pieces)

    def _text(self, text: str, pieces: list[str]) -> None:
        if self._at is None or self._lines:
            self._go(pieces)
            self._at = None
            self._sent.forget()
            self._cursor = None
            self._put(text, pieces)
            return
        y, x = self._at
        if self._astray:
            self._put(text, pieces)
            return
        for begin, end in self._sent.changed(y, x, text, self._styles(text)):
            self._at = (y, x + begin)
            self._go(pieces)
            self._put(text[begin:end], pieces)
            self._cursor = (y, x + end)
        self._at = (y, x + len(text))
        if not is_narrow(text):
            self._astray, self._cursor = True, None

    def _styles(self, text: str) -> list[int]:
        """A number for how each letter looks; nothing is seen of a blank but what it lies on."""
        pen = self._wanted
        own = self._number(pen)
        if " " not in text or pen.marks & _ON_BLANKS:
            return [own] * len(text)
        blank = self._number(Pen("", pen.background))
        return [blank if letter == " " else own for letter in text]

    def _number(self, pen: Pen) -> int:
        return self._pens.setdefault(pen, len(self._pens) + 1)

    def _go(self, pieces: list[str]) -> None:
        """Bring the terminal's cursor to where the next text goes."""
        if self._at is not None and self._at != self._cursor and not self._astray:
            self._step(*self._at, pieces)
        if self._lines:
            pieces.append(self._lines)
            self._lines, self._cursor, self._at, self._astray = "", None, None, False

    def _step(self, y: int, x: int, pieces: list[str]) -> None:
        cursor = self._cursor
        if cursor is not None and cursor[0] == y and cursor[1] < x:
            pieces.append(f"\x1b[{x - cursor[1]}C" if x - cursor[1] > 1 else "\x1b[C")
        else:
            pieces.append(f"\x1b[{y};{x}H")
        self._cursor = (y, x)

    def _put(self, text: str, pieces: list[str]) -> None:
        current, wanted = self._held, self._wanted
        if current is not None and not text.strip(" ") and not (current.marks | wanted.marks) & _ON_BLANKS:
            # Nothing is seen of a blank but what it lies on.
            wanted = Pen(current.foreground, wanted.background, current.marks)
        self._change(pieces, wanted)
        pieces.append(text)

    def _change(self, pieces: list[str], wanted: Pen) -> None:
        current = self._held
        if current == wanted:
            return
        parts: list[str] = []
        if current is None or current.marks - wanted.marks:
            parts.append("0")
            current = BARE
        parts += [str(mark) for mark in sorted(wanted.marks - current.marks)]
        if current.foreground != wanted.foreground:
            parts.append(wanted.foreground or "39")
        if current.background != wanted.background:
            parts.append(wanted.background or "49")
        pieces.append(f"\x1b[{';'.join(parts)}m")
        self._held = wanted


@lru_cache(1024)
def _set(pen: Pen, parameters: str) -> Pen | None:
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
