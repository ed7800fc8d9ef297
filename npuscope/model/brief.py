"""Short forms of long path-like names that still tell them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

KEPT = 2
"""Parts at the end of a name that are always kept: the operator, and what it belongs to."""


def brief_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> the same without the parts that all names of its form share.

    1. '/tcn/block_0/net/net.1/Conv' beside '/tcn/block_1/net/net.1/Conv' is 'block_0/net.1/Conv'.
    2. No two names get the same form, and none gets that of a third one's whole name.
    """
    known = tuple(dict.fromkeys(names))
    forms: dict[tuple[int, str], list[list[str]]] = defaultdict(list)
    for name in known:
        parts = name.split("/")
        forms[len(parts), parts[-1]].append(parts)
    brief: dict[str, str] = {}
    for group in forms.values():
        columns = [len(set(column)) > 1 for column in zip(*group, strict=True)]
        for parts in group:
            first_kept = len(parts) - KEPT
            kept = [part for i, part in enumerate(parts) if (columns[i] or i >= first_kept) and part]
            brief["/".join(parts)] = "/".join(kept) or "/".join(parts)
    taken = Counter((*brief.values(), *(name for name in known if brief[name] != name)))
    return {name: short if taken[short] == 1 else name for name, short in brief.items()}


def briefly(text: str, name: str, brief: Mapping[str, str]) -> str:
    """A text about a layer, with the short form of its name."""
    return text.replace(name, brief.get(name, name)) if name else text
