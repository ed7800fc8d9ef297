"""Keys: what the user's settings say of keys, held against what there is to press and what presses do already."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from npuscope.model.errors import one_line

_NAMED = re.compile(
    r"(ctrl\+[a-z]|alt\+[A-Za-z0-9]|(shift\+|ctrl\+)?f([1-9]|1[0-2])|backspace|delete|insert)"
)
MOST_PROBLEMS = 3


def key_of(text: str) -> str | None:
    """A key as it is compared and bound: one character, or a name in lower case. None where there is no such key."""
    word = text.strip()
    if len(word) == 1:
        return word if unicodedata.category(word)[0] not in "CZM" else None
    modifiers, plus, last = word.rpartition("+")
    # Alt tells an a from an A, the others do not.
    name = f"{modifiers.lower()}{plus}{last if modifiers.lower() == 'alt' else last.lower()}"
    return name if _NAMED.fullmatch(name) else None


def written(key: str) -> str:
    """A key for people: Ctrl+o, F5, ⌫."""
    if key == "backspace":
        return "⌫"
    parts = key.split("+") if len(key) > 1 else [key]
    last = parts[-1].upper() if re.fullmatch(r"f\d+", parts[-1]) else parts[-1]
    named = last.capitalize() if len(last) > 3 else last
    return "+".join([*(part.capitalize() for part in parts[:-1]), named])


def chosen(
    wanted: Mapping[str, object], defaults: Mapping[str, Collection[str]], reserved: Collection[str]
) -> tuple[dict[str, str], str]:
    """Action -> its key as the user wants it, and a line on what cannot be had; '' where all can.

    1. `defaults` are all actions with their keys, `reserved` keys that no action can have: those that move.
    2. A key that two actions would have goes to neither of those that want it; what they have by default they keep.
    """
    problems: list[str] = []
    asked: dict[str, str] = {}
    for name, text in wanted.items():
        key = key_of(text) if isinstance(text, str) else None
        if name not in defaults:
            near = get_close_matches(name, defaults, 1)
            problems.append(f"{name} is not an action" + (f" ({near[0]} is)" if near else ""))
        elif key is None:
            problems.append(f"{text!r} for {name} is not a key")
        elif key in reserved:
            problems.append(f"{text} moves the cursor and cannot be the key of {name}")
        else:
            asked[name] = key
    while (twice := _taken(asked, defaults)) is not None:
        name, other = twice
        problems.append(f"{written(asked[name])} for {name} is the key of {other} too")
        if asked.get(other) == asked[name]:
            del asked[other]
        del asked[name]
    more = f"; {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
    return asked, one_line("; ".join(problems[:MOST_PROBLEMS]), 200) + more


def _taken(asked: Mapping[str, str], defaults: Mapping[str, Collection[str]]) -> tuple[str, str] | None:
    """An action whose wanted key another one has, and that one."""
    for name, key in asked.items():
        for other, keys in defaults.items():
            if other != name and key in ((asked[other],) if other in asked else keys):
                return name, other
    return None
