"""The terminal: reading the keyboard so that no byte ends the program, and writing few of them."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from npuscope.tui.escape_codes import EscapeCodes
from npuscope.tui.terminal import fills_erased_cells

_SELECT_SECONDS = 0.1
HUNG_UP = 129
"""Exit status, as for SIGHUP."""

MOST_PASTED = 1 << 16
"""Characters of a paste that are taken."""

_BEGIN, _END = "\x1b[200~", "\x1b[201~"


class Pastes:
    """Pastes without what Textual would read as keys in them: an escape sequence in one was typed, not pasted."""

    def __init__(self) -> None:
        self._left = 0
        """Characters that the paste may still have."""
        self._pasting = False
        self._before, self._held = "", ""
        """The last that was read outside of a paste, and what may begin the end of one."""

    def plain(self, text: str) -> str:
        """What was read, as it is outside of pastes."""
        made: list[str] = []
        while text:
            if self._pasting:
                inside, end, text = (self._held + text).partition(_END)
                held = 0 if end else max(n for n in range(len(_END)) if inside.endswith(_END[:n]))
                inside, self._held = inside[: len(inside) - held], inside[len(inside) - held :]
                taken = inside.replace("\x1b", "")[: self._left]
                self._left -= len(taken)
                self._pasting = not end
                made += (taken, end)
            else:
                known = len(self._before)
                whole = self._before + text
                at = whole.find(_BEGIN)
                end_at = len(whole) if at < 0 else at + len(_BEGIN)
                made.append(whole[known:end_at])
                text = whole[end_at:]
                self._pasting, self._left, self._before = at >= 0, MOST_PASTED, "" if at >= 0 else whole[-5:]
        return "".join(made)


class Keyboard:
    """Bytes of a terminal -> messages. Bytes that are not UTF-8 are skipped; a sequence that cannot be read is dropped."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug
        self._decode = getincrementaldecoder("utf-8")("ignore").decode
        self._parser = XTermParser(debug)
        self._pastes = Pastes()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that some bytes complete."""
        text = self._pastes.plain(self._decode(data))
        if text:
            yield from self._guarded(lambda: self._parser.feed(text))

    def tick(self) -> Iterator[Message]:
        """What a pause completes: an Escape that begins no sequence."""
        yield from self._guarded(self._parser.tick)

    def end(self) -> None:
        """No more bytes come."""
        for _ in self._guarded(lambda: self._parser.feed("")):
            pass

    def _guarded(self, read: Callable[[], Iterable[Message]]) -> Iterator[Message]:
        try:
            yield from read()
        except (EOFError, ParseError, ValueError, IndexError, KeyError, OverflowError):
            self._parser = XTermParser(self._debug)


class PatientOutput:
    """What is drawn on, which may be gone: Textual's thread that writes would end, and what waits for it with it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if anything takes it."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        """Have it all on its way."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def fileno(self) -> int:
        """The number of the file."""
        return self._file.fileno()


class Terminal(LinuxDriver):
    """Textual's driver with our reading of the keyboard: its own stops at the first byte that is not UTF-8.

    What it writes is thinned: each piece of text would bring its colours and their reset with it.
    """

    _escape_codes: EscapeCodes | None = None

    def start_application_mode(self) -> None:
        """Take the terminal over."""
        if isinstance(self._file, io.TextIOWrapper):  # else it was taken over before
            self._file = PatientOutput(self._file)  # type: ignore[assignment]
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def write(self, data: str) -> None:
        """Send text and sequences to the terminal."""
        if self._escape_codes is None:
            width, _ = self._get_terminal_size()
            self._escape_codes = EscapeCodes(width, fills_erased_cells(os.environ))
        super().write(self._escape_codes.reduced(data))

    def resized(self, width: int) -> None:
        """The terminal has another size; all is sent again."""
        if self._escape_codes is not None:
            self._escape_codes.resized(width)

    def forget(self) -> None:
        """What the terminal shows is not known any more; all is sent again."""
        if self._escape_codes is not None:
            self._escape_codes.forget()

    def run_input_thread(self) -> None:
        """Read until the program ends."""
        keyboard, at_terminal = Keyboard(self._debug), os.isatty(self.fileno)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_SELECT_SECONDS):
                    data = self._read()
                    if (
                        not data and at_terminal
                    ):  # it is gone, and SIGHUP was ignored or goes to another process
                        self._app.call_later(self._app.exit, return_code=HUNG_UP)
                        return
                    if not data:  # a pipe that was closed stays readable
                        self.exit_event.wait(_SELECT_SECONDS)
                    for message in keyboard.feed(data):
                        self.process_message(message)
                for message in keyboard.tick():
                    self.process_message(message)
        keyboard.end()

    def _read(self) -> bytes:
        """What was typed, b"" where no more can come."""
        try:
            return os.read(self.fileno, 4096)
        except OSError:  # Linux says EIO for a terminal that is gone
            return b""
