"""This program's side of the process that runs models: starts it, asks it, and ends it where a limit is reached."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from npuscope.model.errors import ModelError
from npuscope.model.inference.child import own_module
from npuscope.model.tensors import Array
from npuscope.numbers.runtime.frames import BrokenFrameError, read_frame, write_frame
from npuscope.record import dataclass

START_SECONDS = 120.0
"""What the process may take to be there, on a machine that is busy with other things."""


class LimitError(ModelError):
    """A limit was reached, or the process ended: in words that follow a name of what was run."""


class NotStartedError(LimitError):
    """No model can be run: in a sentence of its own."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request may take: bytes of memory, seconds on the clock, and bytes of an answer.

    `weights` is memory for what the model's own file holds, as long as its session is open.
    """

    memory: int
    seconds: float
    answer: int
    weights: int = 0


class RuntimeProcess:
    """One process for all models, started when first asked; a new one where it ended. Threads take turns."""

    def __init__(self) -> None:
        self.generation = 0
        """How often it was started; sessions of other generations no longer exist."""
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._closed: deque[tuple[int, int]] = deque()
        self._numbers = itertools.count(1)

    def ask(
        self, what: dict[str, Any], arrays: Sequence[Array], allowed: Allowance, generation: int | None = None
    ) -> tuple[dict[str, Any], list[Array]]:
        """One request and its answer, which may hold an 'error'.

        Raises LimitError where a limit is reached or the process ends; GoneError for a session of a process that ended.
        """
        with self._turn:
            process = self._running()
            if generation is not None and generation != self.generation:
                raise GoneError
            header = {
                **what,
                "memory": allowed.memory,
                "seconds": allowed.seconds,
                "most": allowed.answer,
                "weights": allowed.weights,
                "close": self._to_close(),
            }
            return self._exchange(process, header, arrays, allowed)

    def number(self) -> int:
        """A number for a new session."""
        return next(self._numbers)

    def forget(self, generation: int, number: int) -> None:
        """A session is not needed any more; it is closed with the next request. Safe wherever objects are collected."""
        self._closed.append((generation, number))

    def _to_close(self) -> list[int]:
        numbers = []
        while self._closed:
            generation, number = self._closed.popleft()
            if generation == self.generation:
                numbers.append(number)
        return numbers

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.end()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by this very interpreter
                own_module("npuscope.numbers.runtime.serve"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "MALLOC_ARENA_MAX": "1",
                },  # each takes 64 MB of address space, which is limited
                start_new_session=True,  # Ctrl-C in the terminal is for this process alone, which ends the other
            )
        except OSError as error:
            raise NotStartedError(
                f"the process that runs models could not be started ({error.strerror or error})"
            ) from error
        self.generation += 1
        with _ended_after(self._process, START_SECONDS):
            try:
                assert self._process.stdout is not None
                read_frame(self._process.stdout)  # type: ignore[arg-type]
            except BrokenFrameError as error:
                self.end()
                raise NotStartedError(
                    "the process that runs models did not start; is onnxruntime installed?"
                ) from error
        return self._process

    def _exchange(
        self,
        process: subprocess.Popen[bytes],
        header: dict[str, Any],
        arrays: Sequence[Array],
        allowed: Allowance,
    ) -> tuple[dict[str, Any], list[Array]]:
        assert process.stdin is not None and process.stdout is not None
        try:
            with _ended_after(process, allowed.seconds) as clock:
                try:
                    write_frame(process.stdin, header, arrays)  # type: ignore[arg-type]
                    return read_frame(process.stdout)  # type: ignore[arg-type]
                except (BrokenFrameError, OSError) as error:
                    status = process.wait()
                    raise LimitError(_ending(status, clock.is_set(), allowed)) from error
        except BaseException:  # the answer of an interrupted request must not be taken for that of the next
            self.end()
            raise

    def end(self) -> None:
        """End the process, and with it every session."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert stream is not None
                stream.close()

    def leave(self) -> None:
        """In a process that was forked off: what runs belongs to the parent, and this one starts its own."""
        process, self._process = self._process, None
        self._turn, self._closed = threading.Lock(), deque()
        self.generation += 1  # so that sessions of before are opened again
        if process is not None:
            _LEFT.append(process)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


_LEFT: list[subprocess.Popen[bytes]] = []
"""Of the parent: not to be collected, which would ask after a process that is not a child of this one."""


class GoneError(Exception):
    """A session whose process ended with another's run: it can be opened again."""


@contextlib.contextmanager
def _ended_after(process: subprocess.Popen[bytes], seconds: float) -> Any:
    reached = threading.Event()

    def end() -> None:
        reached.set()
        process.kill()

    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), end)
    timer.daemon = True
    timer.start()
    try:
        yield reached
    finally:
        timer.cancel()


def _ending(status: int, late: bool, allowed: Allowance) -> str:
    if late:
        return f"took more than {allowed.seconds:.3g} s; --time-limit allows more"
    if status == -getattr(signal, "SIGXCPU", 24):
        return f"took more than {allowed.seconds:.3g} s of the CPU; --time-limit allows more"
    if status in (-getattr(signal, "SIGKILL", 9), -getattr(signal, "SIGABRT", 6)):
        return f"was ended with {allowed.memory + allowed.weights >> 20} MB allowed (signal {-status})"
    return f"crashed (signal {-status})" if status < 0 else f"ended (status {status})"


PROCESS = RuntimeProcess()
"""The one of this process."""

atexit.register(PROCESS.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROCESS.leave)
