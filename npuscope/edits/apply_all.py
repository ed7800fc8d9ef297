"""Many edits in a row, without folding the whole model again for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.edits.edit import Edit, Refusal, patched
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer
from npuscope.numbers.runner import Progress, ShouldStop, StoppedError
from npuscope.planning.candidates import REPLACES_ONE_LAYER
from npuscope.session import Session, State


def apply_all(
    session: Session,
    edits: Sequence[Edit],
    should_stop: ShouldStop | None = None,
    progress: Progress | None = None,
) -> Session | Refusal:
    """What `session.edit` gives for one edit after the other, or the first refusal. `progress` counts edits.

    Raises StoppedError where `should_stop` says so.
    """
    states, done = list(session.states), list(session.done)
    layers, touched = session.layers, set[str]()
    for number, edit in enumerate(edits):
        if should_stop is not None and should_stop():
            raise StoppedError
        if progress is not None:
            progress(number, len(edits))
        graph = states[-1].graph
        if touched and not _untouched(graph, edit, layers.by_name.get(edit.layer), touched):
            layers = states[-1].layers
            touched.clear()
        patch = edit.apply(graph, layers)
        if isinstance(patch, Refusal):
            return patch
        states.append(State(patched(graph, patch), states[-1]))
        done.append(edit)
        touched |= patch.touched
        touched.update(node.name for node in patch.added)
    return replace(session, states=tuple(states), done=tuple(done), undone=())


def _untouched(graph: Graph, edit: Edit, layer: Layer | None, touched: set[str]) -> bool:
    """The layer is still as it was folded, and its edit looks no further than the layer's own nodes."""
    if layer is None or edit.kind not in REPLACES_ONE_LAYER or not touched.isdisjoint(layer.nodes):
        return False
    around = (graph.producer(name) for operand in layer.inputs for name in (operand.seen, operand.tensor))
    return all(node is None or node.name not in touched or node.name in layer.nodes for node in around)
