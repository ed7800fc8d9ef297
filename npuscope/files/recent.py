"""Recent: the models opened last, by path, in the user's state folder. Nothing of it is worth an error."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from npuscope.files.atomic import write_text
from npuscope.files.journal import state_folder
from npuscope.places import is_file

MOST = 20
"""Paths that are remembered."""
MOST_BYTES = 1 << 17


def place() -> Path:
    """Where they are kept."""
    return state_folder() / "recent.json"


def remember(path: str | os.PathLike[str]) -> bool:
    """Put a model first. False where that cannot be written."""
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        name = str(Path(path).absolute())  # links stay as the user names them
        kept = [name, *(other for other in _read() if other != name)][:MOST]
        file = place()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # ASCII: names that are not text go through as surrogates.
        write_text(file, json.dumps(kept, indent=0) + "\n")
        return True
    return False


def recent() -> list[Path]:
    """Models opened last that are still there, the newest first."""
    return [path for path in map(Path, _read()) if _is_file(path)]


def _read() -> list[str]:
    try:
        if not is_file(place()):  # a pipe would be waited for
            return []
        with place().open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        names = json.loads(data) if len(data) <= MOST_BYTES else []
    except (OSError, ValueError, RuntimeError, RecursionError):
        return []
    if not isinstance(names, list):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).is_absolute()][:MOST]


def _is_file(path: Path) -> bool:
    try:
        return is_file(path)
    except (OSError, ValueError):
        return False
