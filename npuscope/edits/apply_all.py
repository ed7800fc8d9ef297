"""Many edits in a row, without folding the whole model again for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from npuscope.edits.edit import Edit, Refusal, patched
from npuscope.jobs import QUIET, Job
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer
from npuscope.session import Session, State


def apply_all(session: Session, edits: Sequence[Edit], job: Job = QUIET) -> Session | Refusal:
    """What `session.edit` gives for one edit after the other, or the first refusal. `job` is told of edits.

    Raises StoppedError where the job is stopped.
    """
    states, done = list(session.states), list(session.done)
    layers, touched = session.layers, set[str]()
    for edit in job.each(edits):
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
    if layer is None or not edit.declaration.replaces_one_layer or not touched.isdisjoint(layer.nodes):
        return False
    around = (graph.producer(name) for operand in layer.inputs for name in (operand.seen, operand.tensor))
    return all(node is None or node.name not in touched or node.name in layer.nodes for node in around)
