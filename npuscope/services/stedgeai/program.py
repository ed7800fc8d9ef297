"""ST's compiler as a process: where it is, and a run of it that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from npuscope.jobs import QUIET, Job, StoppedError
from npuscope.model.errors import ModelError
from npuscope.model.names import printable
from npuscope.places import is_file
from npuscope.record import dataclass

HOME = "STEDGEAI_CORE_DIR"
"""The environment variable that ST's tools use for the folder of ST Edge AI Core."""
PLACES = {"linux": ("linux",), "darwin": ("mac", "macarm"), "win32": ("windows",)}
TIME_LIMIT = 1800.0
"""Seconds: a large network takes minutes."""
LARGEST_LOG = 64 << 20
_PAUSE = 0.05
_GRACE = 3.0
_TAIL = 16 << 10
_LINE = 200


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended. `reason` is '' where the compiler itself ended and had no complaint."""

    status: int
    seconds: float
    reason: str


def find_program(environment: Mapping[str, str] | None = None) -> str:
    """The compiler: in STEDGEAI_CORE_DIR, else on the path. Raises ModelError where it is in neither."""
    known = os.environ if environment is None else environment
    name = "stedgeai.exe" if sys.platform == "win32" else "stedgeai"
    home = known.get(HOME, "")
    if home:
        for place in PLACES.get(sys.platform, ("linux",)):
            candidate = Path(home) / "Utilities" / place / name
            if is_file(candidate) and os.access(candidate, os.X_OK):
                return str(candidate)
        raise ModelError(
            f"{HOME}={printable(home)[:200]}: holds no Utilities/{PLACES.get(sys.platform, ('linux',))[0]}/{name}"
        )
    path = shutil.which(name, path=known.get("PATH"))
    if path is None:
        raise ModelError(
            f"stedgeai: is not on the path, and {HOME} is not set; install ST Edge AI Core and set it to its folder"
        )
    return str(Path(path).absolute())


def run_program(
    arguments: Sequence[str], folder: Path, log: Path, limit: float = TIME_LIMIT, job: Job = QUIET
) -> Run:
    """Run it in a folder, everything it prints in `log`, without a shell and without input.

    1. The job is told (seconds, limit). Raises StoppedError where it is stopped.
    2. Whichever way this returns, neither it nor a process it began still runs.
    """
    began = time.monotonic()
    with log.open("ab") as output:
        start = output.tell()  # the command itself is no message
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own compiler, an argument list, no shell
                list(arguments),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise ModelError(f"{arguments[0]}: cannot be started ({error.strerror or error})") from error
        try:
            reason = _wait(process, log, limit, began, job)
        finally:
            _end(process)
    seconds = time.monotonic() - began
    status = process.returncode
    if not reason and status:
        message = last_line(log, start)
        reason = f"{_ended(status)}{f': {message}' if message else ''}"
    return Run(status, seconds, reason)


def _ended(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _wait(process: subprocess.Popen[bytes], log: Path, limit: float, began: float, job: Job) -> str:
    """Wait for its end; why it is not waited for any longer, '' where it ended."""
    reported = -1
    while process.poll() is None:
        if job.should_stop is not None and job.should_stop():
            raise StoppedError
        seconds = time.monotonic() - began
        if int(seconds) != reported:
            reported = int(seconds)
            job.report(reported, round(limit))
        if seconds > limit:
            return f"was stopped after {limit:g} s, its time limit"
        with contextlib.suppress(OSError):
            if log.stat().st_size > LARGEST_LOG:
                return f"was stopped: it printed more than {LARGEST_LOG >> 20} MiB"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PAUSE)
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it began: it may have left processes behind even where it ended by itself."""
    if os.name != "posix":
        process.kill()  # nothing comes of it where it has ended
        process.wait()
        return
    _signal_group(process.pid, signal.SIGTERM)
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def last_line(log: Path, start: int = 0) -> str:
    """The last line of a log that says something, made safe to show; from the byte `start` on."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if any(map(str.isalnum, line))]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E0")]
    return printable((errors or lines or [""])[-1])[:_LINE]
