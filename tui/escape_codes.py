"""Fewer bytes on a slow line: only cells that changed are sent, those of one colour together."""

from __future__ import annotations

import re
from functools import lru_cache

from npuscope.tui.pens import BARE, Looks, Pen, after, change
from npuscope.tui.sent_cells import BLANKS, Run, SentCells, is_narrow

_SEQUENCE = re.compile(r"\x1b\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\r\n\x07]+")
_STYLE = re.compile(r"\x1b\[([0-9;]*)m")
_PLACE = re.compile(r"\x1b\[(?:(\d+);(\d+))?H")
_HARMLESS = re.compile(r"\x1b\[\?(?:2026|25)[hl]|\x1b\].*|\x07+", re.DOTALL)
"""Sequences that neither write nor move, and mean the same in any colour: the cursor shown, a title, the clipboard."""
_LINES = re.compile(r"[\r\n]+")
_BLANKS = re.compile(BLANKS + "+")

Place = tuple[int, int]
"""Row and column, from 1 on."""


class EscapeCodes:
    """Rewrites what goes to a terminal: the same cells with fewer bytes.

    1. Of what `reduced` is given at once only cells that are not there already are sent.
    2. A colour takes some twenty bytes and a move six: what has one colour is sent together, wherever it is.
    """

    def __init__(self, width: int = 0, erases: bool = False) -> None:
        self._width = width
        """Columns; 0 where that is not known."""
        self._erases = erases
        """The terminal erases cells to the background of the moment."""
        self._wanted: Pen = BARE
        self._held: Pen | None = None
        """What the terminal has, None where that is not known."""
        self._looks = Looks()
        self._sent = SentCells(self._looks.blank, erases)
        self._at: Place | None = None
        """Where the next text goes; None where that is not known."""
        self._cursor: Place | None = None
        """Where the terminal's own cursor is."""
        self._astray = False
        """Terminals do not agree on the column: letters of other widths than a cell were sent."""
        self._lines = ""
        """Ends of lines that are not sent: a move to a place makes them needless."""

    def resized(self, width: int) -> None:
        """A terminal of another size has moved what it shows."""
        self._width = width
        self.forget()

    def forget(self) -> None:
        """What the terminal shows is not known: another program may have written on it."""
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
            kind, value = _read(match[0])
            if kind == "style" and (pen := after(self._wanted, value)) is not None:
                self._wanted = pen
            elif kind == "place":
                y, _, x = value.partition(";")
                self._at = (int(y), int(x))
                self._lines, self._astray = "", False
                moved = True
            elif kind == "lines":
                self._lines += value
            else:
                self._send(pieces)
                if kind != "harmless":
                    self._go(pieces)
                    self._take(self._wanted, pieces)
                    self._lose(kind, match[0])
                pieces.append(match[0])
        if position < len(data):
            self._text(data[position:], pieces)
            moved = False
        self._send(pieces)
        if moved:  # the cursor is left there for who types
            self._go(pieces)
        return "".join(pieces)

    def _lose(self, kind: str, sequence: str) -> None:
        """A sequence that is not known here may have moved the cursor, cleared the screen or changed colours."""
        self._cursor = self._at = None
        self._astray = False
        if (
            kind == "style" or sequence[-1] in "hlp"
        ):  # also another screen, a reset: the next text states all of its own
            self._held = None
        if kind != "style":
            self._sent.forget()

    def _text(self, text: str, pieces: list[str]) -> None:
        if self._at is None or self._lines:
            self._send(pieces)
            self._go(pieces)
            self._at = self._cursor = None
            self._sent.forget()
            self._put(text, pieces)
            return
        if self._astray:
            self._put(text, pieces)
            return
        y, x = self._at
        narrow = is_narrow(text)
        if not narrow or not self._sent.put(y, x, text, self._looks.of_each(self._wanted, text)):
            # Of a letter wider or narrower than a cell the rest of its row is not known: terminals do not agree on widths.
            self._send(pieces)
            self._sent.forget_row(y)
            self._go(pieces)
            self._put(text, pieces)
            self._astray, self._cursor = not narrow, (y, x + len(text)) if narrow else None
        self._at = (y, x + len(text))

    def _send(self, pieces: list[str]) -> None:
        """Send the cells that are not there yet, by colour: the nearest one next."""
        runs = self._sent.runs()
        if not runs:
            return
        groups: dict[int, list[Run]] = {}
        for run in runs:
            groups.setdefault(run.style, []).append(run)
        blank = self._looks.blank
        for style in list(groups):
            if blank[style] != style and blank[style] in groups:
                groups[style] = sorted(groups[style] + groups.pop(blank[style]))
        while groups:
            style = min(groups, key=lambda style: len(change(self._held, self._pen(style))))
            self._take(self._pen(style), pieces)
            for run in groups.pop(style):
                self._write(run, pieces)

    def _write(self, run: Run, pieces: list[str]) -> None:
        """Letters in the pen that is held; many blanks are erased, which leaves the cursor before them."""
        x, text = run.x, run.text
        if self._erases and BLANKS in text and self._held is not None and not self._held.seen_on_blanks:
            sent = 0
            for blanks in _BLANKS.finditer(text):
                to_the_end = x + blanks.end() == self._width + 1
                erase = "\x1b[K" if to_the_end else f"\x1b[{len(blanks[0])}X"
                over = 0 if blanks.end() == len(text) else len(erase)  # to go past them
                if len(erase) + over < len(blanks[0]):
                    self._letters(run.y, x + sent, text[sent : blanks.start()], pieces)
                    self._step((run.y, x + blanks.start()), pieces)
                    pieces.append(erase)
                    sent = blanks.end()
            x, text = x + sent, text[sent:]
        self._letters(run.y, x, text, pieces)

    def _letters(self, y: int, x: int, text: str, pieces: list[str]) -> None:
        if text:
            self._step((y, x), pieces)
            pieces.append(text)
            self._cursor = (y, x + len(text))

    def _pen(self, style: int) -> Pen:
        """What to send cells of a style with: of blanks nothing is seen but what they lie on."""
        pen, held = self._looks.pens[style], self._held
        if self._looks.is_ground(style) and held is not None and not held.seen_on_blanks:
            return Pen(held.foreground, pen.background, held.marks)
        return pen

    def _put(self, text: str, pieces: list[str]) -> None:
        """Send text as it is."""
        held, pen = self._held, self._wanted
        if held is not None and not text.strip(" ") and not held.seen_on_blanks and not pen.seen_on_blanks:
            pen = Pen(held.foreground, pen.background, held.marks)
        self._take(pen, pieces)
        pieces.append(text)

    def _take(self, pen: Pen, pieces: list[str]) -> None:
        if self._held != pen:
            pieces.append(change(self._held, pen))
            self._held = pen

    def _go(self, pieces: list[str]) -> None:
        """Bring the terminal's cursor to where the next text goes."""
        if self._at is not None and not self._astray:
            self._step(self._at, pieces)
        if self._lines:
            pieces.append(self._lines)
            self._lines, self._cursor, self._at, self._astray = "", None, None, False

    def _step(self, place: Place, pieces: list[str]) -> None:
        cursor = self._cursor
        if cursor == place:
            return
        if cursor is None:
            pieces.append(_absolute(*place))
        else:
            pieces.append(_way(cursor[0], cursor[1] if cursor[1] <= self._width else None, *place))
        self._cursor = place


