"""The lowering of each layer as a record: what it asked, what it noted, which steps it made.

A layer whose questions would be answered as before is not lowered again: its notes and its steps are taken over, the
very same objects, by which the schedule in turn knows what did not change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, cast

from npuscope.machine.machine import Target
from npuscope.model.layers import Layers, changed_keys
from npuscope.neural_art.lowering.lower import Lowering, Placed
from npuscope.neural_art.lowering.steps import Step

NOTES = (
    "planar", "names", "batches", "floats", "unchained", "software", "views", "rearranged", "replaced",
    "dequantized", "written", "planes", "grouped", "summed", "columns", "channels_last", "laid_last",
    "read_in_integers",
)  # fmt: skip
"""What a Lowering knows of tensors and layers, in the order of their numbers in a record."""

_GRAPH = ("writers", "readers", "by_name")
_ABSENT = object()
_FIELDS = attrgetter(*Step.__slots__)


Noted = tuple[tuple[int, str, Any], ...]
"""(number of the table, key, value)."""


class Entry(NamedTuple):
    """How a layer was lowered: what it was answered, where no answer is `_ABSENT`, and what it noted.

    `item` is None where it asked what cannot be asked again.
    """

    item: Placed | None
    asked: Noted
    noted: Noted
    steps: tuple[Step, ...]
    keys: tuple[str, ...]
    """Of all it asked, each once."""


class Journal:
    """How the layers of one state of a model were lowered, for one target."""

    def __init__(self, target: Target, layers: Layers, planar: Iterable[str]) -> None:
        self.target, self.layers, self.planar = target, layers, frozenset(planar)
        """All that is known before the first layer is lowered are the tensors in planes."""
        self.entries: dict[str, Entry] = {}
        """In the order in which they were lowered."""


class _Log:
    """What the layer at hand asks and notes."""

    __slots__ = ("asked", "noted", "opaque")

    def __init__(self) -> None:
        self.asked: dict[tuple[int, str], Any] = {}
        self.noted: dict[tuple[int, str], Any] = {}
        self.opaque = False
        """It asked what cannot be asked again, such as how many steps there are."""


class _Table:
    """A mapping or a set of which it is noted what is asked of it. A set's members are keys whose value is True."""

    __slots__ = ("log", "number", "recorded")

    def __init__(self, number: int, values: Mapping[str, Any] | Iterable[str], log: _Log) -> None:
        self.recorded = values if isinstance(values, Mapping) else dict.fromkeys(values, True)
        self.number, self.log = number, log

    def get(self, key: str, default: Any = None) -> Any:
        value = self.recorded.get(key, _ABSENT)
        log, place = self.log, (self.number, key)
        if place not in log.noted:
            log.asked[place] = value
        return default if value is _ABSENT else value

    def __contains__(self, key: str) -> bool:
        value = self.recorded.get(key, _ABSENT)
        log, place = self.log, (self.number, key)
        if place not in log.noted:
            log.asked[place] = value
        return value is not _ABSENT

    def isdisjoint(self, keys: Iterable[str]) -> bool:
        return not any(key in self for key in keys)

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self.log.noted[self.number, key] = value
        cast(dict[str, Any], self.recorded)[key] = value

    def add(self, key: str) -> None:
        self[key] = True

    def update(self, keys: Iterable[str]) -> None:
        for key in keys:
            self[key] = keys[key] if isinstance(keys, Mapping) else True

    def __iter__(self) -> Iterator[str]:
        self.log.opaque = True
        return iter(self.recorded)

    def __len__(self) -> int:
        self.log.opaque = True
        return len(self.recorded)

    def __getattr__(self, name: str) -> Any:
        self.log.opaque = True
        return getattr(self.recorded, name)


class _Steps(list[Step]):
    """The steps so far; how many there are is not the same again."""

    log: _Log

    def __len__(self) -> int:
        self.log.opaque = True
        return super().__len__()

    def __iter__(self) -> Iterator[Step]:
        self.log.opaque = True
        return super().__iter__()

    def __getitem__(self, place: Any) -> Any:
        self.log.opaque = True
        return super().__getitem__(place)


class _Graph:
    """The layers, of which it is noted who was asked for."""

    def __init__(self, layers: Layers, log: _Log) -> None:
        self._layers, self._log = layers, log
        self.writers, self.readers, self.by_name = (
            _Table(len(NOTES) + i, getattr(layers, name), log) for i, name in enumerate(_GRAPH)
        )
        self.results = layers.results
        """The same for all layers: a journal holds for one set of them."""

    def __getattr__(self, name: str) -> Any:
        self._log.opaque = True
        return getattr(self._layers, name)


