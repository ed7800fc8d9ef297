"""The explorer as a terminal gets it: seconds to the first screen, from a key to its frame, and bytes on the line."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

NPUSCOPE = [str(Path(sys.executable).with_name("npuscope"))]
DOWN, PAGE_DOWN, PAGE_UP = b"\x1b[B", b"\x1b[6~", b"\x1b[5~"

PART = b"part1"
"""In the name of a layer that a split makes."""

QUIET = 0.15
"""Seconds without a byte after which a frame is taken to be whole."""


@dataclass(frozen=True)
class Frame:
    """What came after a key: seconds to the last byte, and bytes."""

    seconds: float
    size: int
    first: float = 0.0
    """Seconds to the first bytes: a frame is one write."""


class Terminal:
    """A program in a pseudo-terminal of its own, with a home of its own: one that is killed leaves nothing in the user's."""

    def __init__(self, command: Sequence[str], columns: int = 120, rows: int = 40) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="npuscope-bench-")
        self.begin = time.perf_counter()
        self.child, self.line = pty.fork()
        if self.child == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.environ.update(HOME=self.home.name, XDG_STATE_HOME=f"{self.home.name}/state")
            os.execv(command[0], list(command))
        self.got = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.line)
        self.home.cleanup()

    def read(self, wait: float) -> bytes:
        """What comes within some seconds; b'' where nothing does."""
        ready, _, _ = select.select([self.line], [], [], wait)
        if not ready:
            return b""
        try:
            return os.read(self.line, 1 << 16)
        except OSError:
            return b""

    def until(self, text: bytes, most: float = 120.0) -> float:
        """Seconds from the start to when some text was sent."""
        while text not in self.got:
            piece = self.read(1.0)
            self.got += piece
            if time.perf_counter() - self.begin > most:
                raise TimeoutError(f"{text!r} did not come within {most} s")
        return time.perf_counter() - self.begin

    def rest(self, quiet: float = QUIET) -> int:
        """Read until nothing comes any more; the bytes."""
        size = 0
        while piece := self.read(quiet):
            self.got += piece
            size += len(piece)
        return size

    def press(self, key: bytes) -> Frame:
        """Press a key and read its frame."""
        begin = last = time.perf_counter()
        os.write(self.line, key)
        size, first = 0, 0.0
        while piece := self.read(QUIET):
            last = time.perf_counter()
            first = first or last - begin
            self.got += piece
            size += len(piece)
        return Frame(last - begin, size, first)

    def shown_after(self, key: bytes, text: bytes, most: float = 30.0) -> float:
        """Seconds from a key to some text that was not sent before."""
        self.got = b""
        begin = time.perf_counter()
        os.write(self.line, key)
        while text not in self.got:
            self.got += self.read(1.0)
            if time.perf_counter() - begin > most:
                raise TimeoutError(f"{text!r} did not come within {most} s")
        return time.perf_counter() - begin


def split_times(
    shown: Terminal, layer: bytes, parts: bytes, runs: int = 5
) -> tuple[list[float], list[float]]:
    """Seconds from a key to the parts of a layer in the tree: as it is split, and as that is made again after `u`.

    The header counts the edit earlier, while the model is still analysed.
    """

    def press(keys: bytes) -> None:
        for key in keys:
            shown.press(bytes([key]))

    press(b"/" + layer + b"\r")
    made, again = [], []
    for _ in range(runs):
        press(b"s")
        shown.rest(1.0)
        press(parts)
        made.append(shown.shown_after(b"\r", PART))
        shown.rest(1.0)
        press(b"u")
        shown.rest(1.0)
        again.append(shown.shown_after(b"r", PART))
        shown.rest(1.0)
        press(b"u")
        shown.rest(1.0)
    return made, again


def p95(frames: Sequence[Frame], what: Literal["seconds", "first"] = "seconds") -> float:
    """The time of the 95th of 100 frames."""
    times = sorted(getattr(frame, what) for frame in frames)
    return float(times[min(int(len(times) * 0.95), len(times) - 1)])


def bytes_of(frames: Sequence[Frame]) -> float:
    """The median of their bytes."""
    return statistics.median(frame.size for frame in frames)
