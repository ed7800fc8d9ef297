"""Shapes of all tensors from the sizes of the inputs, through the operators that compute shapes at run time."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto, ModelProto, helper, numpy_helper

from npuscope.model.graph import Graph
from npuscope.model.shape_values import SMALL, completed, opsets
from npuscope.model.shapes import infer_types
from npuscope.model.tensors import TensorType, dtype_number


def inferred(graph: Graph, inputs: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """Types of all tensors, from these types of the inputs and the graph's constants."""
    bare = {name: TensorType(type_.dtype, None) for name, type_ in graph.types.items()}
    types = completed(graph, infer_types(_model(graph, inputs), graph.constants, {**bare, **inputs}))
    # What cannot be inferred keeps what the file says of it.
    return {name: type_ if type_.shape is not None else graph.type(name) for name, type_ in types.items()}


def _model(graph: Graph, inputs: Mapping[str, TensorType]) -> ModelProto:
    """The graph with these inputs; large constants are inputs of their type."""
    proto = GraphProto(name="graph")
    proto.node.extend(node.proto for node in graph.nodes)
    for name, type_ in inputs.items():
        proto.input.append(helper.make_tensor_value_info(name, dtype_number(type_.dtype), type_.shape))
    for name, constant in graph.constants.items():
        if name in graph.producers or constant.dtype == "unknown":
            continue
        if constant.size <= SMALL:
            proto.initializer.append(numpy_helper.from_array(constant.array(), name))
        else:
            number = dtype_number(constant.dtype)
            proto.input.append(helper.make_tensor_value_info(name, number, constant.shape))
    for name in graph.outputs:
        proto.output.append(helper.make_empty_tensor_value_info(name))
    return ModelProto(graph=proto, ir_version=8, opset_import=opsets(graph))
