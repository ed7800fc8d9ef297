"""Temporary files: written beside their final name, and cleared away where the process died before they got it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from npuscope.model.errors import ModelError
from npuscope.places import is_folder, is_there

_NAME = re.compile(r"\.npuscope-(\d{1,10})-[0-9a-f]{12}\.tmp(\.light)?")
"""The process that writes it, a random number; '.light' is what an export checks in its place."""

# Of the Windows API: an access right, an error of OpenProcess where there is no such process, an exit code.
_QUERY_LIMITED_INFORMATION, _ERROR_INVALID_PARAMETER, _STILL_ACTIVE = 0x1000, 87, 259
_LARGEST_DWORD = 2**32 - 1


@contextlib.contextmanager
def on_the_way_to(place: Path) -> Iterator[Path]:
    """A new, empty file in the folder of `place`, which is removed afterwards unless it was moved.

    1. It is locked, so that another process can see that it is still wanted. A lock dies with its process.
    2. What dead processes left in the folder is cleared away first.
    3. Raises OSError where no file can be made there.
    """
    sweep(place.parent)
    path = place.parent / f".npuscope-{os.getpid()}-{os.urandom(6).hex()}.tmp"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        _lock(handle)
        if os.name != "posix":
            os.close(handle)  # an open file cannot be moved there
        yield path
    finally:
        if os.name == "posix":
            os.close(handle)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove files of this program's own pattern whose process has died and that nobody holds a lock on.

    A folder that cannot be looked into, or whose name no file system takes, is left alone.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError, ValueError), os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
        for name in names:  # a .tmp comes before its .light
            match = _NAME.fullmatch(name)
            assert match is not None, "it has just matched"
            with contextlib.suppress(OSError):
                if _is_left_over(folder / name, int(match[1]), light=bool(match[2])):
                    (folder / name).unlink()


def sweep_folders(start: str) -> None:
    """Remove this user's folders among the temporary files that are named so, a process and anything, where it has died."""
    named = re.compile(re.escape(start) + r"(\d{1,10})-[0-9a-z_]{1,16}")
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            match = named.fullmatch(entry.name)
            if match is None or entry.is_symlink() or not is_folder(entry) or is_running(int(match[1])):
                continue
            if os.name != "posix" or entry.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left_over(path: Path, process: int, light: bool) -> bool:
    own = process == os.getpid()  # numbers come round again, in a container soon: then the lock decides
    if not own and is_running(process):
        return False
    if light:
        return not is_there(path.with_suffix(""))
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and _lock(handle)
    finally:
        os.close(handle)


def is_running(process: int) -> bool:
    """A process of this number runs, this program's or another."""
    if sys.platform == "win32":
        return _is_running_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


if sys.platform == "win32":

    def _is_running_on_windows(process: int) -> bool:
        """There, to send signal 0 is to send Ctrl+C."""
        if process > _LARGEST_DWORD:
            return False
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(
            kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, ctypes.c_uint32(process))
        )
        if not handle:
            return ctypes.get_last_error() != _ERROR_INVALID_PARAMETER  # else it is somebody else's
        status = ctypes.c_uint32()
        known = kernel.GetExitCodeProcess(handle, ctypes.byref(status))
        kernel.CloseHandle(handle)
        return not known or status.value == _STILL_ACTIVE


def _lock(handle: int) -> bool:
    """Take the lock of a file if nobody holds it; False where that is not so, or cannot be known."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def refuse_to_replace(place: Path, force: bool) -> None:
    """Raises ModelError where something lies at a path that may not be replaced: only regular files, with `force`.

    Raises OSError or ValueError for a name that no file system takes.
    """
    try:
        mode = os.lstat(place).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode) or is_folder(place):
        raise ModelError(f"{place}: is a directory; give the name of a file in it")
    if not force:
        raise ModelError(f"{place}: exists; give another name, or --force to replace it")
    if stat.S_ISLNK(mode):
        raise ModelError(f"{place}: is a link, which --force does not replace; name the file itself")
    if not stat.S_ISREG(mode):
        raise ModelError(f"{place}: is a device or a pipe, which is never replaced; give another name")
