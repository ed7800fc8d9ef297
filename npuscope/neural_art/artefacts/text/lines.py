"""A tool's output as clean lines: whatever encoding, log prefixes, colours and progress bars it came with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from npuscope.model.errors import ModelError
from npuscope.model.tensors import file_bytes
from npuscope.neural_art.artefacts.text.paste import ANSI, unwrapped, without_prefix

MAX_BYTES = 64 << 20
"""The largest artefact read; the largest seen has 4 MB."""
MAX_LINES = 2_000_000
MAX_LINE = 20_000
"""Characters of a line that are looked at; the longest seen, a compiler command, has 3,000."""

_QUOTES = re.compile(r"(?:[ \t]?>(?!>))+[ \t]")
"""A quotation's marks; a report's own '>> ' and '>>>> ' stay."""
_CONTROL = {c: None for c in range(32) if c not in (9, 10, 13)} | {127: None, 0xFEFF: None}
_BREAK = re.compile(r"[^\r\n]+")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file. Raises ModelError, in one line, where it cannot be read or is too large."""
    return file_bytes(Path(path), MAX_BYTES, "a file that ST's tools wrote")


def decode(data: bytes) -> str:
    """Text in UTF-8 or, as Windows shells and editors write it, in UTF-16 or the Windows code page."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return unwrapped(data.decode("utf-16", "replace"))
    head = data[:4000]
    if head.count(0) > len(head) // 4:
        # Every other byte of Latin text is 0; which one tells the order.
        order = "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
        return unwrapped(data.decode(order, "replace"))
    try:
        return unwrapped(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return unwrapped(data.decode("cp1252", "replace"))


def is_text(data: bytes) -> bool:
    """Hardly any byte is one that no text has; NULs are UTF-16's."""
    head = data[:HEAD]
    return len(head.translate(None, _UNPRINTABLE)) > 0.97 * len(head)


HEAD = 200_000
"""Bytes looked at to tell what a file is."""
_UNPRINTABLE = bytes(set(range(1, 32)) - {8, 9, 10, 12, 13, 27}) + b"\x7f"


def lines(text: str, where: str = "the text") -> Iterator[str]:
    """The lines without log prefixes, escape sequences and control characters; empty ones are left out.

    A carriage return ends a line, so that what a progress bar overwrote does not stick to what follows it.
    """
    for count, match in enumerate(_BREAK.finditer(text)):
        if count == MAX_LINES:
            raise ModelError(f"{where}: has more than {MAX_LINES:,} lines; cut out the part that matters")
        line = clean(match[0][:MAX_LINE])
        if line:
            yield line


def clean(line: str) -> str:
    """One line without what a terminal or a logger put in it; trailing blanks go too."""
    if "\x1b" in line:
        line = ANSI.sub("", line)
    if "\b" in line:
        line = _erased(line)
    if not line.isprintable():
        line = line.replace("\t", "    ").translate(_CONTROL)
    if line[:2].lstrip(" ").startswith(">") and (quotes := _QUOTES.match(line)) is not None:
        line = line[quotes.end() :]
    line = without_prefix(line)
    return line.rstrip(" \t`")


def _erased(line: str) -> str:
    """What is left where a progress bar went back over what it had written."""
    kept: list[str] = []
    for character in line:
        if character != "\b":
            kept.append(character)
        elif kept:
            kept.pop()
    return "".join(kept)
