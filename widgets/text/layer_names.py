"""Names beside other names: shortened where they agree, never where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

from npuscope.model.brief import Names
from npuscope.snapshot import Snapshot
from npuscope.widgets.text.cells import cells, clip, shown

_layers: WeakKeyDictionary[Snapshot, Names] = WeakKeyDictionary()


def layer_names(snapshot: Snapshot) -> Names:
    """The names of all layers of an analysis; their forms are made when a width first asks for them."""
    names = _layers.get(snapshot)
    if names is None:
        names = _layers[snapshot] = Names(report.name for report in snapshot.layers)
    return names


def shown_of(names: Names, name: str, width: int) -> str:
    """A name among others, in at most `width` cells."""
    text = names.fit(name, width)
    return text if cells(text) <= width else shown(name, width)


def shown_layer(snapshot: Snapshot, name: str, width: int) -> str:
    """A layer's name in at most `width` cells, unlike that of any other layer."""
    return shown_of(layer_names(snapshot), name, width)


def listed(names: Iterable[str], width: int) -> list[str]:
    """A few names that stand in one list, each in at most `width` cells."""
    few = tuple(names)
    among = names_of_few(few)
    return [shown_of(among, name, width) for name in few]


def kept_apart(cut: Sequence[str], otherwise: Sequence[str], width: int) -> list[str]:
    """Texts of one list as they were cut; where some came out alike, the others for them, cut too."""
    for texts in (cut, [clip(text, width) for text in otherwise]):
        if len(set(texts)) == len(set(otherwise)):
            return list(texts)
    return listed(otherwise, width)


@lru_cache(maxsize=64)
def names_of_few(names: tuple[str, ...]) -> Names:
    """Names that stand in one list; asked for again with each line of it."""
    return Names(names)
