"""Names out of a model file, made safe and short enough to show."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npuscope.model.layer import Layer

QUOTED = 120
"""Characters of a name in a sentence."""


def printable(name: str) -> str:
    """`name` with every character a terminal could act on replaced by a visible escape.

    1. Control, format, surrogate and private characters become `\\xNN` or `\\uNNNN`.
    2. Everything else is kept, so two different names stay different.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


def shortened(name: str, width: int) -> str:
    """`name` in at most `width` characters; the middle is left out, since both ends tell names apart."""
    if len(name) <= width:
        return name
    if width < 5:
        return name[:width]
    tail = (width - 1) * 2 // 3
    return f"{name[: width - 1 - tail]}…{name[-tail:]}"


def quoted(name: str) -> str:
    """`name` as a sentence says it: whole, unless it is so long that nobody reads it."""
    return printable(shortened(name, QUOTED))


_PLAIN = re.compile(r"[\w./:+=-]+")
"""Words that no shell takes apart."""


def typed(word: str) -> str:
    """`word` as one writes it in a command: printable, and in quotes where a shell would take it apart or act on it."""
    text = printable(word)
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def with_article(word: str) -> str:
    """'an Add', 'a Conv', 'an Unsqueeze', 'an LSTM'."""
    capitals = word[: len(word) - len(word.lstrip(ascii_uppercase))]
    # LSTM and RMSNormalization are spelled out, STRING is read.
    spelled = word[:1] in tuple("FHLMNRSX") and len(capitals) > 1 and not set(capitals) & set("AEIOU")
    spelled = spelled or word.startswith("Lp")
    vowel = word[:1] in tuple("AEIOaeio") or (word[:1] == "U" and not word.startswith("Uni"))
    return f"{'an' if vowel or spelled else 'a'} {word}"


def printable_kind(layer: Layer) -> str:
    """The layer's kind, safe to print."""
    kind = layer.kind
    return kind if kind.isascii() and kind.isidentifier() and len(kind) <= 40 else repr(kind[:40])[1:-1]
