"""A model as a few blocks and the edges between them: by the scopes of its names, else by how it forks and joins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from heapq import heappop, heappush
from itertools import pairwise

from npuscope.model.layer import Layer
from npuscope.model.links import Links
from npuscope.model.scopes import scope_parts
from npuscope.record import dataclass

FEW = 8
"""A block that holds less than this part of the layers (one eighth) is not divided for lack of detail."""

NAMED = 0.5
"""Part of the layers that must lie in scopes for names to say what the blocks are."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Layers that are shown as one.

    1. `key` is a scope, or the name of the first layer for a run of layers that no scope holds.
    2. `divides` where it can be opened: there are smaller blocks in it.
    3. `label` is its scope without what all scopes begin with, '' for a run.
    4. `around` is the opened scope it is a part of, '' for the model.
    """

    key: str
    label: str
    layers: tuple[Layer, ...]
    divides: bool = False
    around: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks in an order in which what feeds stands above what reads, as far as they have one.

    1. `edges` are pairs of indices (from, to), once each.
    2. `opened` are the keys of the scopes whose parts stand for them.
    """

    blocks: tuple[Block, ...]
    edges: tuple[tuple[int, int], ...]
    opened: frozenset[str]


def blocks(links: Links, most: int, opened: Collection[str] | None = None) -> Blocks:
    """The blocks of a model: as many as `most` can show at once, or those of the scopes that are `opened`."""
    layers = links.layers
    scoped = sum(bool(layer.scope) for layer in layers) >= NAMED * len(layers)
    if not scoped:
        return _ordered(_by_topology(layers, links, most), links, frozenset())
    paths = [scope_parts(layer.scope) for layer in layers]
    chosen = frozenset(opened) if opened is not None else _opened(paths, most)
    return _ordered(_by_scope(layers, paths, chosen), links, chosen)


def opened_further(links: Links, shown: Blocks, block: Block) -> frozenset[str]:
    """The scopes to open so that a block shows its parts; one that holds nothing but another opens that too."""
    paths = [path for layer in block.layers if (path := scope_parts(layer.scope))]
    key, opened = block.key, set(shown.opened)
    while True:
        opened.add(key)
        depth = key.count("/") + 1
        below = {path[: depth + 1] for path in paths}
        if len(below) != 1 or len(next(iter(below))) == depth:
            return frozenset(opened)
        key = "/".join(next(iter(below)))


def closed_again(shown: Blocks, scope: str) -> frozenset[str]:
    """The scopes left open where one is closed."""
    return frozenset(key for key in shown.opened if key != scope and not key.startswith(f"{scope}/"))


def _keys(paths: Sequence[tuple[str, ...]], opened: Collection[str]) -> list[str]:
    """The block each layer lies in: the outermost scope that is not opened; 'scope|n' for runs of loose layers."""
    keys: list[str] = []
    last, runs = "", 0
    for path in paths:
        key, prefix = "", ""
        for part in path:
            prefix = f"{prefix}/{part}" if prefix else part
            if prefix not in opened:
                key = prefix
                break
        if not key:
            runs += not last.startswith(f"{prefix}|")
            key = f"{prefix}|{runs}"
        keys.append(key)
        last = key
    return keys


def _opened(paths: Sequence[tuple[str, ...]], most: int) -> frozenset[str]:
    """Scopes to open: those of one part only, then the largest ones, while what they hold still fits."""
    opened: set[str] = set()
    keys = _keys(paths, opened)
    while True:
        by_scope: dict[str, list[int]] = defaultdict(list)
        for i, key in enumerate(keys):
            by_scope[key].append(i)
        best, after = "", keys
        for key, members in sorted(by_scope.items(), key=lambda pair: -len(pair[1])):
            inside = {paths[i][: key.count("/") + 2] for i in members}
            if "|" in key or (len(inside) == 1 and len(paths[members[0]]) == key.count("/") + 1):
                continue
            if len(inside) > 1 and (len(members) * FEW < len(paths) or len(by_scope) >= most):
                continue
            trial = _keys(paths, {*opened, key})
            if len(set(trial)) <= max(most, len(by_scope)):
                best, after = key, trial
                break
        if not best:
            return frozenset(opened)
        opened.add(best)
        keys = after


