"""The best edits for one layer after the other, and what of it holds for layers alike and for a search that may do more."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from npuscope.edits.edit import Edit, Refusal
from npuscope.model.layers import Layer
from npuscope.npu.times import in_ms
from npuscope.numbers.region import changed_nodes
from npuscope.planning.plan import Allowed, Budget, Step
from npuscope.planning.search.improve import Trial, improve, least_gain, replayed, root_of, worth
from npuscope.planning.search.repeats import BestOfWindow, Verdicts, signature, verdicts
from npuscope.planning.window import window
from npuscope.record import dataclass
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot

KEPT_BYTES = 1 << 26
"""Of trials that are kept for a search that allows more edits."""


@dataclass(frozen=True, slots=True, eq=False)
class Improvement:
    """The best edits for a layer, step by step, and the names of the model's nodes they change, or whose tensors they do."""

    steps: tuple[Step, ...]
    touched: frozenset[str]

    @staticmethod
    def of(before: Session, after: Session, steps: tuple[Step, ...]) -> Improvement:
        """What these steps make of a window."""
        changed = changed_nodes(before.graph, after.graph)
        return Improvement(steps, frozenset([node.name for node in changed]))


Place = tuple[State, str]
"""A layer of a state of the model."""


class Improver:
    """Finds the best edits for one layer after the other, under one budget; knows what it found for layers before.

    Windows are numbered by their signatures.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._numbers: dict[Hashable, int] = {}
        self.known: dict[int, BestOfWindow] = {}
        self.declined: dict[str, str] = {}
        """Layer -> what would bring it closer to the NPU, but takes longer."""
        self._declined_like: dict[int, str] = {}
        self.held_back: dict[int, frozenset[Allowed]] = {}
        """Window -> the budgets under which an edit would have been tried that this one rules out, or weighed otherwise."""
        self._here: dict[Place, tuple[int, Improvement | None]] = {}
        """Layer -> its window, and what was found there."""
        self._stricter: dict[Place, tuple[int, Improvement | None]] = {}
        """What one that allows fewer edits found."""
        self._roots: dict[Place, Trial] = {}
        """Windows with all that was tried in them, for one that allows more edits."""
        self._room = KEPT_BYTES

    def freer(self, budget: Budget) -> Improver:
        """For a budget that allows more edits: what was found where it would have tried no other holds there too."""
        other = Improver(budget)
        alike = {key for key in self.known if budget.allowed not in self.held_back.get(key, ())}
        other._numbers = self._numbers
        other.known = {key: edits for key, edits in self.known.items() if key in alike}
        other.held_back = {key: more for key, more in self.held_back.items() if key in alike}
        other._declined_like = {key: why for key, why in self._declined_like.items() if key in alike}
        other._here = {place: found for place, found in self._here.items() if found[0] in alike}
        other._stricter = {**self._stricter, **self._here}
        other._roots, other._room = self._roots, self._room
        return other

    def improve(
        self,
        session: Session,
        snapshot: Snapshot,
        layer: Layer,
        nodes: tuple[str, ...],
        near: Session | None = None,
    ) -> Improvement | None:
        """The edits to make for a layer of a model, None where none is worth it.

        `nodes` are those of its window, by name; `near` is the window, where it is made already.
        """
        place = session.states[-1], layer.name
        if place not in self._here:
            self._here[place] = self._looked(session, snapshot, layer, nodes, near)
        key, found = self._here[place]
        if found is None and key in self._declined_like:
            self.declined[layer.name] = self._declined_like[key]
        return found

    def _looked(
        self,
        session: Session,
        snapshot: Snapshot,
        layer: Layer,
        nodes: tuple[str, ...],
        near: Session | None,
    ) -> tuple[int, Improvement | None]:
        key, stricter = self._stricter.get((session.states[-1], layer.name), (None, None))
        if key is None:
            near = near or window(session, layer.nodes)
            key = self._numbers.setdefault(signature(near, layer.name), len(self._numbers))
        known = self.known.get(key)
        if known is not None and not known.steps:
            return key, None
        edits = known.on(nodes) if known is not None else None
        if edits and stricter is not None and edits == tuple([step.edit for step in stricter.steps]):
            return key, stricter
        near, said = near or window(session, layer.nodes), verdicts(session, snapshot, nodes)
        if known is not None and known.verdicts == said and (steps := known.moved(nodes)):
            made = _edited(near, steps)
            if made is not None:
                return key, Improvement.of(near, made, steps)
        return key, self._found(key, session, near, layer.name, edits, said)

    def _found(
        self,
        key: int,
        session: Session,
        near: Session,
        layer: str,
        edits: tuple[Edit, ...] | None,
        said: Verdicts,
    ) -> Improvement | None:
        """What `edits` are in a window where they are worth it, else the best ones."""
        place = session.states[-1], layer
        root = self._roots.pop(place, None) or root_of(near, layer)
        if root is None:
            return None
        best = replayed(root, edits) if edits else None
        if best is None or not worth(best, root, least_gain(root, layer), self.budget):
            best, slower, held_back = improve(root, layer, self.budget)
            self.held_back[key] = held_back
            if held_back and (more := root.added) <= self._room:
                self._roots[place], self._room = root, self._room - more
            if best is None and slower is not None:
                kinds = " and ".join(dict.fromkeys(step.edit.kind for step in slower.steps))
                longer = slower.milliseconds - root.milliseconds
                self._declined_like[key] = (
                    f"{kinds} would bring it closer to the NPU, but the model would take {in_ms(longer)} ms longer"
                )
            nodes = tuple([node.name for node in near.graph.nodes])
            self.known[key] = BestOfWindow(nodes, said, best.steps if best is not None else ())
        return Improvement.of(root.session, best.session, best.steps) if best is not None else None


def _edited(near: Session, steps: Sequence[Step]) -> Session | None:
    """A window with edits made, None where one is refused there."""
    for step in steps:
        made = near.edit(step.edit)
        if isinstance(made, Refusal):
            return None
        near = made
    return near
