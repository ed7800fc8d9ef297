"""Shapes of all tensors from the sizes of the inputs, through the operators that compute shapes at run time."""

from __future__ import annotations

from collections.abc import Mapping

from npuscope.model.graph import Graph
from npuscope.model.inference.infer import Inferred, infer
from npuscope.model.tensors import TensorType


def inferred(graph: Graph, inputs: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """Types of all tensors, from these types of the inputs and the graph's constants."""
    return inferred_values(graph, inputs).types


def inferred_values(graph: Graph, inputs: Mapping[str, TensorType]) -> Inferred:
    """Types and fixed values of all tensors, from these types of the inputs and the graph's constants."""
    bare = {name: TensorType(type_.dtype, None) for name, type_ in graph.types.items()}
    result = infer(graph.nodes, graph.constants, {**bare, **inputs}, graph.opset)
    for name, type_ in result.types.items():
        if type_.shape is None:  # what cannot be inferred keeps what the file states of it
            result.types[name] = graph.type(name)
    return result
