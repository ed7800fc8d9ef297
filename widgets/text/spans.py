"""Text as spans with a role. A pane is made of lines of spans; `looks` gives roles their colours.

Text never passes through a markup parser, so a name out of a model file cannot act as markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from npuscope.widgets.text.cells import cells, clip
from npuscope.widgets.text.figures import THIN


class Span(NamedTuple):
    """A piece of text in one role."""

    text: str
    role: str = "text"


Line = tuple[Span, ...]

BLANK: Line = ()


def line(*parts: Span | str) -> Line:
    """A line; plain strings take the role 'text'."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def quiet(text: str) -> Span:
    """Secondary text."""
    return Span(text, "quiet")


def strong(text: str) -> Span:
    """Text to see first."""
    return Span(text, "strong")


def length(spans: Line) -> int:
    """The cells a line takes."""
    return sum(cells(span.text) for span in spans)


def plain(spans: Line) -> str:
    """The text of a line."""
    return "".join(span.text for span in spans)


def fit(spans: Line, width: int) -> Line:
    """A line in at most `width` cells; what is cut off leaves an ellipsis."""
    if length(spans) <= width:
        return spans
    kept: list[Span] = []
    room = width
    for i, span in enumerate(spans):
        size = cells(span.text)
        last = i == len(spans) - 1
        if size > room or (size == room and not last):
            # An ellipsis stands for everything after it, so it must come even where this span alone fits.
            text = clip(span.text, room) if size > room else clip(span.text + " ", room)
            kept.append(Span(text, span.role))
            break
        kept.append(span)
        room -= size
    return tuple(kept)


def spread(start: Line, end: Line, width: int) -> Line:
    """`start` at the left, `end` at the right; `start` is truncated where they do not both fit."""
    room = width - length(end)
    if not end or room < 4:
        return fit(start, width)
    start = fit(start, room - 1)
    return (*start, Span(" " * (room - length(start))), *end)


def wrap(spans: Line, width: int, hang: int = 0) -> Iterator[Line]:
    """Lines of at most `width` cells, broken at spaces; all but the first indented by `hang`."""
    width = max(width, hang + 8)
    done: list[Span] = []
    used = 0
    at_margin = False
    for word, role in _words(spans):
        size = cells(word)
        if used + size > width:
            if word == " ":
                continue
            # A word that has to be broken anyway begins right behind a sign, not below it.
            broken = size > width - hang and used <= hang
            if not at_margin and used and not broken:
                yield _trimmed(done)
                done, used, at_margin = _margin(hang), hang, True
            while used + size > width:
                head = _head(word, width - used)
                yield (*done, Span(head, role))
                done, used, at_margin = _margin(hang), hang, True
                word = word[len(head) :]
                size = cells(word)
        if word == " " and at_margin:
            continue
        at_margin = False
        if done and done[-1].role == role:
            done[-1] = Span(done[-1].text + word, role)
        else:
            done.append(Span(word, role))
        used += size
    if not at_margin:
        yield _trimmed(done)


def _margin(hang: int) -> list[Span]:
    return [Span(" " * hang)] if hang else []


def _words(spans: Line) -> Iterator[tuple[str, str]]:
    for text, role in spans:
        for i, word in enumerate(text.split(" ")):
            if i:
                yield " ", role
            if word:
                yield word, role


def _head(word: str, width: int) -> str:
    """As much of a word as fits, up to a sign between its parts; at least one character, so that wrapping always ends."""
    size = 0
    for i, character in enumerate(word):
        size += cells(character)
        if size > width:
            part = max(word.rfind(sign, 0, i) for sign in _BETWEEN) + 1
            return word[: max(part if part > i // 3 else i, 1)]
    return word


_BETWEEN = "/_=,;:.-"
"""Signs behind which a word too long for a line is broken."""


def _trimmed(spans: list[Span]) -> Line:
    while spans and not spans[-1].text.rstrip(" "):
        spans = spans[:-1]
    if spans and spans[-1].text.endswith(" "):
        spans = [*spans[:-1], Span(spans[-1].text.rstrip(" "), spans[-1].role)]
    return tuple(spans)


_VISIBLE = {ord(THIN): " "}


def safe(text: str) -> str:
    """What may be written to a terminal: the last guard, for text that no one made printable before."""
    return text if text.isascii() and text.isprintable() else _made_safe(text)


@lru_cache(4096)
def _made_safe(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.translate(_VISIBLE))
