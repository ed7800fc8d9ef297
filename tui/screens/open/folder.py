"""What lies in a folder: folders, models, recipes, and what ST's tools wrote."""

from __future__ import annotations

import os
from pathlib import Path

from npuscope.places import expanded, is_file, is_folder
from npuscope.record import dataclass

MODELS = (".onnx", ".tflite")
"""Endings of models; files of other endings are looked into."""
RECIPES = (".toml",)
MOST = 2000
"""Entries listed at most; typing narrows them down."""
MOST_READ = 400
"""Files looked into at most, some 0.1 ms each."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A folder or a file; `size` in bytes, `kind` in a word or two, of a folder what was found in it."""

    name: str
    path: Path
    folder: bool
    size: int = 0
    kind: str = ""


def folder_of(typed: str) -> Path:
    """The folder a typed path lies in, or is."""
    path = expanded(typed)
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
                if is_folder(item):
                    listed.append(FileEntry(name, folder / name, True))
                elif is_file(item):
                    kind = ""
                    if name.lower().endswith(MODELS):
                        kind = "model"
                    elif looked < MOST_READ and _looked_into(name):
                        looked += 1
                        kind = kind_of(folder / name)
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


def kind_of(path: Path) -> str:
    """'model', 'recipe', what an artefact of ST's tools is called; '' for what cannot be opened."""
    ending = path.suffix.lower()
    if ending in MODELS:
        return "model"
    if ending in RECIPES:
        from npuscope.files.recipe import is_recipe

        return "recipe" if is_recipe(path) else ""
    return _title(path)


def _looked_into(name: str) -> bool:
    from npuscope.neural_art.artefacts.text.sniff import SUFFIXES

    ending = Path(name).suffix.lower()
    return ending in RECIPES or ending in SUFFIXES


def _title(path: Path) -> str:
    from npuscope.neural_art.artefacts.text.sniff import title_of

    return title_of(path)
