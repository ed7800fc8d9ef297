"""What the picker lists: models opened last, what lies in a folder, and what its letters find below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from npuscope.files.fuzzy import best, files_below
from npuscope.files.recent import recent
from npuscope.jobs import Job
from npuscope.npu.figures import plural
from npuscope.places import expanded, is_folder
from npuscope.tui.screens.open.folder import MODELS, RECIPES, FileEntry, entries, kind_of

MOST = 200
"""Files below the folder that are listed, the best matches."""


class Finder:
    """Looks for what was typed; each folder is searched once."""

    def __init__(self, start: str, opened: Path | None = None) -> None:
        self._start, self._opened = start, opened
        self._below: dict[Path, list[str]] = {}

    def look(self, typed: str, job: Job) -> Iterator[list[FileEntry]]:
        """First what is at hand, then that and what lies below the folder: files, or how many models each folder holds."""
        listed = entries(typed)
        folder, letters = _base(typed)
        if not letters or typed == self._start:
            lately_opened = self._recent() if typed in ("", self._start) else []
            yield [*lately_opened, *listed]
            if folder is not None and any(entry.folder for entry in listed):
                yield [*lately_opened, *_counted(listed, self._found_below(folder, job))]
            return
        known = {_real(entry.path) for entry in listed}
        lately = {str(entry.path): entry for entry in self._recent()}
        listed += [lately[path] for path in best(letters, lately, MOST) if _real(Path(path)) not in known]
        yield listed
        if folder is None:
            return
        known = {_real(entry.path) for entry in listed}
        paths = (folder / name for name in best(letters, self._found_below(folder, job), MOST))
        found = ((path, kind_of(path)) for path in paths if _real(path) not in known)
        yield [*listed, *(_file(path, folder, kind) for path, kind in found if kind)]

    def _found_below(self, folder: Path, job: Job) -> list[str]:
        if folder not in self._below:
            self._below[folder] = files_below(folder, (*MODELS, *RECIPES), job.check)
        job.check()
        return self._below[folder]

    def _recent(self) -> list[FileEntry]:
        home = _home()
        listed = []
        for path in recent():
            if path != self._opened:
                parent = str(path.parent)
                parent = "~" + parent[len(home) :] if f"{parent}/".startswith(f"{home}/") else parent
                listed.append(FileEntry(path.name, path, False, _size(path), f"recent, {parent}"))
        return listed


def _counted(listed: Sequence[FileEntry], below: Iterable[str]) -> Iterator[FileEntry]:
    """Folders say how many models lie in them, however deep; nothing where none was found."""
    first = (
        name.split("/", 1)[0] for name in below if "/" in name and PurePath(name).suffix.lower() in MODELS
    )
    models = Counter(first)
    for entry in listed:
        count = models[entry.name] if entry.folder else 0
        yield replace(entry, kind=plural(count, "model")) if count else entry


def _base(typed: str) -> tuple[Path | None, str]:
    """The deepest folder of a typed path that is there, and what is to be found below it.

    None for the root: all files of a machine are too many.
    """
    try:
        head, _, letters = typed.rpartition("/")
        folder = expanded(head or ("/" if typed.startswith("/") else "."))
        while not is_folder(folder) and folder != folder.parent:
            folder, letters = folder.parent, f"{folder.name}/{letters}"
        return (None if folder.resolve().parent == folder.resolve() else folder), letters.strip()
    except (OSError, ValueError, RuntimeError):
        return None, ""


def _real(path: Path) -> str:
    return str(path.absolute())


def _file(path: Path, folder: Path, kind: str) -> FileEntry:
    below = path.parent.relative_to(folder)
    return FileEntry(path.name, path, False, _size(path), f"{kind} in {below}" if below.parts else kind)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:
        return "~"
