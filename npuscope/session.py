"""Session: a model, a target, and the edits made so far. Frozen: edit, undo and redo return a new one."""

from __future__ import annotations

from dataclasses import field, replace
from functools import cached_property

from npuscope.edits.edit import Edit, Refusal, patched
from npuscope.machine.machine import Target
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers, fold
from npuscope.model.load import Source
from npuscope.record import dataclass


@dataclass(frozen=True, eq=False)
class State:
    """A graph and its layers, folded when first asked for; what the state before had is taken over."""

    graph: Graph
    before: State | None = field(default=None, repr=False)

    @cached_property
    def layers(self) -> Layers:
        """The layers of the graph."""
        known = self.before is not None and "layers" in vars(self.before)
        return fold(self.graph, (self.before.graph, self.before.layers) if self.before and known else None)

    @property
    def compiled(self) -> Layers:
        """The layers as the compiler sees them."""
        return self.layers.through


@dataclass(frozen=True, eq=False)
class Session:
    """The document.

    1. `done` are the edits in force; `undone` those that redo would bring back, the next one last.
    2. `states[n]` is the model after the first n edits; `states[0]` is the model as opened.
    3. `exported` is the tuple of edits last written to a file, None if none was.
    """

    source: Source
    target: Target
    states: tuple[State, ...]
    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    exported: tuple[Edit, ...] | None = field(default=None)
    later: tuple[tuple[Edit, State], ...] = field(default=(), repr=False)
    """The states that edits led to before they were undone, the next one last."""

    @staticmethod
    def open(source: Source, target: Target) -> Session:
        """A session without edits."""
        return Session(source, target, (State(source.graph),))

    @property
    def graph(self) -> Graph:
        """The model with all edits in force."""
        return self.states[-1].graph

    @property
    def layers(self) -> Layers:
        """The layers of `graph`."""
        return self.states[-1].layers

    @property
    def unexported(self) -> bool:
        """Holds edits that no export has written; of a model judged as if quantized none can be."""
        return bool(self.done) and self.done != self.exported and not self.graph.as_int8

    def edit(self, edit: Edit) -> Session | Refusal:
        """The session with one more edit, or why it cannot be made. Forgets what was undone."""
        patch = edit.apply(self.graph, self.layers)
        if isinstance(patch, Refusal):
            return patch
        state = State(patched(self.graph, patch), self.states[-1])
        return replace(self, states=(*self.states, state), done=(*self.done, edit), undone=(), later=())

    def bare(self) -> Session:
        """The model as it is now, as if opened: an analysis of it asks for no summary of the model before."""
        return Session(self.source, self.target, self.states[-1:])

    def undo(self) -> Session:
        """The session before its last edit; itself where there is none."""
        if not self.done:
            return self
        edit = self.done[-1]
        return replace(
            self,
            states=self.states[:-1],
            done=self.done[:-1],
            undone=(*self.undone, edit),
            later=(*self.later, (edit, self.states[-1])),
        )

    def redo(self) -> Session:
        """The session with the last undone edit again; itself where there is none, or where it cannot be made now."""
        if not self.undone:
            return self
        edit, undone = self.undone[-1], self.undone[:-1]
        if self.later and self.later[-1][0] is edit and self.later[-1][1].before is self.states[-1]:
            state = self.later[-1][1]  # the very one, so that what is known of it still is
            return replace(
                self,
                states=(*self.states, state),
                done=(*self.done, edit),
                undone=undone,
                later=self.later[:-1],
            )
        again = self.edit(edit)
        # An edit that was undone fits the graph it was undone on; one that was switched off may not.
        return replace(again, undone=undone) if isinstance(again, Session) else self

    def with_target(self, target: Target) -> Session:
        """The same document, judged for another target."""
        return replace(self, target=target)
