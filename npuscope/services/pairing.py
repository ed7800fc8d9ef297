"""Which layer of one model is which of another: by name, then by weights, shape and neighbours. Linear in the layers.

A name counts only where it names the same kind of layer: exporters number their nodes, and one more layer shifts them all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from weakref import WeakKeyDictionary

from npuscope.model.errors import ModelError
from npuscope.model.layers import Layer, Layers
from npuscope.model.links import Link, Links
from npuscope.record import dataclass

RELATED = 0.3
"""Part of the smaller model's layers that must be alike in the other, below which the two have nothing in common."""

MOST_COMPUTED = 64 << 20
"""Bytes of a constant that nodes compute of others, above which its shape stands for its values."""

Key = Callable[[Layer], Hashable]


def signature(layer: Layer) -> Hashable:
    """Kind, and the shapes of weights, inputs and outputs."""
    shapes = tuple(o.type.shape for o in (*layer.inputs, *layer.outputs))
    return layer.kind, layer.domain, _weight_shape(layer), len(layer.inputs), shapes


def role(layer: Layer) -> Hashable:
    """What stays of a layer whose map or channels were changed."""
    return layer.kind, layer.domain


def _named(layer: Layer) -> Hashable:
    """Its name, kind and weights; None where the file gives no name, so that the position does."""
    return (layer.name, layer.kind, _weight_shape(layer)) if layer.core.proto.name else None


def _weight_shape(layer: Layer) -> tuple[int, ...] | None:
    constant = layer.weight.constant if layer.weight is not None else None
    return constant.shape if constant is not None else None


def _content(layer: Layer) -> Hashable:
    """Shapes and weights; None for a layer without weights."""
    digest = weights_digest(layer)
    return None if digest is None else (signature(layer), digest)


_DIGESTS: WeakKeyDictionary[Layer, bytes | None] = WeakKeyDictionary()


def weights_digest(layer: Layer) -> bytes | None:
    """Of the values of weights and bias; None where there are none, or where they cannot be read."""
    if layer not in _DIGESTS:
        _DIGESTS[layer] = _digest(layer)
    return _DIGESTS[layer]


def _digest(layer: Layer) -> bytes | None:
    constants = [
        operand.constant
        for operand in (layer.weight, layer.bias, *layer.inputs)
        if operand is not None and operand.constant is not None
    ]
    if not constants:
        return None
    digest = hashlib.blake2b(digest_size=16)
    try:
        for constant in constants:
            digest.update(f"{constant.dtype}{constant.shape}".encode())
            if constant.proto is not None or constant.nbytes <= MOST_COMPUTED:
                digest.update(constant.array().tobytes())
    except (ModelError, MemoryError):
        return None
    return digest.digest()


@dataclass(eq=False)
class Pairing:
    """Layers of two models, paired one to one; `names` maps the names of the first to those of the second."""

    before: tuple[Layer, ...]
    after: tuple[Layer, ...]
    names: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)

    @cached_property
    def layers(self) -> tuple[Mapping[str, Layer], Mapping[str, Layer]]:
        """Layer by name, of both models."""
        return {layer.name: layer for layer in self.before}, {layer.name: layer for layer in self.after}

    @property
    def likeness(self) -> float:
        """Part of the smaller model's layers that have a layer of the same signature, or of the same name and weights."""
        one, other = self.layers
        alike = sum(
            signature(one[a]) == signature(other[b]) or (a == b and _named(one[a]) == _named(other[b]))
            for a, b in self.names.items()
        )
        return alike / max(min(len(self.before), len(self.after)), 1)

    def pair(self, one: Layer, other: Layer) -> None:
        """Note that two layers are the same one."""
        self.names[one.name] = other.name
        self.back[other.name] = one.name

    def unpaired(self) -> tuple[list[Layer], list[Layer]]:
        """What is not paired yet, in graph order."""
        return (
            [layer for layer in self.before if layer.name not in self.names],
            [layer for layer in self.after if layer.name not in self.back],
        )


def pair_layers(before: Sequence[Layer], after: Sequence[Layer]) -> Pairing:
    """Pair the layers of two models."""
    pairing = Pairing(tuple(before), tuple(after))
    neighbours = Links(Layers(pairing.before, ())), Links(Layers(pairing.after, ()))
    _unique(pairing, lambda layer: (layer.name, known) if (known := _content(layer)) else None)
    _unique(pairing, _content)
    _spread(pairing, neighbours, signature)  # before names: those of layers without weights may be numbers
    _unique(pairing, lambda layer: (layer.name, signature(layer)) if layer.core.proto.name else None)
    _unique(pairing, _named)
    _unique(pairing, signature)
    _spread(pairing, neighbours, signature)
    _in_order(pairing, signature)
    _unique(pairing, lambda layer: (layer.name, layer.kind) if layer.core.proto.name else None)
    _spread(pairing, neighbours, role)
    return pairing


def _unique(pairing: Pairing, key: Key) -> None:
    """Pair what one layer of each model alone has; None is not a key."""
    one, other = (_only(free, key) for free in pairing.unpaired())
    for value, layer in one.items():
        match = other.get(value)
        if layer is not None and match is not None:
            pairing.pair(layer, match)


def _only(layers: Iterable[Layer], key: Key) -> dict[Hashable, Layer | None]:
    by_value: dict[Hashable, Layer | None] = {}
    for layer in layers:
        value = key(layer)
        if value is not None:
            by_value[value] = None if value in by_value else layer
    return by_value


def _spread(pairing: Pairing, links: tuple[Links, Links], key: Key) -> None:
    """From each pair along its edges: what follows both at the same place, and is alike, is the same layer."""
    one, other = pairing.layers
    pending = list(pairing.names.items())
    while pending:
        a, b = pending.pop()
        for near, far in zip(_around(links[0], one[a]), _around(links[1], other[b]), strict=True):
            first = [one[name] for name in near if name and name not in pairing.names]
            second = [other[name] for name in far if name and name not in pairing.back]
            for left, right in _alike(first, second, key):
                pairing.pair(left, right)
                pending.append((left.name, right.name))


def _around(links: Links, layer: Layer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(producers, consumers), without repetition."""
    return _names(links.producers(layer)), _names(links.consumers(layer))


def _names(links: Iterable[Link]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(link.layer for link in links))


def _alike(first: list[Layer], second: list[Layer], key: Key) -> list[tuple[Layer, Layer]]:
    """Layers with the same key, in order; none where one side has more of them than the other."""
    groups: dict[Hashable, tuple[list[Layer], list[Layer]]] = {}
    for side, layers in enumerate((first, second)):
        for layer in layers:
            groups.setdefault(key(layer), ([], []))[side].append(layer)
    return [
        pair
        for left, right in groups.values()
        if len(left) == len(right)
        for pair in zip(left, right, strict=True)
    ]


def _in_order(pairing: Pairing, key: Key) -> None:
    """Between two pairs that follow each other in both models, what is alike and as many."""
    place = {layer.name: i for i, layer in enumerate(pairing.after)}
    stretch: list[Layer] = []
    start = -1
    for layer in (*pairing.before, None):
        match = pairing.names.get(layer.name) if layer is not None else None
        if layer is not None and match is None:
            stretch.append(layer)
            continue
        end = len(pairing.after) if layer is None else place[match or ""]
        if stretch and end > start:
            between = [other for other in pairing.after[start + 1 : end] if other.name not in pairing.back]
            for left, right in _alike(stretch, between, key):
                pairing.pair(left, right)
        stretch = []
        start = end
