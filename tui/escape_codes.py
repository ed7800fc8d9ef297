"""Fewer bytes on a slow line: colours are sent where they change, not again with each piece of text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_SEQUENCE = re.compile(r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]")
_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_MOVES = re.compile(r"(?:\x1b\[[0-9;]*[ABCDGH]|\x1b\[\?2026[hl])+")
"""Sequences that mean the same in any colour."""

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
    """Rewrites what goes to a terminal: the same cells with fewer bytes."""

    def __init__(self) -> None:
        self._wanted: Pen = BARE
        self._held: Pen | None = None
        """What the terminal has, None where that is not known."""

    def reduced(self, data: str) -> str:
        """The same, shorter. What a style is set to at the end is sent with the text that follows."""
        pieces: list[str] = []
        position = 0
        for match in _SEQUENCE.finditer(data):
            self._text(data[position : match.start()], pieces)
            position = match.end()
            sequence = match[0]
            style = _STYLE.fullmatch(sequence)
            if style is not None:
                pen = _set(self._wanted, style[1])
                if pen is not None:
                    self._wanted = pen
                    continue
            if _MOVES.fullmatch(sequence):
                pieces.append(sequence)
                continue
            self._change(pieces, self._wanted)
            pieces.append(sequence)
            # A style this does not know, another screen, a reset: the next text states all of its own.
            self._held = None if style is not None or sequence[-1] in "hlp" else self._held
        self._text(data[position:], pieces)
        return "".join(pieces)

    def _text(self, text: str, pieces: list[str]) -> None:
        if not text:
            return
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
