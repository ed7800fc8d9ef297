"""The module path a node comes from: what groups the tree."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from onnx import NodeProto

DEEPEST = 12
"""Scopes nested deeper than this are one scope, so that a crafted name cannot make an endless tree."""


def scope_of(proto: NodeProto, name: str) -> str:
    """The scope, parts joined by '/', '' where the exporter left none.

    1. `namespace` in the node's metadata_props (the newer exporters write it) wins.
    2. Else the node's name up to its last '/', or to its last '.' where it has no '/'.
    """
    for entry in proto.metadata_props[:]:
        if entry.key == "namespace":
            return _joined(entry.value)
    return _joined(name.rstrip("/").rpartition("/")[0])


def _joined(path: str) -> str:
    path = path.strip("/")
    return path if "//" not in path else "/".join([part for part in path.split("/") if part])


def scope_parts(scope: str) -> tuple[str, ...]:
    """The labels of a scope and those around it, outermost first."""
    parts = [part for part in scope.split("/") if part]
    return (*parts[: DEEPEST - 1], "/".join(parts[DEEPEST - 1 :])) if len(parts) > DEEPEST else tuple(parts)


@lru_cache(maxsize=1 << 13)
def steps(scope: str) -> tuple[tuple[str, str], ...]:
    """(path, label) of a scope and those around it, outermost first."""
    parts = scope_parts(scope)
    return tuple([("/".join(parts[: i + 1]), part) for i, part in enumerate(parts)])


def reading_order(scopes: Sequence[str], among: Sequence[int] | None = None) -> list[int]:
    """Places of things with these scopes as the tree shows them: a scope stands where its first thing does, undivided.

    With `among` these places alone.
    """
    shown = range(len(scopes)) if among is None else among
    around = {place: [path for path, _ in steps(scopes[place])] for place in shown}
    first = _firsts(scopes, {path for paths in around.values() for path in paths})
    keys = {place: (*[first[path] for path in paths], place) for place, paths in around.items()}
    return sorted(shown, key=keys.__getitem__)


def _firsts(scopes: Sequence[str], wanted: set[str]) -> dict[str, int]:
    """Path -> the first place of a thing within it."""
    first: dict[str, int] = {}
    for place, scope in enumerate(scopes):
        path = scope
        while path and path not in wanted:
            path = path.rpartition("/")[0]
        if path:
            found = wanted.intersection([path for path, _ in steps(scope)])
            first.update(dict.fromkeys(found, place))
            wanted -= found
            if not wanted:
                break
    return first
