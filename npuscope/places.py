"""What lies at a path. Never raises: where that cannot be found out (a name too long, a folder closed to us), nothing does."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

Place = str | PathLike[str]


def is_file(path: Place) -> bool:
    """A regular file, or a link to one."""
    if isinstance(path, os.DirEntry) and not path.is_symlink():  # known without a call
        return path.is_file(follow_symlinks=False)
    return os.path.isfile(path)  # noqa: PTH113 - Path's own raises for EACCES and ENAMETOOLONG


def is_folder(path: Place) -> bool:
    """A folder, or a link to one."""
    if isinstance(path, os.DirEntry) and not path.is_symlink():
        return path.is_dir(follow_symlinks=False)
    return os.path.isdir(path)  # noqa: PTH112


def is_there(path: Place) -> bool:
    """Anything at all, links followed."""
    return os.path.exists(path)  # noqa: PTH110


def expanded(path: Place) -> Path:
    """With the home of a user in place of ~; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
