"""The analyses of the states a model was in last: one that comes back, undone or made again, is not judged anew."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot, changed_since

MOST_LAYERS = 30_000
"""Layers of all analyses that are kept: those of a model of 10,000 nodes hold some 20 MB. The last two always are."""


class _Kept(NamedTuple):
    opened: State
    state: State
    target: Target
    snapshot: Snapshot


class Analyses:
    """Kept by the very state of a session: edits that lead to the same graph in another way make another state."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        """The newest last."""

    def keep(self, session: Session, snapshot: Snapshot) -> None:
        """Remember the analysis of a session's last state."""
        opened, state, target = session.states[0], session.states[-1], session.target
        if snapshot.graph is not state.graph or snapshot.target is not target:
            return
        others = [one for one in self._kept if one.state is not state or one.target is not target]
        self._kept = [*others, _Kept(opened, state, target, snapshot)]
        while len(self._kept) > 2 and sum(len(one.snapshot.layers) for one in self._kept) > MOST_LAYERS:
            del self._kept[0]

    def known(self, session: Session, previous: Snapshot) -> Snapshot | None:
        """What `analyse` would say of a session, where it has said it; `previous` is the snapshot it follows."""
        opened, state, target = session.states[0], session.states[-1], session.target
        for one in self._kept:
            if one.state is state and one.opened is opened and one.target is target:
                return changed_since(one.snapshot, previous)
        return None
