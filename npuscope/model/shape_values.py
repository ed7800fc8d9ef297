"""Shapes past operators that compute shapes at run time: ONNX's own inference stops at a Reshape whose shape the model
computes (Shape, Gather, Concat...).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TypeProto, helper, numpy_helper

from npuscope.model.graph import Graph, Node
from npuscope.model.shapes import fill, fills, stand_in, tensor_type
from npuscope.model.tensors import UNKNOWN, Array, TensorType, dtype_number

SMALL = 256
"""Elements up to which a constant is shown to shape inference: the operand of a Reshape, not weights."""

COMPUTES_SHAPES = frozenset(
    {
        "Add", "Sub", "Mul", "Div", "Neg", "Min", "Max", "Cast", "Ceil", "Floor", "Concat", "ConstantOfShape", "Equal",
        "Gather", "Identity", "Range", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze", "Where", "Expand",
        "ReduceProd", "Tile", "Flatten", "Sqrt", "Pow", "Mod", "Abs",
    }
)  # fmt: skip
"""Operators that exporters compute shapes with."""


_FLOAT_ONLY = frozenset({"Add", "Mul", "Sigmoid", "GlobalAveragePool", "AveragePool", "Gemm"})


def stops_early(graph: Graph) -> bool:
    """A shape that the graph computes, or an operator ONNX infers nothing for, left the shape of another tensor open."""
    if not any(
        (node.op == "Shape" and node.standard) or fills(node.proto) or _of_constants(graph, node)
        for node in graph.nodes
    ):
        return False
    return any(name and graph.type(name).dims is None for node in graph.nodes for name in node.outputs)


def _of_constants(graph: Graph, node: Node) -> bool:
    """Computes something small of constants alone, as exporters write the pads of a Pad."""
    if node.op not in COMPUTES_SHAPES or not node.standard or not any(node.inputs):
        return False
    held = [graph.constant(name) for name in node.inputs if name]
    return all(constant is not None and constant.size <= SMALL for constant in held)


def completed(graph: Graph, types: Mapping[str, TensorType]) -> dict[str, TensorType]:
    """The types, with those that follow once the shapes the graph computes are known."""
    found = dict(types)
    values: dict[str, Array] = {}
    for node in graph.nodes:
        _compute(graph, node, found, values)
        if any(name and found.get(name, UNKNOWN).dims is None for name in node.outputs):
            found.update(_outputs(graph, node, found, values))
        if any(name and found.get(name, UNKNOWN).shape is None for name in node.outputs):
            fill(node.proto, found)
    return found


def _known(graph: Graph, name: str, values: Mapping[str, Array]) -> Array | None:
    return values[name] if name in values else graph.value(name, SMALL)


def _compute(graph: Graph, node: Node, types: Mapping[str, TensorType], values: dict[str, Array]) -> None:
    """Add the value of a node that computes a shape, where it follows from what is known."""
    if not node.standard or len(node.outputs) != 1:
        return
    if node.op == "Shape":
        dims = types.get(node.input(0), UNKNOWN).dims
        if dims is not None:
            end = node.integer("end", len(dims))
            values[node.output(0)] = np.array(dims[node.integer("start", 0) : end], np.int64)
        return
    if node.op not in COMPUTES_SHAPES:
        return
    if not any(name in values for name in node.inputs) and not _of_constants(graph, node):
        return
    feeds = {name: _known(graph, name, values) for name in node.inputs if name}
    if any(value is None or value.size > SMALL for value in feeds.values()):
        return
    from onnx.reference import ReferenceEvaluator

    try:
        # A bare node would be run by the newest form of its operator: Unsqueeze had its axes elsewhere before 13.
        results = ReferenceEvaluator(_alone(graph, node, feeds)).run(None, feeds)
    except Exception:  # noqa: BLE001 - it raises whatever numpy does on a node it dislikes; the shape stays open
        return
    found = results[0] if isinstance(results, list) else None
    if isinstance(found, np.ndarray | np.generic) and found.size <= SMALL:
        values[node.output(0)] = np.asarray(found)


def opsets(graph: Graph) -> list[onnx.OperatorSetIdProto]:
    """The operator sets a graph is written in."""
    return [helper.make_opsetid(domain, version) for domain, version in graph.opsets.items()]


def _alone(graph: Graph, node: Node, feeds: Mapping[str, Array | None]) -> ModelProto:
    """A model of one node, of the graph's opset."""
    proto = GraphProto(name="node")
    proto.node.append(node.proto)
    for name, value in feeds.items():
        if value is not None:
            number = helper.np_dtype_to_tensor_dtype(value.dtype)
            proto.input.append(helper.make_tensor_value_info(name, number, value.shape))
    for name in node.outputs:
        proto.output.append(helper.make_empty_tensor_value_info(name))
    return ModelProto(graph=proto, ir_version=8, opset_import=opsets(graph))


def _outputs(
    graph: Graph, node: Node, types: Mapping[str, TensorType], values: Mapping[str, Array]
) -> dict[str, TensorType]:
    """Types of a node's outputs by ONNX's rule for its operator, given the values that are known."""
    proto = stand_in(node.proto)
    standard = node.standard or proto is not node.proto
    domain = "" if standard else node.domain
    version = graph.opset if standard else graph.opsets.get(domain, 1)
    if not onnx.defs.has(proto.op_type, domain) or node.subgraphs:
        return {}
    given, data = {}, {}
    for name in proto.input:
        type_ = types.get(name, UNKNOWN)
        if name and type_.shape is not None and type_.dtype != "unknown":
            # Where an integer operator has a stand-in, ONNX knows that one for float only.
            dtype = "float32" if proto is not node.proto and proto.op_type in _FLOAT_ONLY else type_.dtype
            given[name] = helper.make_tensor_type_proto(dtype_number(dtype), type_.shape)
        value = _known(graph, name, values) if name else None
        if value is not None:
            data[name] = numpy_helper.from_array(np.asarray(value), name)
    found = _inferred(graph, proto, (domain, version), given, data)
    types_of = {name: tensor_type(type_) for name, type_ in found.items()}
    if proto is not node.proto and proto.op_type in _FLOAT_ONLY:
        dtype = types.get(node.input(0), UNKNOWN).dtype
        types_of = {name: TensorType(dtype, type_.shape) for name, type_ in types_of.items()}
    return {name: type_ for name, type_ in types_of.items() if type_.dims is not None}


def _inferred(
    graph: Graph,
    node: NodeProto,
    operator_set: tuple[str, int],
    given: dict[str, TypeProto],
    data: dict[str, onnx.TensorProto],
) -> dict[str, TypeProto]:
    domain, version = operator_set
    try:
        schema = onnx.defs.get_schema(node.op_type, version, domain)
        found: dict[str, TypeProto] = onnx.shape_inference.infer_node_outputs(
            schema, node, given, data, opset_imports=opsets(graph)
        )
    except Exception:  # noqa: BLE001 - onnx raises bare and changing exception types on nodes it dislikes
        return {}
    return found
