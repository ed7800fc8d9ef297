"""The two files the compiler is given: its profile and its memory pools."""

from __future__ import annotations

import json
import os
from pathlib import Path

from npuscope.files.atomic import write_text
from npuscope.machine.mpool_file import mpool_text
from npuscope.model.errors import ModelError
from npuscope.places import is_file
from npuscope.record import dataclass
from npuscope.services.stedgeai.options import POOLS_FILE, PROFILE, PROFILE_FILE, Compilation


@dataclass(frozen=True, slots=True)
class Written:
    """A file, and whether it already was as it is to be."""

    path: Path
    was_there: bool


def texts(made: Compilation) -> dict[str, str]:
    """Name -> content. Without a machine description the compiler takes its own."""
    profile = {"memory_pool": f"./{POOLS_FILE}", "options": made.profile_options}
    document = {"Globals": {}, "Profiles": {PROFILE: profile}}
    return {PROFILE_FILE: json.dumps(document, indent=2) + "\n", POOLS_FILE: mpool_text(made.pools)}


def write_files(made: Compilation, folder: Path, force: bool = False) -> tuple[Written, ...]:
    """Write both into a folder, which is made where there is none.

    Raises ModelError, and then writes nothing, where another file has one of the names, unless `force`.
    """
    wanted = {folder / name: text for name, text in texts(made).items()}
    try:
        folder.mkdir(exist_ok=True)
        same = {path: _is(path, text) for path, text in wanted.items()}
        for path in wanted:
            if os.path.lexists(path) and not same[path] and not (force and is_file(path)):
                raise ModelError(
                    f"{path}: exists with different content; --force replaces it, -o names another folder"
                )
        for path, text in wanted.items():
            if not same[path]:
                write_text(path, text)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: cannot be written to ({getattr(error, 'strerror', None) or error})"
        ) from error
    return tuple(Written(path, same[path]) for path in wanted)


def _is(path: Path, text: str) -> bool:
    try:
        return is_file(path) and path.stat().st_size < 1 << 20 and path.read_bytes() == text.encode()
    except OSError:
        return False
