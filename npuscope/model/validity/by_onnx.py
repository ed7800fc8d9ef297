"""What onnx's own inference of one operator objects to, for operators that no check of ours knows.

It is given types and no values: what it computes of values has no bound.
"""

from __future__ import annotations

import re

import onnx
from onnx import TypeProto

from npuscope.model.errors import one_line
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.names import printable, shortened
from npuscope.model.tensors import dtype_number
from npuscope.model.validity.form import opset_of

_LONGEST = 120


def inference_fault(graph: Graph, node: Node) -> str:
    """Its objection, in a clause; '' where it has none, or where a type is not known."""
    if node.op in CONTROL_FLOW or node.subgraphs:
        return ""
    types: dict[str, TypeProto] = {}
    for name in node.inputs:
        kind = graph.type(name)
        if name and (kind.dtype == "unknown" or kind.shape is None):
            return ""
        if name:
            types[name] = onnx.helper.make_tensor_type_proto(
                dtype_number(kind.dtype), [d if isinstance(d, int) else None for d in kind.shape or ()]
            )
    try:
        schema = onnx.defs.get_schema(node.op, opset_of(graph, node), "")
        onnx.shape_inference.infer_node_outputs(schema, node.proto, types, opset_imports=_imports(graph))
    except onnx.shape_inference.InferenceError as error:
        objection = re.sub(r"^.*?\[(Shape|Type)InferenceError\]\s*", "", one_line(str(error)))
        return f"{node.op}: {printable(shortened(objection, _LONGEST)).rstrip('. ')} (onnx's own words)"
    except Exception:  # noqa: BLE001 - a schema that is not there, attributes that it cannot read: said elsewhere
        return ""
    return ""


def _imports(graph: Graph) -> list[onnx.OperatorSetIdProto]:
    return [onnx.helper.make_opsetid("", max(graph.opset, 1))]
