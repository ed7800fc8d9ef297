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

_ABSENT = object()
_FIELDS = attrgetter(*Step.__slots__)

Place = tuple[int, str]
"""(number of a table, key)."""


class Entry(NamedTuple):
    """How a layer was lowered: what it was answered, where no answer is `_ABSENT`, and what it noted.

    `item` is None where it asked what cannot be asked again.
    """

    item: Placed | None
    asked: Mapping[Place, Any]
    noted: Mapping[Place, Any]
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
        self.opaque = False
        """A layer asked what cannot be asked again."""


class _Log:
    """What the layer at hand asks and notes."""

    __slots__ = ("asked", "noted", "opaque")

    def __init__(self) -> None:
        self.asked: dict[Place, Any] = {}
        self.noted: dict[Place, Any] = {}
        self.opaque = False
        """It asked what cannot be asked again, such as how many steps there are."""


class _Asked:
    """A mapping of which it is noted what is asked of it."""

    __slots__ = ("_log", "_number", "_values")

    def __init__(self, number: int, values: Mapping[Any, Any], log: _Log) -> None:
        self._number, self._values, self._log = number, values, log

    def get(self, key: str, default: Any = None) -> Any:
        value = self._log.asked[self._number, key] = self._values.get(key, _ABSENT)
        return default if value is _ABSENT else value

    def __contains__(self, key: str) -> bool:
        return self.get(key, _ABSENT) is not _ABSENT

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def isdisjoint(self, keys: Iterable[str]) -> bool:
        return not any(key in self for key in keys)


class _Noted(_Asked):
    """One that is noted in, by its places among `values`; of what the layer at hand noted itself it asks nothing.

    A set's members are keys whose value is True.
    """

    __slots__ = ()
    _values: dict[Place, Any]

    def get(self, key: str, default: Any = None) -> Any:
        place, log = (self._number, key), self._log
        value = self._values.get(place, _ABSENT)
        if place not in log.noted:
            log.asked[place] = value
        return default if value is _ABSENT else value

    def __setitem__(self, key: str, value: Any) -> None:
        place = (self._number, key)
        self._log.noted[place] = self._values[place] = value

    def add(self, key: str) -> None:
        self[key] = True

    def update(self, keys: Iterable[str]) -> None:
        for key in keys:
            self[key] = keys[key] if isinstance(keys, Mapping) else True

    def __iter__(self) -> Iterator[str]:
        self._log.opaque = True
        return iter([key for number, key in self._values if number == self._number])

    def __len__(self) -> int:
        return len(list(iter(self)))


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
            _Asked(len(NOTES) + i, values, log) for i, values in enumerate(_of_graph(layers))
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
    lowering, log, notes = Lowering(layers, target), _Log(), dict[Place, Any]()
    journal = Journal(target, layers, lowering.planar)
    _record(lowering, log, notes)
    holds = before is not None and before.target is target and before.layers.results == layers.results
    known = before.entries if before is not None and holds else {}
    doubtful = _doubtful(order, known, journal, before) if before is not None and known else None
    made = lowering.steps
    for item in order:
        name = item.layer.name
        entry = known.get(name)
        if (
            entry is not None
            and entry.item == item
            and (
                (doubtful is not None and doubtful.isdisjoint(entry.keys))
                or _answered_alike(entry, notes, layers)
            )
        ):
            notes.update(entry.noted)
            made += entry.steps
        else:
            log.asked, log.noted, log.opaque = {}, {}, False
            first = list.__len__(made)
            lower(lowering, item)
            steps = tuple(list.__getitem__(made, slice(first, None)))
            if entry is not None and _equal(steps, entry.steps):
                steps = entry.steps
                list.__setitem__(made, slice(first, None), steps)
            if log.opaque:
                doubtful = None  # it may have noted more than is known
                journal.opaque = True
            elif doubtful is not None:
                doubtful.update(_differing(entry.noted if entry is not None else {}, log.noted))
            entry = (
                Entry(None, {}, {}, steps, ())
                if log.opaque
                else Entry(item, log.asked, log.noted, steps, tuple({key for _, key in log.asked}))
            )
        journal.entries[name] = entry
    return list.__getitem__(made, slice(None)), journal


def _doubtful(
    order: Sequence[Placed], known: Mapping[str, Entry], now: Journal, before: Journal
) -> set[str] | None:
    """Keys of which answers may differ from those in the state before, for what it holds itself or for layers that are gone.

    None where any may: layers changed places, or noted more than is known.
    """
    names = {item.layer.name: None for item in order}
    gone = known.keys() - names.keys()
    if before.opaque or [*filter(names.__contains__, known)] != [*filter(known.__contains__, names)]:
        return None
    doubtful = changed_keys(now.layers, before.layers)
    doubtful |= now.planar ^ before.planar
    for name in gone:
        doubtful.update([key for _, key in known[name].noted])
    return doubtful


def _differing(noted: Mapping[Place, Any], now: Mapping[Place, Any]) -> Iterable[str]:
    """Keys of which a layer does not note what it noted."""
    if noted == now:
        return ()
    places = {**noted, **now}
    return [
        key for place in places if noted.get(place, _ABSENT) != now.get(place, _ABSENT) for key in place[1:]
    ]


def _record(lowering: Lowering, log: _Log, notes: dict[Place, Any]) -> None:
    """Have what a lowering is asked, and what it notes, noted in `log`; `notes` takes all that is noted."""
    notes.update({(0, tensor): True for tensor in lowering.planar})
    for number, name in enumerate(NOTES):
        setattr(lowering, name, _Noted(number, notes, log))
    lowering.layers = cast(Layers, _Graph(lowering.layers, log))
    lowering.steps = steps = _Steps()
    steps.log = log


def _of_graph(layers: Layers) -> tuple[Mapping[str, Any], ...]:
    """What is asked of the layers; these tables have the numbers behind those of the notes."""
    return layers.writers, layers.readers, layers.by_name


def _answered_alike(entry: Entry, notes: Mapping[Place, Any], layers: Layers) -> bool:
    of_graph = _of_graph(layers)
    for place, value in entry.asked.items():
        number, key = place
        if number < len(NOTES):
            now = notes.get(place, _ABSENT)
        else:
            now = of_graph[number - len(NOTES)].get(key, _ABSENT)
        if now is not value and now != value:
            return False
    return True


def _equal(steps: Sequence[Step], others: Sequence[Step]) -> bool:
    """The same in all but identity: a layer that takes other cycles is mostly made of the same steps."""
    return len(steps) == len(others) and all(
        _FIELDS(step) == _FIELDS(other) for step, other in zip(steps, others, strict=True)
    )
