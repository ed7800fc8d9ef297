"""Screens one after the other as one SVG that moves by itself: CSS only, no script, nothing from elsewhere.

A row of the screen that several frames share is in the file once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from xml.sax.saxutils import escape

CELL, ROW = 12.2, 24.4
"""Cells of Rich's pictures, in pixels."""
MARGIN, CAPTION = 10, 44
BLANKS = " \xa0\n"
"""Those inside a text stay as they are: an SVG would draw several blanks as one."""

_TEXT = re.compile(
    r'<text class="[^"]*-r(\d+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"[^>]*>(.*?)</text>', re.DOTALL
)
_RECT = re.compile(r'<rect fill="(#\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"')
_STYLE = re.compile(r"-r(\d+) \{ ([^}]*?) \}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame: a screen as Textual draws it, what is said below it, and for how long."""

    picture: str
    key: str
    caption: str
    seconds: float


@dataclass
class _Film:
    columns: int
    rows: int
    styles: dict[str, str] = field(default_factory=dict)
    pieces: dict[str, set[int]] = field(default_factory=dict)
    """What is drawn -> the frames it is in, in the order of drawing."""

    def name(self, style: str) -> str:
        return self.styles.setdefault(style, f"s{len(self.styles)}")

    def add(self, piece: str, frame: int) -> None:
        self.pieces.setdefault(piece, set()).add(frame)


def animated(frames: list[Shown], columns: int, rows: int, poster: int, background: str) -> str:
    """The frames as a film. Where nothing moves, and for who wants nothing to, the `poster` stands."""
    film = _Film(columns, rows)
    for number, frame in enumerate(frames):
        for row in _rows(frame.picture, film):
            film.add(row, number)
        y = MARGIN + rows * ROW + 30
        key = f'<tspan class="{film.name("fill:#79c0ff;font-weight:bold")}">{escape(frame.key)}</tspan>'
        caption_text = f'<tspan class="{film.name("fill:#e6edf3")}" dx="14">{escape(frame.caption)}</tspan>'
        film.add(f'<text x="{MARGIN + CELL}" y="{y:.1f}">{key}{caption_text}</text>', number)
    return _svg(film, frames, poster, background)


def _rows(picture: str, film: _Film) -> list[str]:
    """The rows of a screen, each as what it is drawn with."""
    styles = {
        number: style.strip().rstrip(";").replace(": ", ":") for number, style in _STYLE.findall(picture)
    }
    drawn: dict[int, list[str]] = {}
    for fill, x, y, width in _RECT.findall(picture):
        row = round((float(y) - 1.5) / ROW)
        drawn.setdefault(row, []).append(
            f'<rect class="{film.name(f"fill:{fill}")}" x="{MARGIN + float(x):g}" y="{MARGIN + row * ROW:g}" '
            f'width="{float(width) + 0.3:g}" height="{ROW + 0.3:g}"/>'
        )
    for number, x, y, _, text in _TEXT.findall(picture):
        row, plain = round((float(y) - 20) / ROW), unescape(text).rstrip(BLANKS)
        words = plain.lstrip(BLANKS)
        if words:
            start = float(x) + (len(plain) - len(words)) * CELL
            drawn.setdefault(row, []).append(
                f'<text class="{film.name(styles[number])}" x="{MARGIN + start:g}" y="{MARGIN + row * ROW + 18.5:g}" '
                f'textLength="{len(words) * CELL:g}">{escape(words)}</text>'
            )
    return ["".join(parts) for row, parts in sorted(drawn.items()) if row < film.rows]


def _svg(film: _Film, frames: list[Shown], poster: int, background: str) -> str:
    width, height = 2 * MARGIN + film.columns * CELL, 2 * MARGIN + film.rows * ROW + CAPTION
    total = sum(frame.seconds for frame in frames)
    starts = [sum(frame.seconds for frame in frames[:number]) / total * 100 for number in range(len(frames))]
    sets: dict[frozenset[int], str] = {}
    body = []
    for piece, shown in film.pieces.items():
        if len(shown) == len(frames):
            body.append(piece)
        else:
            name = sets.setdefault(frozenset(shown), f"f{len(sets)}")
            body.append(f'<g class="{name}">{piece}</g>')
    rules = [f".{name}{{{style}}}" for style, name in film.styles.items()]
    for shown, name in sets.items():
        steps = [f"{starts[number]:.2f}%{{opacity:{int(number in shown)}}}" for number in range(len(frames))]
        last = f"100%{{opacity:{int(len(frames) - 1 in shown)}}}"
        rules.append(f"@keyframes {name}{{{''.join(steps)}{last}}}")
        still = "" if poster in shown else "opacity:0;"
        rules.append(f".{name}{{{still}animation:{name} {total:g}s step-end infinite}}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}">\n<style>\n'
        "text{font-size:20px;font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace}\n"
        + "\n".join(rules)
        + "\n@media (prefers-reduced-motion:reduce){g{animation:none!important}}\n</style>\n"
        + f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{background}"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )
