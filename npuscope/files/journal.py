"""Journal: the edits of a session that no export holds yet, kept where a crash or a lost connection cannot reach them.

One recipe a model file, in the user's state folder, never beside the model. It counts only for the very file it was
written for: the path, and the sha256 inside, must be the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from npuscope.files.atomic import write_text
from npuscope.model.errors import ModelError
from npuscope.model.load import Source
from npuscope.session import Session

if TYPE_CHECKING:
    from npuscope.files.recipe import Recipe

# Recipes know every edit; a model without a journal, nearly every one, is opened without loading them.


def state_folder() -> Path:
    """Where the user's state lies: $XDG_STATE_HOME/npuscope, or what the system has in its place."""
    base = os.environ.get("XDG_STATE_HOME", "")
    if base:
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
    """The journal of a model file."""
    name = hashlib.sha256(os.fsencode(source.path.absolute())).hexdigest()[:24]
    return folder() / f"{name}.toml"


def write(session: Session) -> bool:
    """Keep the session's edits; where none is unexported, clear the journal. False where it cannot be written."""
    if not session.unexported:
        return clear(session)
    from npuscope.files.recipe import recipe_of, text_of

    try:
        file = place(session.source)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(file, text_of(recipe_of(session)))
    except (OSError, ModelError, RuntimeError):  # a full disk or no home must not stop the work
        return False
    return True


def pending(source: Source) -> Recipe | None:
    """The edits that were not exported when the model was last open; None where there are none for this very file."""
    try:
        if not place(source).exists():
            return None
        from npuscope.files.recipe import load

        found = load(place(source))
        return found if found.entries and found.sha256 == source.sha256 else None
    except (ModelError, OSError, RuntimeError):
        return None


def clear(session: Session) -> bool:
    """Forget the edits kept for the session's model. False where the journal cannot be removed."""
    with contextlib.suppress(OSError, RuntimeError):
        place(session.source).unlink(missing_ok=True)
        return True
    return False
