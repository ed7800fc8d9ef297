"""The user's settings: $XDG_CONFIG_HOME/npuscope/settings.toml, or what the system has in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from npuscope.machine.toml_text import loads
from npuscope.model.errors import one_line
from npuscope.places import expanded, is_file
from npuscope.record import dataclass

MOST_BYTES = 1 << 16

KNOWN = ("theme", "toolchain", "board")
KEYS = "keys"
"""A table: an action and its key."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants where nothing else says so; '' for nothing. `complaint` is a line on what cannot be used."""

    theme: str = ""
    toolchain: str = ""
    board: str = ""
    complaint: str = ""
    keys: Mapping[str, object] = field(default_factory=dict)
    """Actions and keys as they stand in the file; `files.keys` says which of them can be had."""


def place(environ: Mapping[str, str]) -> Path:
    """Where the file lies, whether there is one or not."""
    base = environ.get("XDG_CONFIG_HOME", "")
    folder = (
        Path(base) if base and Path(base).is_absolute() else expanded(environ.get("HOME", "~")) / ".config"
    )
    return folder / "npuscope" / "settings.toml"


def read(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings. What is not understood is left out and complained of; nothing of it is an error."""
    path = place(environ if environ is not None else os.environ)
    try:
        if not is_file(path):
            return Settings()
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            return Settings(complaint=f"{path}: is too large for settings")
        table = loads(data.decode("utf-8"))
    except (OSError, ValueError, RuntimeError) as error:
        return Settings(complaint=one_line(f"{path}: {error}", 200))
    known = {name: value for name, value in table.items() if name in KNOWN and isinstance(value, str)}
    keys = table.get(KEYS, {})
    unknown = [name for name in table if name not in known and not (name == KEYS and isinstance(keys, dict))]
    problem = ""
    if unknown:
        hint = f"is none of {', '.join(KNOWN)}, {KEYS}"
        hint = "must be text" if unknown[0] in KNOWN else "must be a table" if unknown[0] == KEYS else hint
        problem = one_line(f"{path}: {unknown[0]} {hint}", 200)
    return Settings(**known, complaint=problem, keys=keys if isinstance(keys, dict) else {})
