"""A tool's output as clean lines: whatever encoding, log prefixes, colours and progress bars it came with."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from npuscope.model.errors import ModelError

MAX_BYTES = 64 << 20
"""The largest artefact read; the largest seen has 4 MB."""
MAX_LINES = 2_000_000
MAX_LINE = 20_000
"""Characters of a line that are looked at; the longest seen, a compiler command, has 3,000."""

_ANSI = re.compile(
    r"\x1b\[[0-9;:?<=>]{0,64}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)|\x1b[@-Z\\-_]"
)
_STAMP = re.compile(r"[ \t]*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?\]?[ \t]?")
_LOGGER = re.compile(r"\[[A-Z]{3,8}\][ \t]?(?:[\w.]{1,60}:\d{1,6}[ \t]?-[ \t]?)?")
_CONTROL = {c: None for c in range(32) if c not in (9, 10, 13)} | {127: None, 0xFEFF: None}
_BREAK = re.compile(r"[^\r\n]+")


def read_bytes(path: str | os.PathLike[str], limit: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises ModelError, in one line, where it cannot be read or is too large."""
    place = Path(path)
    try:
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise ModelError(f"{place}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{place}: cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "directory" if stat.S_ISDIR(status.st_mode) else "device or pipe"
            raise ModelError(f"{place}: is a {kind}; name a file that ST's tools wrote")
        if status.st_size > limit:
            raise ModelError(
                f"{place}: has {status.st_size / 1e6:.0f} MB, artefacts up to {limit / 1e6:.0f} MB are read; "
                "cut out the part that matters"
            )
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(limit + 1)[:limit]
    except OSError as error:
        raise ModelError(f"{place}: cannot be read ({error.strerror or error})") from error
    finally:
        os.close(handle)


def decode(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 where a byte order mark says so (what a Windows shell writes)."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


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
        line = _ANSI.sub("", line)
    if not line.isprintable():
        line = line.translate(_CONTROL)
    stamp = _STAMP.match(line)
    if stamp is not None:
        line = line[stamp.end() :]
        logger = _LOGGER.match(line)
        if logger is not None:
            line = line[logger.end() :]
    return line.rstrip()
