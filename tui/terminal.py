"""What the terminal can show: UTF-8 or ASCII, how many colours, dark or light."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_POOR_TERMS = ("linux", "dumb", "vt100", "vt102", "vt220", "ansi", "cons25", "sun")
"""Terminals whose fonts lack the signs used here."""


def ascii_only(environ: Mapping[str, str]) -> bool:
    """Whether only ASCII is safe.

    1. NPUSCOPE_ASCII=1 or 0 decides where it is set.
    2. Else a terminal known to have few signs, or a locale that is not UTF-8: the first of LC_ALL, LC_CTYPE and LANG.
    3. LANG=C counts even where Python has set LC_CTYPE for itself. No locale at all says nothing: UTF-8.
    """
    wanted = environ.get("NPUSCOPE_ASCII", "")
    if wanted:
        return wanted not in ("0", "no", "false")
    if environ.get("TERM", "") in _POOR_TERMS:
        return True
    names = [environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if not names[0] and names[1] in ("C.UTF-8", "C.utf8", "UTF-8") and names[2] in ("C", "POSIX"):
        return True
    locale = next((name for name in names if name), "")
    return bool(locale) and "utf" not in locale.lower()


_FILLING_TERMS = (
    "xterm",
    "linux",
    "rxvt",
    "alacritty",
    "foot",
    "konsole",
    "vte",
    "putty",
    "wezterm",
    "mintty",
)
"""Terminals whose terminfo has `bce` and `ech`."""


def fills_erased_cells(environ: Mapping[str, str]) -> bool:
    """Whether cells that are erased take the background of the moment.

    GNU Screen erases to its own, and says `screen` or whatever its user set; so did tmux once.
    """
    inside = environ.get("STY") or environ.get("TMUX")
    return not inside and environ.get("TERM", "").startswith(_FILLING_TERMS)


def first_theme(environ: Mapping[str, str], color_system: str | None) -> str:
    """The theme to start with: what TEXTUAL_THEME names, else by number of colours and background."""
    wanted = environ.get("TEXTUAL_THEME", "")
    if wanted:
        return wanted
    if color_system == "standard":
        return "npuscope-16"
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "npuscope-light" if background in ("7", "15") else "npuscope-dark"


_SIGNS = {
    "●": "+", "◐": "~", "✗": "x", "◆": "*", "○": "o", "▲": "!", "·": ".", "→": ">", "←": "<", "↑": "^", "↓": "v", "×": "x",
    "▸": ">", "▾": "v", "▎": "*", "…": ".", "µ": "u", "✓": "+", "≥": ">", "≤": "<", "–": "-", "—": "-", "±": "+",
    "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "=", "▆": "+", "▇": "*", "█": "#", "\N{NO-BREAK SPACE}": " ",
    "─": "-", "━": "-", "│": "|", "┃": "|", "▌": "|", "▐": "|", "╸": "-", "╺": "-", "•": "*", "’": "'", "▔": "-",
    "▉": "#", "▊": "#", "▋": "#", "▍": "|", "▏": "|", "▕": "|", "▀": "-", "■": "#", "□": ".", "▓": "#", "≠": "!", "≈": "~", "┌": "[", "└": "[", "╭": ".", "╮": ".", "╰": "'", "╯": "'",
}  # fmt: skip
"""A sign of one cell -> an ASCII one of one cell."""


@lru_cache(4096)
def in_ascii(text: str) -> str:
    """Text in ASCII, in the same number of cells."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() else _SIGNS.get(c) or _plain(c) for c in text)


def _plain(character: str) -> str:
    if 0x2500 <= ord(character) < 0x2580:  # box drawing: what is left are corners and crossings
        return "+"
    return "?" * cell_len(character)


class AsciiFilter(LineFilter):
    """The last step before the terminal, so that no widget needs a second set of signs."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII."""
        return [
            segment
            if segment.text.isascii()
            else Segment(in_ascii(segment.text), segment.style, segment.control)
            for segment in segments
        ]
