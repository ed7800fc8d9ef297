"""What lies in a folder: folders, models, recipes, and what ST's tools wrote."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

KINDS = {".onnx": "model", ".tflite": "model", ".toml": "recipe"}
"""Ending -> what to call it; other files are looked into."""
MOST = 2000
"""Entries listed at most; typing narrows them down."""
MOST_READ = 400
"""Files looked into at most, some 0.1 ms each."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A folder or a file; `size` in bytes, `kind` in a word or two."""

    name: str
    path: Path
    folder: bool
    size: int = 0
    kind: str = ""


def folder_of(typed: str) -> Path:
    """The folder a typed path lies in, or is."""
    path = Path(typed).expanduser()
    return path if typed.endswith("/") or not typed else path.parent


def entries(typed: str) -> list[FileEntry]:
    """Folders first, then files that can be opened, whose names hold what follows the last '/'.

    Empty where the folder cannot be read.
    """
    try:
        folder = folder_of(typed)
        part = "" if typed.endswith("/") else Path(typed).name.lower()
        listed = []
        looked = 0
        with os.scandir(folder) as listing:
            for item in listing:
                name = item.name
                if part not in name.lower() or (name.startswith(".") and not part.startswith(".")):
                    continue
                if item.is_dir():
                    listed.append(FileEntry(name, folder / name, True))
                elif item.is_file():
                    kind = KINDS.get(Path(name).suffix.lower(), "")
                    if not kind and looked < MOST_READ and _may_be_artefact(name):
                        looked += 1
                        kind = _title(folder / name)
                    if kind:
                        listed.append(FileEntry(name, folder / name, False, item.stat().st_size, kind))
                if len(listed) >= MOST:
                    break
    except (OSError, ValueError, RuntimeError):
        return []
    listed.sort(key=lambda entry: (not entry.folder, entry.kind != "model", entry.name.lower()))
    if not part and folder.resolve().parent != folder.resolve():
        listed.insert(0, FileEntry("..", folder.resolve().parent, True))
    return listed


def _may_be_artefact(name: str) -> bool:
    from npuscope.neural_art.artefacts.text.sniff import SUFFIXES

    return Path(name).suffix.lower() in SUFFIXES


def _title(path: Path) -> str:
    from npuscope.neural_art.artefacts.text.sniff import title_of

    return title_of(path)
