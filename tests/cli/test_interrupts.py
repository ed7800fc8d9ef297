"""Ctrl+C at any moment: no traceback, and the status that shells know."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from builders.models import DENOISER
from builders.signals import as_at_a_terminal

from npuscope.__main__ import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl+C there")

_RUN = """
import atexit, os, signal, sys, weakref
MOMENT = sys.argv.pop(1)
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
class Finder:
    # As what many libraries do on import: an exception of any kind is taken for a module that is absent.
    def find_spec(self, name, path=None, target=None):
        if name == MOMENT:
            try:
                interrupt()
            except BaseException:
                print("swallowed")
                raise ImportError(name)
sys.meta_path.insert(0, Finder())
if MOMENT == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    MOMENT = "numpy"
if MOMENT == "at exit":
    atexit.register(interrupt)
from npuscope.__main__ import run
if MOMENT == "at work":
    import npuscope.session
    npuscope.session.Session.open = lambda *_, **__: interrupt()
sys.exit(run())
"""


def ended(moment: str) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, "-c", _RUN, moment, "check", str(DENOISER)]
    with as_at_a_terminal():
        return subprocess.run(words, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=300)


@pytest.mark.parametrize("moment", ["npuscope.cli.main", "numpy", "npuscope.snapshot"])
def test_while_importing(moment: str) -> None:
    done = ended(moment)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_while_working() -> None:
    done = ended("at work")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_after_the_work() -> None:
    done = ended("at exit")
    assert (done.returncode, done.stderr) == (130, b"")
    assert b"denoiser" in done.stdout


def test_where_it_is_ignored_it_stays_ignored() -> None:
    done = ended("ignored")
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_event_loop_gets_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio replaces Python's own handler only; with another one Ctrl+C would end it in the middle of a task."""
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def explore(*_: object, **__: object) -> int:
        seen.append(signal.getsignal(signal.SIGINT))
        return 0

    monkeypatch.setattr("npuscope.tui.run.run", explore)
    monkeypatch.setenv("TEXTUAL_DRIVER", "any")
    monkeypatch.setattr(sys, "argv", ["npuscope", str(DENOISER)])
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        assert run() == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.default_int_handler]