def _by_scope(
    layers: Sequence[Layer], paths: Sequence[tuple[str, ...]], opened: Collection[str]
) -> list[Block]:
    by_key: dict[str, list[int]] = defaultdict(list)
    for i, key in enumerate(_keys(paths, opened)):
        by_key[key].append(i)
    common = _common(paths)
    listed: list[Block] = []
    for key, members in by_key.items():
        inside = tuple(layers[i] for i in members)
        if "|" in key:
            around = key.partition("|")[0]
            listed.append(Block(inside[0].name, around[common:], inside, around=around))
        else:
            depth = key.count("/") + 1
            divides = len(inside) > 1 and any(len(paths[i]) > depth for i in members)
            listed.append(Block(key, key[common:], inside, divides, key.rpartition("/")[0]))
    return listed


def _common(paths: Sequence[tuple[str, ...]]) -> int:
    """Characters of the scopes that all layers in one share, up to the last part that tells them apart."""
    known = [path for path in paths if path]
    shared = 0
    for parts in zip(*known, strict=False):
        if len(set(parts)) > 1:
            break
        shared += len(parts[0]) + 1
    return shared if known and all(len("/".join(path)) >= shared for path in known) else 0


def operators(layers: Sequence[Layer]) -> str:
    """The operators of a block, in their order: 'Conv, Sigmoid, Mul'."""
    return ", ".join(dict.fromkeys(layer.op for layer in layers))


def _by_topology(layers: Sequence[Layer], links: Links, most: int) -> list[Block]:
    """Stretches between places where one tensor alone goes on; too many of them are put together evenly."""
    place = {layer.name: i for i, layer in enumerate(layers)}
    last: dict[str, int] = {}
    for start, end in links.edges:
        last[start] = max(last.get(start, -1), place[end])
    ends: dict[int, int] = defaultdict(int)
    cuts, alive = [0], 0
    for i, layer in enumerate(layers):
        alive -= ends.pop(i, 0)
        if last.get(layer.name, -1) > i:
            alive += 1
            ends[last[layer.name]] += 1
        if alive <= 1:
            cuts.append(i + 1)
    cuts = sorted({*cuts, len(layers)})
    parts: list[list[int]] = []
    in_row = False
    for a, b in pairwise(cuts):
        # A row of single layers is one block; where the model forks another begins.
        if b - a == 1 and in_row and len(parts[-1]) < 2 * FEW:
            parts[-1].append(a)
        else:
            parts.append(list(range(a, b)))
        in_row = b - a == 1
    divided = [piece for part in parts for piece in _pieces(part, len(layers), most)]
    if len(divided) > most > 0:
        step = -(-len(divided) // most)
        divided = [
            [i for part in divided[index : index + step] for i in part]
            for index in range(0, len(divided), step)
        ]
    return [_run([layers[i] for i in part]) for part in divided if part]


def _run(layers: Sequence[Layer]) -> Block:
    return Block(layers[0].name, "", tuple(layers))


def _pieces(part: list[int], count: int, most: int) -> Iterable[list[int]]:
    """A stretch that holds much of the model, in even pieces."""
    if len(part) * FEW <= count or len(part) < 2 * FEW:
        return [part]
    size = max(count // max(most, 1), FEW)
    return [part[index : index + size] for index in range(0, len(part), size)]


def _ordered(unordered: list[Block], links: Links, opened: frozenset[str]) -> Blocks:
    """Sorted so that edges lead downwards; of several that may come next, the first in the file."""
    block_of = {layer.name: i for i, block in enumerate(unordered) for layer in block.layers}
    position = {layer.name: i for i, layer in enumerate(links.layers)}
    first = [min(position[layer.name] for layer in block.layers) for block in unordered]
    edges = dict.fromkeys(
        (block_of[start], block_of[end]) for start, end in links.edges if block_of[start] != block_of[end]
    )
    waiting = [0] * len(unordered)
    readers: dict[int, list[int]] = defaultdict(list)
    for start, end in edges:
        waiting[end] += 1
        readers[start].append(end)
    ready: list[tuple[int, int]] = []
    left = set(range(len(unordered)))
    for i in left:
        if not waiting[i]:
            heappush(ready, (first[i], i))
    order: list[int] = []
    while left:
        if not ready:  # blocks that feed each other: the first in the file goes on
            heappush(ready, min((first[i], i) for i in left))
        _, here = heappop(ready)
        if here not in left:
            continue
        left.remove(here)
        order.append(here)
        for reader in readers[here]:
            waiting[reader] -= 1
            if reader in left and waiting[reader] <= 0:
                heappush(ready, (first[reader], reader))
    row = {block: index for index, block in enumerate(order)}
    pairs = tuple(sorted((row[start], row[end]) for start, end in edges))
    return Blocks(tuple(unordered[i] for i in order), pairs, opened)
