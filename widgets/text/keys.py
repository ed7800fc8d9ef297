"""Keys in texts: written as the user set them. A text names a key by what it is where nobody set another."""

from __future__ import annotations

import re
from collections.abc import Mapping

_USERS: dict[str, str] = {}


def use(keys: Mapping[str, str]) -> None:
    """Write these keys in place of those there are by default; all of the process's texts do."""
    _USERS.clear()
    _USERS.update(keys)


def key(default: str) -> str:
    """A key as the user presses it."""
    return _USERS.get(default, default)


def keyed(text: str) -> str:
    """A text that names keys in braces: '{o} opens one'."""
    return re.sub(r"\{(.[^}]*)\}", lambda match: key(match[1]), text)
