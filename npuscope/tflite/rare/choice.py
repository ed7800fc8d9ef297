"""IF whose condition is computed: an If of ONNX, whose branches are graphs converted for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from npuscope.tflite.context import Context, UnsupportedError
from npuscope.tflite.schema import Operator, Subgraph

MOST_LEVELS = 4
"""Choices within choices that are converted."""

Converted = Callable[[Subgraph, int], ModelProto]
"""Converts a body: it, and the bytes of what it is given."""


def chosen(context: Context, operator: Operator, converted: Converted) -> None:
    """Both branches, in the order in which the file and ONNX have them. Raises UnsupportedError where one has no form."""
    condition = context.read(operator.input(0), False)
    if (
        context.tensor(operator.input(0)).dtype != "bool"
        or context.elements(context.shape(operator.input(0))) != 1
    ):
        raise UnsupportedError("decides by other than one truth value")
    branches = [_branch(context, operator, slot, converted) for slot in (0, 1)]
    names = [context.tensor(number).name for number in operator.outputs]
    for number in operator.outputs:
        context.enter(number)
        context.state(context.tensor(number).name, context.tensor(number).dtype, context.shape(number))
    context.node("If", [condition], names, operator.name, then_branch=branches[0], else_branch=branches[1])


def _branch(context: Context, operator: Operator, slot: int, converted: Converted) -> GraphProto:
    body = context.graph.body(operator.integer(slot))
    given = operator.inputs[1:]
    if body is None or len(body.inputs) != len(given) or len(body.outputs) != len(operator.outputs):
        raise UnsupportedError("decides between branches that are not in the file, or read something else")
    tensors, read, known = list(body.tensors), {}, 0
    for inner, outer in zip(body.inputs, given, strict=True):
        stated, data = context.tensor(outer), context.tensor(outer).data
        if stated.shape != tensors[inner].shape or stated.dtype != tensors[inner].dtype:
            raise UnsupportedError("hands tensors of another type or shape to its branches")
        if data is not None:
            tensors[inner] = replace(stated, index=inner, name=tensors[inner].name)
            known += len(data)
        else:
            read[tensors[inner].name] = context.in_order(outer)
    inputs = tuple(inner for inner in body.inputs if tensors[inner].data is None)
    for inner, outer in zip(body.outputs, operator.outputs, strict=True):
        if (
            tensors[inner].shape != context.shape(outer)
            or tensors[inner].dtype != context.tensor(outer).dtype
        ):
            raise UnsupportedError("takes results of another type or shape from its branches")
    model = converted(replace(body, tensors=tuple(tensors), inputs=inputs), known)
    if any(node.domain for node in all_nodes(model.graph)):
        raise UnsupportedError("decides at run time between branches that have no form in ONNX")
    context.spend(model.ByteSize())
    context.opset = max(context.opset, model.opset_import[0].version)
    return _inside(model.graph, read, f"{operator.name}_{('then', 'else')[slot]}/")


def _inside(graph: GraphProto, read: dict[str, str], prefix: str) -> GraphProto:
    """The graph as a branch: it reads what is outside, and no name in it is one of outside."""

    def named(name: str) -> str:
        return read.get(name, prefix + name) if name else ""

    made = GraphProto()
    made.CopyFrom(graph)
    made.name = prefix.rstrip("/")
    outputs = [value.name for value in graph.output]
    del made.input[:], made.value_info[:]
    pending = [made]
    while pending:
        current = pending.pop()
        for tensor in current.initializer:
            tensor.name = named(tensor.name)
        for value in (*current.output, *current.value_info):
            value.name = named(value.name)
        for node in current.node:
            node.name = prefix + node.name
            node.input[:] = [named(name) for name in node.input]
            node.output[:] = [named(name) for name in node.output]
            pending += _bodies(node)
    for place, name in enumerate(outputs):
        if name in read or outputs.index(name) != place or name in {t.name for t in graph.initializer}:
            result = f"{prefix}output_{place}"
            made.node.add(op_type="Identity", name=result, input=[named(name)], output=[result])
            made.output[place].name = result
    return made


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph, and those of the branches in it."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield from current.node
        for node in current.node:
            pending += _bodies(node)


def _bodies(node: NodeProto) -> list[GraphProto]:
    return [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]
