"""Where branches of a model meet: what a layer joins, and what a shortcut into it skips."""

from __future__ import annotations

from collections.abc import Mapping

from npuscope.model.layer import Layer
from npuscope.model.links import Links
from npuscope.record import dataclass

FURTHEST = 4_000
"""Layers between the ends of a shortcut that are looked through."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A source of a join that another source was made from; `skipped` are the layers between, in graph order."""

    source: str
    skipped: tuple[str, ...]


def sources(links: Links, layer: Layer) -> tuple[str, ...]:
    """The layers that feed a layer, once each, in operator order."""
    return tuple(dict.fromkeys(link.layer for link in links.producers(layer) if link.layer))


def is_join(links: Links, layer: Layer, by_name: Mapping[str, Layer]) -> bool:
    """Branches meet here. A value times a function of itself (Swish and the like) is not a branch."""
    inputs = sources(links, layer)
    if len(inputs) < 2:
        return False
    if len(inputs) > 2 or layer.op == "Concat":
        return True
    one, other = inputs
    return not (_is_gate(links, by_name[one], other) or _is_gate(links, by_name[other], one))


def _is_gate(links: Links, layer: Layer, source: str) -> bool:
    return layer.weight is None and sources(links, layer) == (source,) and len(layer.outputs) == 1 and (
        "igmoid" in layer.op or layer.op in ("Tanh", "Softplus", "Erf", "Relu", "Clip")
    )  # fmt: skip


def shortcut(
    links: Links, layer: Layer, by_name: Mapping[str, Layer], place: Mapping[str, int]
) -> Shortcut | None:
    """The source that reaches a join around the layers that made its other sources; None where there is none.

    `place` is each layer's place in graph order. Of several shortcuts the longest.
    """
    inputs = sources(links, layer)
    if len(inputs) < 2:
        return None
    for start in sorted(inputs, key=lambda name: place[name]):
        reached = _between(links, by_name, place, start, [name for name in inputs if name != start])
        if reached:
            return Shortcut(start, tuple(sorted(reached, key=lambda name: place[name])))
    return None


def _between(
    links: Links, by_name: Mapping[str, Layer], place: Mapping[str, int], start: str, ends: list[str]
) -> set[str]:
    """The layers on paths from a layer to some of `ends`, these included."""
    behind: set[str] = set()
    pending = [name for name in ends if place[name] > place[start]]
    readers: dict[str, list[str]] = {}
    seen = set(pending)
    while pending:
        name = pending.pop()
        if len(seen) > FURTHEST:
            return set()
        for source in sources(links, by_name[name]):
            if place[source] < place[start]:
                continue
            readers.setdefault(source, []).append(name)
            if source not in seen and source != start:
                seen.add(source)
                pending.append(source)
    pending = [start]
    while pending:
        for reader in readers.get(pending.pop(), ()):
            if reader not in behind:
                behind.add(reader)
                pending.append(reader)
    return behind


def together(names: tuple[str, ...]) -> str:
    """What layers have in common, in a word: the scope that holds them, else the first and the last."""
    if len(names) == 1:
        return names[0]
    scope: list[str] = []
    for parts in zip(*(name.split("/")[:-1] for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        scope.append(parts[0])
    return "/".join(scope) or f"{names[0]} … {names[-1]}"
