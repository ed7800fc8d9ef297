"""Names that are not UTF-8: protobuf hands them over as bytes, which nothing behind the loader expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto

from npuscope.model.graph import Node, nodes_of


def has_undecodable_names(model: ModelProto, main: Sequence[Node]) -> bool:
    """Any name, operator, domain or metadata in the model, its bodies and functions is not UTF-8; `main` are the nodes of its graph.

    The name of the model's own graph is nowhere shown, and is left as it is.
    """
    outer = [model.producer_name, model.producer_version, *_metadata(model)]
    outer += [entry.domain for entry in model.opset_import]
    for function in model.functions:
        outer += [function.name, function.domain, *function.input, *function.output, *function.attribute]
    if any(isinstance(text, bytes) for text in outer):
        return True
    if any(isinstance(text, bytes) for text in _of_graph(model.graph)):
        return True
    pending: list[Sequence[Node]] = [main, *(nodes_of(function) for function in model.functions)]
    while pending:
        nodes = pending.pop()
        texts: list[Any] = [
            text for node in nodes if node.proto.metadata_props for text in _metadata(node.proto)
        ]
        for attribute in [a for node in nodes if not node.bare for a in node.proto.attribute]:
            texts.append(attribute.name)
            if attribute.type not in _HOLD_BODIES:
                continue
            bodies = _bodies(attribute)
            if any(isinstance(text, bytes) for body in bodies for text in (body.name, *_of_graph(body))):
                return True
            pending += [nodes_of(body) for body in bodies]
        for tensors in ([node.inputs for node in nodes], [node.outputs for node in nodes]):
            if bytes in map(type, chain.from_iterable(tensors)):
                return True
        texts += [node.name for node in nodes]
        texts += {node.op for node in nodes}
        texts += {node.domain for node in nodes}
        if bytes in map(type, texts):
            return True
    return False


_HOLD_BODIES = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def _of_graph(graph: GraphProto) -> Iterator[Any]:
    for tensor in graph.initializer:
        yield tensor.name
        for entry in tensor.external_data:
            yield from (entry.key, entry.value)
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            yield value.name
            for dim in value.type.tensor_type.shape.dim:
                yield dim.dim_param


def _bodies(attribute: AttributeProto) -> list[GraphProto]:
    if attribute.type == AttributeProto.GRAPH:
        return [attribute.g]
    return list(attribute.graphs) if attribute.type == AttributeProto.GRAPHS else []


def _metadata(proto: Any) -> Iterator[Any]:
    for entry in proto.metadata_props:
        yield from (entry.key, entry.value)