def lowered(
    order: Sequence[Placed],
    layers: Layers,
    target: Target,
    lower: Callable[[Lowering, Placed], None],
    before: Journal | None,
) -> tuple[list[Step], Journal]:
    """The steps of all layers, as `lower` makes them of each; those that `before` answers for are taken over."""
    lowering, log, tables = _recording(layers, target)
    recorded = [table.recorded for table in tables]
    journal = Journal(target, layers, recorded[0])
    holds = before is not None and before.target is target and before.layers.results == layers.results
    known = before.entries if before is not None and holds else {}
    doubtful = _doubtful(order, known, journal, before) if before is not None and known else None
    answers = [values.get for values in recorded]
    for item in order:
        name = item.layer.name
        entry = known.get(name)
        if (
            entry is not None
            and entry.item == item
            and (
                (doubtful is not None and doubtful.isdisjoint(entry.keys)) or _answered_alike(entry, answers)
            )
        ):
            for number, key, value in entry.noted:
                recorded[number][key] = value  # type: ignore[index]
            list.extend(lowering.steps, entry.steps)
        else:
            log.asked, log.noted, log.opaque = {}, {}, False
            first = list.__len__(lowering.steps)
            lower(lowering, item)
            steps = tuple(list.__getitem__(lowering.steps, slice(first, None)))
            if entry is not None and _equal(steps, entry.steps):
                steps = entry.steps
                list.__setitem__(lowering.steps, slice(first, None), steps)
            noted = _flat(log.noted)
            if log.opaque:
                doubtful = None  # it may have noted more than is known
            elif doubtful is not None:
                doubtful.update(_differing(entry.noted if entry is not None else (), noted))
            entry = (
                Entry(None, (), (), steps, ())
                if log.opaque
                else Entry(item, _flat(log.asked), noted, steps, tuple({key for _, key in log.asked}))
            )
        journal.entries[name] = entry
    return list.__getitem__(lowering.steps, slice(None)), journal


def _doubtful(
    order: Sequence[Placed], known: Mapping[str, Entry], now: Journal, before: Journal
) -> set[str] | None:
    """Keys of which answers may differ from those in the state before, for what it holds itself or for layers that are gone.

    None where any may: layers changed places, or noted more than is known.
    """
    names = [item.layer.name for item in order]
    gone = known.keys() - names
    kept = [name for name in known if name not in gone] if gone else list(known)
    if kept != [name for name in names if name in known]:
        return None
    if None in [entry.item for entry in known.values()]:
        return None
    doubtful = changed_keys(now.layers, before.layers)
    doubtful |= now.planar ^ before.planar
    for name in gone:
        doubtful.update([key for _, key, _ in known[name].noted])
    return doubtful


def _differing(noted: Noted, now: Noted) -> Iterable[str]:
    """Keys of which a layer does not note what it noted."""
    if noted == now:
        return ()
    return [
        key for one, other in ((noted, now), (now, noted)) for _, key, _ in (n for n in one if n not in other)
    ]


def _recording(layers: Layers, target: Target) -> tuple[Lowering, _Log, list[_Table]]:
    log = _Log()
    lowering = Lowering(layers, target)
    tables: list[_Table] = []
    for number, name in enumerate(NOTES):
        table = _Table(number, getattr(lowering, name), log)
        setattr(lowering, name, table)
        tables.append(table)
    graph = _Graph(layers, log)
    lowering.layers = cast(Layers, graph)
    lowering.steps = steps = _Steps()
    steps.log = log
    return lowering, log, [*tables, graph.writers, graph.readers, graph.by_name]


def _answered_alike(entry: Entry, answers: Sequence[Callable[[str, Any], Any]]) -> bool:
    for number, key, value in entry.asked:
        now = answers[number](key, _ABSENT)
        if now is not value and now != value:
            return False
    return True


def _equal(steps: Sequence[Step], others: Sequence[Step]) -> bool:
    """The same in all but identity: a layer that takes other cycles is mostly made of the same steps."""
    return len(steps) == len(others) and all(
        _FIELDS(step) == _FIELDS(other) for step, other in zip(steps, others, strict=True)
    )


def _flat(table: Mapping[tuple[int, str], Any]) -> Noted:
    return tuple([(number, key, value) for (number, key), value in table.items()])
