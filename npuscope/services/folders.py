"""The models among paths: files as they are named, and what lies in folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from npuscope.places import is_folder

SUFFIXES = (".onnx", ".tflite")
MOST_FILES = 100_000


def model_files(paths: Sequence[str]) -> list[str]:
    """Each file once, in the order of the paths, those of a folder and the folders in it by name.

    A folder without a model stands for itself, so that whoever opens it says so.
    """
    listed: dict[str, None] = {}
    for path in paths:
        if not is_folder(path):
            listed[path] = None
            continue
        within = list(_within(path))
        listed |= dict.fromkeys(within or [path])
    return list(listed)


def size_of(path: str) -> int:
    """Bytes of a file, 0 where there is none."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def _within(folder: str) -> Iterator[str]:
    """Model files of a folder; links to folders are not followed, hidden files and folders left out."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                count += 1
                if count > MOST_FILES:
                    return
                yield str(Path(place) / name)
