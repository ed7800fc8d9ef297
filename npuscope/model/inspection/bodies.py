"""What lies inside a node: the bodies of If, Loop and Scan, and the model's own functions, as graphs of their own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence

from onnx import FunctionProto, GraphProto, NodeProto

from npuscope.model.graph import Graph, Node, unique_names
from npuscope.model.inference.types import declared_types
from npuscope.model.tensors import Constant, TensorType, dtype_name
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A graph inside a node. `kind` is 'subgraph' or 'function'."""

    name: str
    kind: str
    graph: Graph


def body_names(node: Node, graph: Graph) -> tuple[tuple[str, str, int], ...]:
    """(name, kind, number of nodes) of what lies inside, without making graphs of it."""
    names = [(body.name, "subgraph", len(body.node)) for body in node.subgraphs]
    function = graph.functions.get((node.domain, node.op))
    if function is not None:
        names.append((function.name, "function", len(function.node)))
    return tuple(names)


def body(node: Node, graph: Graph, index: int) -> Body:
    """The graph at a place of `body_names`. It knows the tensors around it; a function those it is called with."""
    subgraphs = node.subgraphs
    if index < len(subgraphs):
        return Body(subgraphs[index].name, "subgraph", _of_graph(subgraphs[index], graph))
    function = graph.functions[node.domain, node.op]
    return Body(function.name, "function", _of_function(function, node, graph))


def _nodes(protos: Sequence[NodeProto]) -> tuple[Node, ...]:
    return tuple(
        Node(name, proto.op_type, proto.domain, tuple(proto.input), tuple(proto.output), proto)
        for name, proto in zip(unique_names(protos), protos, strict=True)
    )


def _constants(protos: Sequence[NodeProto]) -> dict[str, Constant]:
    constants: dict[str, Constant] = {}
    for proto in protos:
        for attribute in proto.attribute:
            if proto.op_type == "Constant" and attribute.name == "value" and len(proto.output) == 1:
                tensor, name = attribute.t, proto.output[0]
                shape = tuple(tensor.dims)
                if all(dim >= 0 for dim in shape):
                    constants[name] = Constant(name, dtype_name(tensor.data_type), shape, tensor)
    return constants


def _of_graph(inner: GraphProto, outer: Graph) -> Graph:
    constants: dict[str, Constant] = {
        tensor.name: Constant(tensor.name, dtype_name(tensor.data_type), tuple(tensor.dims), tensor)
        for tensor in inner.initializer
        if not tensor.external_data and all(dim >= 0 for dim in tensor.dims)
    } | _constants(inner.node)
    return Graph(
        _nodes(inner.node),
        ChainMap(constants, dict(outer.constants)) if constants else outer.constants,
        ChainMap(declared_types(inner), dict(outer.types)),
        tuple(value.name for value in inner.input if value.name not in constants),
        tuple(value.name for value in inner.output),
        outer.opsets,
        functions=outer.functions,
    )


def _of_function(function: FunctionProto, call: Node, outer: Graph) -> Graph:
    """Names within a function are its own: only its parameters have something to do with the tensors outside."""
    types: dict[str, TensorType] = {}
    constants = _constants(function.node)
    for formal, actual in (
        *zip(function.input, call.inputs, strict=False),
        *zip(function.output, call.outputs, strict=False),
    ):
        types[formal] = outer.type(actual)
        constant = outer.constant(actual)
        if constant is not None:
            constants[formal] = constant
    opsets: Mapping[str, int] = {entry.domain: entry.version for entry in function.opset_import}
    return Graph(
        _nodes(function.node),
        constants,
        types,
        tuple(function.input),
        tuple(function.output),
        opsets or outer.opsets,
        functions=outer.functions,
    )
