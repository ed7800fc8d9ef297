"""Journal: the edits of a session that no export holds yet, kept where a crash or a lost connection cannot reach them.

One recipe a session, in the user's state folder, never beside the model. It counts only for the very file it was
written for: the path, and the sha256 inside, must be the same. A journal of another process that still runs is left
alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from npuscope.files.atomic import write_text
from npuscope.files.temporary import is_running
from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.places import is_file
from npuscope.session import Session

if TYPE_CHECKING:
    from npuscope.files.recipe import Recipe

# Recipes know every edit; a model without a journal, nearly every one, is opened without loading them.


def state_folder() -> Path:
    """Where the user's state lies: $XDG_STATE_HOME/npuscope, or what the system has in its place."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if base and Path(base).is_absolute():  # the standard has a relative one ignored
        state = Path(base)
    elif sys.platform == "win32":
        state = Path(os.environ.get("LOCALAPPDATA") or Path.home())
    elif sys.platform == "darwin":
        state = Path.home() / "Library" / "Application Support"
    else:
        state = Path.home() / ".local" / "state"
    return state / "npuscope"


def folder() -> Path:
    """Where journals lie."""
    return state_folder() / "journal"


def place(source: Source) -> Path:
    """The journal of a session: the one that `pending` offered it, until it writes its own."""
    return _OFFERED.get(source) or _own(source)


def _own(source: Source) -> Path:
    """A name for the model file, this process, and the time the file was opened."""
    number = _OPENED.setdefault(source, next(_COUNT))
    return folder() / f"{_stem(source)}-{os.getpid()}-{number}.toml"


_COUNT = itertools.count(1)
_OPENED: WeakKeyDictionary[Source, int] = WeakKeyDictionary()
_OFFERED: WeakKeyDictionary[Source, Path] = WeakKeyDictionary()


def _stem(source: Source) -> str:
    return hashlib.sha256(os.fsencode(source.path.absolute())).hexdigest()[:24]


def _left_behind(source: Source) -> list[Path]:
    """Journals of the model file that no other running process writes, the newest first."""
    kept = []
    for path in folder().glob(f"{_stem(source)}*.toml"):
        words = path.stem.split("-")
        process = int(words[1]) if len(words) == 3 and words[1].isdecimal() else 0
        if not is_file(path):  # a pipe would be waited for
            continue
        if not process or process == os.getpid() or not is_running(process):
            kept.append(path)
    return sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True)


def write(session: Session) -> bool:
    """Keep the session's edits; where none is unexported, clear the journal. False where it cannot be written."""
    if not session.unexported:
        return clear(session)
    from npuscope.files.recipe import recipe_of, text_of

    try:
        file = _own(session.source)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(file, text_of(recipe_of(session)))
        offered = _OFFERED.pop(session.source, file)
        if offered != file:
            offered.unlink(missing_ok=True)
    except (OSError, ModelError, RuntimeError):  # a full disk or no home must not stop the work
        return False
    return True


def pending(source: Source) -> Recipe | None:
    """The edits that were not exported when the model was last open; None where there are none for this very file.

    The session takes the journal over: with its first edit it writes its own in place of it.
    """
    try:
        for path in _left_behind(source):
            from npuscope.files.recipe import load

            try:
                recipe = load(path)
            except ModelError:
                continue  # half a file, or none of ours
            if recipe.entries and recipe.sha256 == source.sha256:
                _OFFERED[source] = path
                return recipe
    except (ModelError, OSError, RuntimeError):
        return None
    return None


def clear(session: Session) -> bool:
    """Forget the edits kept for the session's model. False where the journal cannot be removed."""
    with contextlib.suppress(OSError, RuntimeError):
        _own(session.source).unlink(missing_ok=True)
        offered = _OFFERED.pop(session.source, None)
        if offered is not None:
            offered.unlink(missing_ok=True)
        return True
    return False
