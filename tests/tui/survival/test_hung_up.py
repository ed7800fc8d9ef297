"""A terminal that goes away while the explorer is open: it ends, and nothing waits for what cannot be written."""

import os
import pty
import sys
from threading import Event
from typing import Any, TextIO

import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from npuscope.tui.driver import HUNG_UP, PatientOutput, Terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")


class _App:
    """Notes what it is asked to do later."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    def call_later(self, what: Any, **values: Any) -> None:
        self.asked.append((what, values))

    def exit(self) -> None:
        """Never called: it is only asked for."""


def _terminal(number: int) -> tuple[Terminal, _App]:
    made, app = Terminal.__new__(Terminal), _App()
    made.fileno, made._debug, made._app, made.exit_event = number, False, app, Event()  # type: ignore[assignment]
    return made, app


def test_a_terminal_that_is_gone_ends_the_explorer() -> None:
    ours, theirs = pty.openpty()
    terminal, app = _terminal(theirs)
    os.close(ours)
    # The kernel says that a closed pseudo-terminal is none any more; before it was closed it was one.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "isatty", lambda _: True)
        terminal.run_input_thread()
    os.close(theirs)
    assert app.asked == [(app.exit, {"return_code": HUNG_UP})]


def test_a_pipe_that_is_closed_is_waited_on() -> None:
    read, write = os.pipe()
    os.close(write)
    terminal, app = _terminal(read)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        terminal.exit_event.set()
        return True

    terminal.exit_event.wait = wait  # type: ignore[method-assign,assignment]
    terminal.run_input_thread()
    os.close(read)
    assert len(waits) == 1 and app.asked == []


class _Gone(TextIO):
    def __init__(self) -> None:
        self.tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise ValueError("I/O operation on closed file")


def test_writing_to_a_terminal_that_is_gone_waits_for_nothing() -> None:
    gone = _Gone()
    writer = WriterThread(PatientOutput(gone))  # type: ignore[arg-type]
    writer.start()
    for _ in range(3 * MAX_QUEUED_WRITES):  # more than may wait
        writer.write("x")
    writer.stop()
    assert gone.tried == 3 * MAX_QUEUED_WRITES
