"""Epochs that an edit left as they were keep their figures: only their numbers change."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.model.layers import Layer
from npuscope.neural_art.price.traffic import Flow
from npuscope.npu.cost import Cost, Epoch, Inserted, Move, Part, Share
from npuscope.npu.verdict import Placement


class Basis(NamedTuple):
    """All that the figures of an epoch depend on, for one target. Its place in the schedule is not among it."""

    placement: Placement
    op: str
    inserted: tuple[Inserted, ...]
    moves: tuple[Move, ...]
    flows: tuple[Flow, ...]
    lying: tuple[tuple[Share, ...], ...]
    """Where the tensors of `flows` lie."""
    layers: tuple[Layer | None, ...]
    costs: tuple[Cost | None, ...]
    weights_in: tuple[str | None, ...]
    times: tuple[int, ...]
    handed: int | None
    """Bytes that the CPU hands over to the blob that begins here."""


Key = tuple[tuple[str, ...], str, int]


class Repricing:
    """The figures of one schedule, and of that before it, found by what an epoch runs and moves.

    A split may shift what shares an epoch with what as far as the model goes; undone, all is as before.
    """

    def __init__(self, before: Repricing | None = None) -> None:
        self._known: dict[Key, tuple[Basis, Epoch]] = {}
        self._older = before._known if before is not None else {}

    def known(self, epoch: Epoch, basis: Basis) -> Epoch | None:
        """The epoch with its figures, where one before rested on the same."""
        key = _key(epoch)
        for known in (self._known, self._older):
            priced = known.get(key)
            if priced is not None and priced[0] == basis:
                return priced[1] if priced[1].index == epoch.index else _numbered(priced[1], epoch.index)
        return None

    def keep(self, epoch: Epoch, basis: Basis) -> None:
        """Remember the figures of an epoch."""
        self._known[_key(epoch)] = basis, epoch


def _key(epoch: Epoch) -> Key:
    return epoch.layers, epoch.moves[0].tensor if epoch.moves else "", len(epoch.moves)


def _numbered(epoch: Epoch, index: int) -> Epoch:
    return Epoch(
        index=index,
        placement=epoch.placement,
        op=epoch.op,
        layers=epoch.layers,
        compute_cycles=epoch.compute_cycles,
        cycles=epoch.cycles,
        milliseconds=epoch.milliseconds,
        inserted=epoch.inserted,
        bound_by=epoch.bound_by,
        start_milliseconds=epoch.start_milliseconds,
        millijoules=epoch.millijoules,
        certain=epoch.certain,
        moves=epoch.moves,
        parts=tuple([Part(index, *part[1:]) for part in epoch.parts]),
    )
