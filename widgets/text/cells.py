"""Fitting text into terminal cells; wide characters count two."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from npuscope.model.names import printable, shortened

ELLIPSIS = "…"

_LONGEST = 2048
"""Names above this many characters are cut before they are looked at closely."""


def cells(text: str) -> int:
    """The cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


def clip(text: str, width: int) -> str:
    """At most `width` cells; what is cut off leaves an ellipsis."""
    if cells(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def squeeze(text: str, width: int) -> str:
    """At most `width` cells; the middle is left out, since both ends tell names apart."""
    if cells(text) <= width:
        return text
    if text.isascii():
        return shortened(text, width)
    if width < 5:
        return clip(text, width)
    tail_width = (width - 1) * 2 // 3
    tail = ""
    for character in reversed(text):
        if cells(character + tail) > tail_width:
            break
        tail = character + tail
    return set_cell_size(text, width - 1 - cells(tail)).rstrip() + ELLIPSIS + tail


def shown(name: str, width: int) -> str:
    """A name out of a model file, safe and short enough."""
    if len(name) > _LONGEST:
        name = name[: _LONGEST // 2] + ELLIPSIS + name[-_LONGEST // 2 :]
    return squeeze(printable(name), width)


def whole(name: str) -> str:
    """A name out of a model file in full, where lines wrap."""
    return shown(name, _LONGEST)


def left(text: str, width: int) -> str:
    """Exactly `width` cells, text at the left."""
    text = clip(text, width)
    return text + " " * (width - cells(text))


def right(text: str, width: int) -> str:
    """Exactly `width` cells, text at the right."""
    text = clip(text, width)
    return " " * (width - cells(text)) + text
