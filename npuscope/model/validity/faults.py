"""What is wrong with a node, by the definition of its operator."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.validity.form import form_fault
from npuscope.model.validity.shapes import shape_fault


def fault(graph: Graph, node: Node) -> str:
    """The rule of its operator that a node breaks, in a clause; '' where none is known.

    1. The node's inputs, outputs, attributes and element types are held against ONNX's schema for the model's opset.
    2. Shapes, axes and the number of scales are held against one another.
    """
    if not node.standard:
        return ""
    return form_fault(graph, node) or shape_fault(graph, node)