@lru_cache(1 << 13)
def _read(sequence: str) -> tuple[str, str]:
    """What kind of sequence it is, and what it says."""
    if style := _STYLE.fullmatch(sequence):
        return "style", style[1]
    if place := _PLACE.fullmatch(sequence):
        return "place", f"{place[1] or 1};{place[2] or 1}"
    if _HARMLESS.fullmatch(sequence):
        return "harmless", ""
    return ("lines" if _LINES.fullmatch(sequence) else "", sequence)


def _absolute(y: int, x: int) -> str:
    return f"\x1b[{y};{x}H" if x > 1 else f"\x1b[{y}H" if y > 1 else "\x1b[H"


@lru_cache(1 << 13)
def _way(from_y: int, from_x: int | None, y: int, x: int) -> str:
    """The shortest way from one cell to another; `from_x` is None behind the last column, where terminals differ."""
    down = _by(y - from_y, "B", "A")
    ways = [_absolute(y, x), "\r" + down + _by(x - 1, "C", "D")]
    if from_x is not None:
        back = "\b" * max(from_x - x, 0)
        across = _by(x - from_x, "C", "D")
        ways.append(down + (min(back, across, key=len) if back else across))
    return min(ways, key=len)


def _by(count: int, ahead: str, behind: str) -> str:
    """A relative move."""
    if not count:
        return ""
    return f"\x1b[{abs(count) if abs(count) > 1 else ''}{ahead if count > 0 else behind}"
