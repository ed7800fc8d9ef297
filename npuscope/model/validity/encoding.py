"""Names that are not UTF-8: protobuf hands them over as bytes, which nothing behind the loader expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto


def has_undecodable_names(model: ModelProto) -> bool:
    """Any name, operator, domain or metadata in the model, its bodies and functions is not UTF-8.

    The name of the model's own graph is nowhere shown, and is left as it is.
    """
    outer = [model.producer_name, model.producer_version, *_metadata(model)]
    outer += [entry.domain for entry in model.opset_import]
    for function in model.functions:
        outer += [function.name, function.domain, *function.input, *function.output, *function.attribute]
    if any(isinstance(text, bytes) for text in outer):
        return True
    nodes = [model.graph.node, *(function.node for function in model.functions)]
    if any(isinstance(text, bytes) for text in _of_graph(model.graph)):
        return True
    texts: list[Any] = []
    while nodes:
        for node in nodes.pop():
            texts += (node.name, node.op_type, node.domain)
            texts += node.input
            texts += node.output
            if node.metadata_props:
                texts += _metadata(node)
            for attribute in node.attribute:
                texts.append(attribute.name)
                bodies = _bodies(attribute)
                if any(isinstance(text, bytes) for body in bodies for text in (body.name, *_of_graph(body))):
                    return True
                nodes += [body.node for body in bodies]
    return bytes in map(type, texts)


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
