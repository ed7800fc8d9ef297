"""onnx's shape inference, asked in a fork of a process that has onnx loaded: to load it for each model takes 0.3 s.

Limits, request and answer are those of `npuscope.model.inference.child`, whose own tests start a process each time.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest

from npuscope.model.inference import child, complete

_SERVER = """
import io, os, pickle, signal, sys
import onnx.shape_inference
from npuscope.model.inference import child, types
asked, answered = sys.stdin.buffer, sys.stdout.buffer
while True:
    try:
        model, memory, seconds, clock = pickle.load(asked)
    except EOFError:
        break
    reader, writer = os.pipe()
    number = os.fork()
    if not number:
        signal.setitimer(signal.ITIMER_REAL, clock)
        os.close(reader)
        sys.stdin, sys.stdout = io.TextIOWrapper(io.BytesIO(model)), os.fdopen(writer, "w")
        status = 1
        try:
            status = child._main(memory, seconds)
            sys.stdout.flush()
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer = stream.read()
    pickle.dump((os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), answer), answered)
    answered.flush()
"""

_servers: dict[int, subprocess.Popen[bytes]] = {}
"""By the number of the process that asks: one that was forked for models of its own asks another."""

_turn = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_turn.acquire, after_in_parent=_turn.release, after_in_child=_turn.release)


def _running() -> subprocess.Popen[bytes]:
    server = _servers.get(os.getpid())
    if server is None or server.poll() is not None:
        words = [sys.executable, "-c", _SERVER]
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        _servers[os.getpid()] = server
    return server


def end() -> None:
    """With the process that asked."""
    server = _servers.pop(os.getpid(), None)
    if server is not None:
        for stream in (server.stdin, server.stdout):
            assert stream is not None
            stream.close()
        server.wait()


def run(command: list[str], *, timeout: float, **how: Any) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run` of the module."""
    with _turn:
        server = _running()
        assert server.stdin is not None and server.stdout is not None
        pickle.dump((how["input"], int(command[-2]), int(command[-1]), timeout), server.stdin)
        server.stdin.flush()
        status, answer = pickle.load(server.stdout)
    if status == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(command, timeout)
    return subprocess.CompletedProcess(command, status, answer)


_stand_in = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
inferred_by_onnx = FunctionType(
    child.inferred_by_onnx.__code__, {**vars(child), "subprocess": _stand_in}, "inferred_by_onnx"
)


def use(patch: pytest.MonkeyPatch) -> None:
    """Whoever completes the types of a model gets it, where a process can fork."""
    if hasattr(os, "fork"):
        patch.setattr(complete, "inferred_by_onnx", inferred_by_onnx)
