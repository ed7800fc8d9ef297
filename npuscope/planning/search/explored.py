"""What a search has found out of the states of a model: one that may do more, from the same start, need not again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from npuscope.planning.plan import Step
from npuscope.planning.window import window
from npuscope.record import dataclass
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot

MOST_STATES = 32
"""States that are kept with their analysis."""


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """What would be done for one layer."""

    steps: tuple[Step, ...]

    @property
    def brings(self) -> bool:
        """For the layer's place; the others only save time, which the model as a whole may not gain."""
        return any(step.placement[1].rank < step.placement[0].rank for step in self.steps)

    @property
    def promised(self) -> float:
        """Milliseconds that it saves of its window."""
        return sum(step.saved_milliseconds for step in self.steps)

    def costs(self, stated: Iterable[Step]) -> bool:
        """It only saves time, and takes some of the model's, as steps with their own figures say; others would hide it."""
        edits = {step.edit for step in self.steps}
        own = [step for step in stated if step.edit in edits]
        known = not self.brings and not any(step.approximate for step in own)
        return known and sum(step.saved_milliseconds for step in own) < 0


def shortened(options: Sequence[Option], count: int) -> list[Option]:
    """The options with the first of their steps alone, so many in all: the first one of each is made before any second."""
    taken, depth = [0] * len(options), 0
    while count > 0 and any(depth < len(option.steps) for option in options):
        for i, option in enumerate(options):
            if count > 0 and depth < len(option.steps):
                taken[i] += 1
                count -= 1
        depth += 1
    return [Option(option.steps[:n]) for option, n in zip(options, taken, strict=True) if n]


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A step, and the names of the nodes and tensors it brought into the graph."""

    step: Step
    nodes: frozenset[str]
    tensors: frozenset[str]


class Reached(NamedTuple):
    """A model with some edits made, its analysis, and the steps that led to it."""

    session: Session
    snapshot: Snapshot
    made: Sequence[Made]


class Explored:
    """Held by the searches of one plan, and gone with them."""

    def __init__(self) -> None:
        self._near: dict[tuple[State, str], tuple[str, ...]] = {}
        self._reached: dict[tuple[State, Hashable], Reached | None] = {}
        self._kept = 0

    def near(
        self, session: Session, layer: str, nodes: Sequence[str]
    ) -> tuple[tuple[str, ...], Session | None]:
        """The names of the nodes in the window of a layer, and the window where it was just made."""
        place = session.states[-1], layer
        names = self._near.get(place)
        if names is not None:
            return names, None
        made = window(session, nodes)
        names = self._near[place] = tuple([node.name for node in made.graph.nodes])
        return names, made

    def knows(self, state: State, edits: Hashable) -> bool:
        """Whether these edits were made of this state before."""
        return (state, edits) in self._reached

    def reached(self, state: State, edits: Hashable) -> Reached | None:
        """Where they led; None where the model was no better for them."""
        return self._reached[state, edits]

    def keep(self, state: State, edits: Hashable, reached: Reached | None) -> None:
        """Remember where they led, as long as that is not too much."""
        if reached is not None:
            self._kept += 1
        if reached is None or self._kept <= MOST_STATES:
            self._reached[state, edits] = reached
