"""How many parameters a model has."""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain
from weakref import WeakKeyDictionary

from npuscope.model.after_edits.difference import changed_constants, replaced
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import BORDER_OPS, is_qdq, quantization_inputs


def parameters(graph: Graph, before: Graph | None = None) -> int:
    """Elements of all constants, scales and zero points left out: what the compiler calls 'params #'.

    Of another state of the graph, `before`, they are known mostly, and what is not shared makes the difference.
    """
    known = _KNOWN.get(graph)
    if known is None:
        counted = _KNOWN.get(before) if before is not None else None
        if before is not None and counted is not None and before.output_set == graph.output_set:
            known = counted + _difference(graph, before)
        else:
            known = _all(graph)
        _KNOWN[graph] = known
    return known


_KNOWN: WeakKeyDictionary[Graph, int] = WeakKeyDictionary()
"""Graphs that were counted: each is judged for several targets."""


def _difference(graph: Graph, before: Graph) -> int:
    added, removed, _ = replaced(graph, before)
    touched = {name for node in (*added, *removed) for name in node.inputs}
    touched |= changed_constants(graph, before)
    return sum([_counted(graph, name) - _counted(before, name) for name in touched])


def _all(graph: Graph) -> int:
    quantizing = [node for node in graph.nodes if node.op[:1] == "Q" or node.op in BORDER_OPS]
    scales = set(chain.from_iterable(map(_scales, quantizing)))
    # What only bodies of control flow read does not count: where there are none, all readers are known already.
    read = graph.consumers if not graph.with_bodies else set().union(*[node.inputs for node in graph.nodes])
    results = graph.output_set
    return sum(
        [
            constant.size
            for name, constant in graph.constants.items()
            if (name in read and name not in scales) or name in results
        ]
    )


def _scales(node: Node) -> Collection[str]:
    """The scales and zero points among the inputs of a node."""
    op = node.op
    if op in BORDER_OPS:
        return node.inputs[1:] if is_qdq(node) else ()
    return [node.input(i) for i in quantization_inputs(node)] if op[:1] == "Q" else ()


def _counted(graph: Graph, name: str) -> int:
    """Elements of one constant, 0 where it does not count."""
    constant = graph.constants.get(name)
    if constant is None or name in graph.output_set:
        return constant.size if constant is not None else 0
    read = False
    for i in graph.consumers.get(name, ()):
        node = graph.nodes[i]
        if name in _scales(node):
            return 0
        read = read or name in node.inputs
    return constant.size if read else 0
