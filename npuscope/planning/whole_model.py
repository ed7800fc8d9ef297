"""The edits of a whole model: its sizes, its integer types, its form."""

from __future__ import annotations

from npuscope.edits.edit import Edit, Refusal
from npuscope.edits.kinds.activations_int8 import ActivationsInt8
from npuscope.edits.kinds.fix_dimensions import FixDimensions
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.to_qdq import ToQdq
from npuscope.model.graph import Graph
from npuscope.model.validity.faults import invalid_node
from npuscope.session import Session

EDITS: tuple[Edit, ...] = (ToQdq(), ActivationsInt8(), Int8Borders())
"""Those that take nothing but the model."""

MOST_DIGITS = 9
"""Digits of a size: with more it is not the size of a tensor, and past some thousands Python makes no number of them."""


def whole_model_edits(session: Session) -> tuple[Edit, ...]:
    """The edits that can be made of the model as it is; `FixDimensions` with no sizes where some are to be given.

    None that would change a node that is not valid: what that computes is not known.
    """
    graph, layers = session.graph, session.layers
    patches = [(edit, edit.apply(graph, layers)) for edit in EDITS]
    fitting = [
        edit
        for edit, patch in patches
        if not isinstance(patch, Refusal) and not invalid_node(graph, patch.touched)
    ]
    if not graph.sizes_fixed and (free_sizes(graph) or session.source.free_batch):
        return (FixDimensions(), *fitting)
    return tuple(fitting)


def free_sizes(graph: Graph) -> tuple[str, ...]:
    """What `FixDimensions` has to be told: names of free sizes of the inputs, 'input:axis' where one has no name."""
    sizes = {
        str(dim) if dim else f"{name}:{axis}": None
        for name in graph.inputs
        for axis, dim in enumerate(graph.type(name).shape or ())
        if not isinstance(dim, int)
    }
    return tuple(sizes)


def parse_dimensions(text: str) -> FixDimensions | Refusal:
    """'frames=30 width=224' as an edit."""
    sizes = []
    for word in text.replace(",", " ").split():
        name, equals, number = word.rpartition("=")
        if not equals or not name or not number.isdecimal():
            return Refusal(f"{word!r} is not a size", "write name=number, as in frames=30")
        if len(number) > MOST_DIGITS:
            return Refusal(f"a size of {len(number)} digits is not one the compiler takes")
        sizes.append((name, int(number)))
    return FixDimensions(tuple(sizes))
