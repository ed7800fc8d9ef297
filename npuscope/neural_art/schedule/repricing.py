"""Epochs of one form have the same figures, whatever their layers and tensors are called: each form is worked out once.

A model repeats its blocks, and an edit leaves most epochs as they were but for their numbers and for what shares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from npuscope.model.convolution import Convolution
from npuscope.neural_art.price.traffic import Flow
from npuscope.npu.cost import Cost, Epoch, Memory, Part, Share
from npuscope.npu.verdict import Placement

MOST_FORMS = 1 << 14
"""Forms that are remembered before all are forgotten: a plan tries thousands of edits."""


Own = tuple[str, int, str | None, int, Convolution | None, bool]
"""What the figures of an epoch depend on of one of its layers: kind, identity of the price (of equal layers it is one
object), pool of the weights, parts the work is divided in, the convolution where weights lie elsewhere than is priced, and
whether it brings its result to a scale of its own."""

Form = tuple[
    Placement,
    tuple[Own, ...],
    tuple[tuple[str, int, int, int], ...],
    tuple[tuple[int, int, bool, int, bool, tuple[Share, ...], int], ...],
    int | None,
]
"""All that the figures of an epoch depend on, for one target. Layers are numbers; its place in the schedule is not among it.

1. What is inserted: kind, elements, bytes of constants, layer.
2. What moves: bytes, run, whether it is written, lone accesses, whether byte by byte, where it lies, and the layer that moves it, -1 for none.
3. The bytes that the CPU hands over to the blob that begins here.
"""


class Figures(NamedTuple):
    """An epoch with its figures, and the number of each name in it."""

    epoch: Epoch
    numbers: Mapping[str, int]
    costs: tuple[Cost | None, ...]
    """Held as long as the form is, whose identities they are."""


Key = tuple[tuple[str, ...], str, int]
Flows = tuple[Flow, ...]


class Repricing:
    """The figures of one schedule and of that before it, by what an epoch runs and moves; those of all forms seen so far."""

    def __init__(self, before: Repricing | None = None) -> None:
        self._known: dict[Key, tuple[Form, Epoch]] = {}
        self._older = before._known if before is not None else {}
        self._of_flows: dict[int, tuple[Flows, Form, Epoch]] = {}
        """By the identity of its flows."""
        self.forms: dict[Form, Figures] = before.forms if before is not None else {}
        self.memory: Memory | None = None
        self.parts: Mapping[str, int] = {}
        """Where all lay, and in how many parts the work of a layer was divided."""

    def changed(self, memory: Memory, parts: Mapping[str, int]) -> frozenset[str] | None:
        """Buffers and layers that lie elsewhere now, or are divided in another way; None where nothing is known."""
        was = self.memory
        if was is None:
            return None
        tables = ((memory.buffers, was.buffers), (memory.weights_in, was.weights_in), (parts, self.parts))
        return frozenset(
            [
                name
                for now, before in tables
                if now is not before
                for name, value in now.items()
                if before.get(name) != value
            ]
        )

    def same(self, epoch: Epoch, flows: Flows, changed: frozenset[str]) -> tuple[Form, Epoch] | None:
        """The figures of an epoch that runs and moves the very same, all of which lies where it did, and its form."""
        found = self._of_flows.get(id(flows))
        if found is None or found[0] is not flows:
            return None
        _, form, priced = found
        if priced.layers is not epoch.layers or priced.inserted is not epoch.inserted:
            return None
        if not (changed.isdisjoint(epoch.layers) and changed.isdisjoint([flow.tensor for flow in flows])):
            return None
        return form, priced if priced.index == epoch.index else _numbered(priced, epoch.index)

    def known(self, epoch: Epoch, form: Form, numbers: Mapping[str, int]) -> Epoch | None:
        """The epoch with its figures, where one of its form has them; the very one of before where it is the same."""
        key = _key(epoch)
        for known in (self._known, self._older):
            priced = known.get(key)
            if priced is not None and priced[0] == form and _same(priced[1], epoch):
                return priced[1] if priced[1].index == epoch.index else _numbered(priced[1], epoch.index)
        figures = self.forms.get(form)
        return None if figures is None else _named(figures, epoch, numbers)

    def keep(self, epoch: Epoch, form: Form, flows: Flows) -> None:
        """Remember which figures the epoch has."""
        self._known[_key(epoch)] = form, epoch
        self._of_flows[id(flows)] = flows, form, epoch

    def learn(self, form: Form, figures: Figures) -> None:
        """Remember the figures of a form."""
        if len(self.forms) >= MOST_FORMS:
            self.forms.clear()
        self.forms[form] = figures


def _key(epoch: Epoch) -> Key:
    return epoch.layers, epoch.moves[0].tensor if epoch.moves else "", len(epoch.moves)


def _same(one: Epoch, other: Epoch) -> bool:
    """Both run and move the same."""
    return one.moves == other.moves and one.inserted == other.inserted and one.op == other.op


def _numbered(epoch: Epoch, index: int) -> Epoch:
    return _filled(epoch, epoch, index, tuple([Part(index, *part[1:]) for part in epoch.parts]))


def _named(figures: Figures, epoch: Epoch, numbers: Mapping[str, int]) -> Epoch:
    names, was, index = list(numbers), figures.numbers, epoch.index
    parts = tuple([Part(index, names[was[part.layer]], *part[2:]) for part in figures.epoch.parts])
    return _filled(figures.epoch, epoch, index, parts)


def _filled(priced: Epoch, epoch: Epoch, index: int, parts: tuple[Part, ...]) -> Epoch:
    """The figures of one epoch as those of another."""
    return Epoch(
        index=index,
        placement=epoch.placement,
        op=epoch.op,
        layers=epoch.layers,
        compute_cycles=priced.compute_cycles,
        cycles=priced.cycles,
        milliseconds=priced.milliseconds,
        inserted=epoch.inserted,
        bound_by=priced.bound_by,
        start_milliseconds=priced.start_milliseconds,
        millijoules=priced.millijoules,
        certain=priced.certain,
        moves=epoch.moves,
        parts=parts,
    )
