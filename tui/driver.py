"""The terminal: reading the keyboard so that no byte ends the program, and writing few of them."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from npuscope.tui.escape_codes import EscapeCodes

_SELECT_SECONDS = 0.1


class Keyboard:
    """Bytes of a terminal -> messages. Bytes that are not UTF-8 are skipped; a sequence that cannot be read is dropped."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug
        self._decode = getincrementaldecoder("utf-8")("ignore").decode
        self._parser = XTermParser(debug)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that some bytes complete."""
        text = self._decode(data)
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


class Terminal(LinuxDriver):
    """Textual's driver with our reading of the keyboard: its own stops at the first byte that is not UTF-8.

    What it writes is thinned: each piece of text would bring its colours and their reset with it.
    """

    _escape_codes: EscapeCodes | None = None

    def write(self, data: str) -> None:
        """Send text and sequences to the terminal."""
        if self._escape_codes is None:
            self._escape_codes = EscapeCodes()
        super().write(self._escape_codes.reduced(data))

    def run_input_thread(self) -> None:
        """Read until the program ends."""
        keyboard = Keyboard(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_SELECT_SECONDS):
                    data = os.read(self.fileno, 4096)
                    if not data:  # a pipe that was closed stays readable
                        self.exit_event.wait(_SELECT_SECONDS)
                    for message in keyboard.feed(data):
                        self.process_message(message)
                for message in keyboard.tick():
                    self.process_message(message)
        keyboard.end()
