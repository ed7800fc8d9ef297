"""Standard output and error: what cannot be shown, streams that are closed or full, and words that are not ours."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, TextIO

from npuscope.model.names import printable

if TYPE_CHECKING:
    from npuscope.jobs import Job

WIDTH = 100
"""Columns where the output is not a terminal."""

NARROWEST = 60

_ASCII = {
    "·": "-", "→": "->", "×": "x", "…": "...", "–": "-", "—": "-", "’": "'", "µ": "u", "≤": "<=", "≥": ">=", "²": "2",
}  # fmt: skip
"""What stands for a character that the output's encoding does not hold."""


class OutputError(Exception):
    """Standard output does not take what is written: a full disk."""


# -- streams


def prepare() -> None:
    """Make both streams such that writing never fails for a character, or for a stream that was closed before."""
    with contextlib.suppress(LookupError):
        codecs.register_error("npuscope", _substitute)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="npuscope")


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(c, "?") for c in error.object[error.start : error.end]), error.end


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - it lives as long as the process


def finish(status: int) -> int:
    """Write out what is buffered; the exit status, which a reader that went away (`| head`) does not change."""
    _write("")
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    return status


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        if not text:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        raise OutputError(error.strerror or str(error)) from error


def _drop_stdout() -> None:
    """What is still buffered must not raise again, now or at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def print_text(text: str) -> None:
    """Print a text that may or may not end its last line. Raises OutputError."""
    if text:
        _write(text if text.endswith("\n") else text + "\n")


def json_text(value: object) -> str:
    """One JSON value as every command writes it, with its last line ended."""
    return _indented(value, "\n") + "\n"


def _finite(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON holds no {value!r}")
    return float.__repr__(value)


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: int.__repr__,
    float: _finite,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
}


def _indented(value: Any, end: str) -> str:
    """What json.dumps makes with indent=2, in half the time: it leaves its C code where it is to indent.

    `end` ends a line, with the spaces that the next one begins with.
    """
    known, inner = _SCALARS, end + "  "
    if isinstance(value, dict) and value:
        try:
            before = _before(tuple(value), inner)
        except TypeError:  # a key that is no text becomes one: only json.dumps knows how
            texts = [key if isinstance(key, str) else json.dumps({key: 0})[2:-5] for key in value]
            before = _before(tuple(texts), inner)
        parts = []
        for start, item in zip(before, value.values(), strict=True):
            scalar = known.get(type(item))
            parts.append(start + (scalar(item) if scalar is not None else _indented(item, inner)))
        return f"{{{''.join(parts)}{end}}}"
    if isinstance(value, list | tuple) and value:
        parts = [
            scalar(item) if (scalar := known.get(type(item))) else _indented(item, inner) for item in value
        ]
        return f"[{inner}{f',{inner}'.join(parts)}{end}]"
    return json.dumps(value, allow_nan=False)


@lru_cache(maxsize=1 << 10)
def _before(keys: tuple[str, ...], inner: str) -> tuple[str, ...]:
    """What stands before each value of a dict: thousands of rows have the same keys. Raises TypeError for one that is no text."""
    return tuple(
        [f"{',' if place else ''}{inner}{encode_basestring_ascii(key)}: " for place, key in enumerate(keys)]
    )


def written(path: object) -> str:
    """The line that says a file was written."""
    return f"written {printable(str(path))}\n"


def print_json(value: object) -> None:
    """Print one JSON value. Raises OutputError."""
    print_text(json_text(value))


def note(text: str) -> None:
    """Say something on stderr beside the result; a path or a name in it is made safe to show."""
    complain(f"npuscope: {printable(text)}\n")


def complain(text: str) -> None:
    """Say on stderr what is wrong; where that takes nothing, the exit status is left to tell."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


@contextlib.contextmanager
def progress(what: str) -> Iterator[Job]:
    """A job that says on stderr how far it is, in a line that goes once it is done; QUIET where that is no terminal."""
    from npuscope.jobs import QUIET, Job

    if not sys.stderr.isatty():
        yield QUIET
        return
    shown = -1

    def say(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown:
            shown = percent
            complain(f"\r{what}: {percent} %")

    try:
        yield Job(say)
    finally:
        if shown >= 0:
            complain(f"\r{' ' * len(f'{what}: 100 %')}\r")


class _SafeStderr(io.TextIOWrapper):
    """A stderr that may be full or closed: no message is worth ending a command for."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


@contextlib.contextmanager
def own_words_only() -> Iterator[None]:
    """Keep what libraries write to the process's stderr off the screen; this program's own lines still get there."""
    if os.environ.get("NPUSCOPE_DEBUG") or not _is_stderr(sys.stderr):
        yield
        return
    sys.stderr.flush()
    own, before = os.dup(2), sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    stream = open(own, "wb", closefd=False)  # noqa: SIM115 - a number, and open beyond this block
    sys.stderr = _SafeStderr(stream, encoding=before.encoding, errors="npuscope", line_buffering=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        sys.stderr = before
        os.dup2(own, 2)
        os.close(own)


def _is_stderr(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):
        return False


# -- looks


def width() -> int:
    """Columns to print in: the terminal's, or COLUMNS, else WIDTH."""
    if not os.environ.get("COLUMNS", "").isdecimal() and not sys.stdout.isatty():
        return WIDTH
    import shutil

    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns)


def coloured(wanted: str) -> bool:
    """Whether to colour: 'always', 'never', or 'auto' on a terminal that takes it and without NO_COLOR."""
    if wanted != "auto":
        return wanted == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()
