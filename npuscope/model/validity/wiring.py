"""Tensors that cannot be as the file has them: written by no node, by two, or from themselves; sparse ones with indices outside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import chain

from onnx import GraphProto, SparseTensorProto

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node
from npuscope.model.names import quoted
from npuscope.model.tensors import Constant, constant_array
from npuscope.model.validity.operands import as_text

MOST_PLACES = 1 << 22
"""Indices of a sparse tensor that are looked at."""


def miswired(graph: Graph, proto: GraphProto, constants: Mapping[str, Constant]) -> dict[str, str]:
    """Tensor -> what is wrong with it, in a clause, for what onnxruntime refuses."""
    wrong = dict(_twice(graph, proto))
    known = {*graph.inputs, *constants, ""}
    if graph.in_order:  # as most are
        read = set(chain.from_iterable([node.inputs for node in graph.nodes]))
        if known.issuperset(read - graph.producers.keys()):
            wrong.update(_sparse(graph, proto))
            return wrong
    in_order = True
    for node in graph.nodes:
        for name in () if known.issuperset(node.inputs) else node.inputs:
            if name not in known:
                in_order = False
                if name not in graph.producers:
                    wrong.setdefault(
                        name, f"{_shown(name)} is written by no node and is neither an input nor a constant"
                    )
        known.update(node.outputs)
    if not in_order:
        wrong.update((name, f"{_shown(name)} depends on itself") for name in _circular(graph))
    wrong.update(_sparse(graph, proto))
    return wrong


def unmade_outputs(graph: Graph, constants: Mapping[str, Constant]) -> tuple[str, ...]:
    """Notes on outputs of the graph that nothing writes, and on a graph without outputs."""
    if not graph.outputs:
        return ("The model has no outputs, so nothing says which results are wanted.",)
    missing = [
        n
        for n in graph.outputs
        if n not in graph.producers and n not in graph.input_set and n not in constants
    ]
    if not missing:
        return ()
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (f"No node writes the output {_shown(missing[0])}{more}; onnxruntime refuses the model.",)


def _twice(graph: Graph, proto: GraphProto) -> Iterator[tuple[str, str]]:
    named = [tensor.name for tensor in proto.initializer]
    once = {*named, *graph.inputs}
    if graph.in_order and len(once) == len(named) + len(graph.inputs) and once.isdisjoint(graph.producers):
        return
    makers: dict[str, str | Node] = {tensor.name: "an initializer" for tensor in proto.initializer}
    makers.update((name, "an input of the graph") for name in graph.inputs)
    for node in graph.nodes:
        for name in node.outputs:
            if not name:
                continue
            if name in makers:
                one, other = [m if isinstance(m, str) else _shown(m.name) for m in (makers[name], node)]
                yield name, f"{_shown(name)} is written twice, by {one} and by {other}"
            makers[name] = node


def _circular(graph: Graph) -> Iterator[str]:
    """What the nodes on a circle write: those left after taking off what waits for nothing, from both ends."""
    before = [
        {p for name in node.inputs if (p := graph.producers.get(name)) is not None} for node in graph.nodes
    ]
    after: list[set[int]] = [set() for _ in graph.nodes]
    for index, needs in enumerate(before):
        for need in needs:
            after[need].add(index)
    left = set(range(len(before)))
    for waits, frees in ((before, after), (after, before)):
        counts = {index: len(waits[index] & left) for index in left}
        ready = [index for index, count in counts.items() if not count]
        while ready:
            index = ready.pop()
            left.discard(index)
            for other in frees[index]:
                if other in left:
                    counts[other] -= 1
                    if not counts[other]:
                        ready.append(other)
    for index in left:
        yield from (name for name in graph.nodes[index].outputs if name)


def _sparse(graph: Graph, proto: GraphProto) -> Iterator[tuple[str, str]]:
    for sparse in proto.sparse_initializer:
        if clause := _outside(sparse, sparse.values.name):
            yield sparse.values.name, clause
    for node in graph.nodes:
        if node.op == "Constant" and len(node.outputs) == 1:
            for attribute in node.proto.attribute:
                if attribute.name == "sparse_value" and (
                    clause := _outside(attribute.sparse_tensor, node.outputs[0])
                ):
                    yield node.outputs[0], clause


def _outside(sparse: SparseTensorProto, name: str) -> str:
    """What of a sparse tensor's indices does not fit its sizes and values; '' where nothing is known."""
    shape, count = tuple(sparse.dims), tuple(sparse.values.dims)
    indices = tuple(sparse.indices.dims)
    if len(count) != 1 or not indices or indices[0] != count[0] or indices[1:] not in ((), (len(shape),)):
        return f"{_shown(name)} has {as_text(count)} values and indices of {as_text(indices)}, in a sparse tensor of {as_text(shape)}"
    if count[0] > MOST_PLACES:
        return ""
    try:
        places = constant_array(sparse.indices)
    except ModelError as error:
        return str(error)
    if places.dtype.kind not in "iu":
        return f"{_shown(name)} has indices of {places.dtype}; they must be integers"
    if not places.size:
        return ""
    size = math.prod(shape)
    limits = shape if places.ndim == 2 else (size,)
    columns = places.reshape(count[0], -1).T
    for limit, column in zip(limits, columns, strict=True):
        low, high = int(column.min()), int(column.max())
        if low < 0 or high >= limit:
            place = low if low < 0 else high
            return f"{_shown(name)} has a value at index {place} of {limit}, in a sparse tensor of {as_text(shape)}"
    return ""


def _shown(name: str) -> str:
    return repr(quoted(name))
