"""What lies in a folder: folders, models and recipes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".onnx", ".toml")
"""Models and recipes."""
MOST = 2000
"""Entries listed at most; typing narrows them down."""


@dataclass(frozen=True, slots=True)
class Found:
    """A folder or a file; `size` in bytes."""

    name: str
    path: Path
    folder: bool
    size: int = 0


def folder_of(typed: str) -> Path:
    """The folder a typed path lies in, or is."""
    path = Path(typed).expanduser()
    return path if typed.endswith("/") or not typed else path.parent


def entries(typed: str) -> list[Found]:
    """Folders first, then models and recipes, whose names hold what follows the last '/'. Empty where it cannot be read."""
    try:
        folder = folder_of(typed)
        part = "" if typed.endswith("/") else Path(typed).name.lower()
        found = []
        with os.scandir(folder) as listing:
            for item in listing:
                name = item.name
                if part not in name.lower() or (name.startswith(".") and not part.startswith(".")):
                    continue
                if item.is_dir():
                    found.append(Found(name, folder / name, True))
                elif name.lower().endswith(SUFFIXES) and item.is_file():
                    found.append(Found(name, folder / name, False, item.stat().st_size))
                if len(found) >= MOST:
                    break
    except (OSError, ValueError, RuntimeError):
        return []
    found.sort(key=lambda entry: (not entry.folder, entry.name.lower()))
    if not part and folder.resolve().parent != folder.resolve():
        found.insert(0, Found("..", folder.resolve().parent, True))
    return found
