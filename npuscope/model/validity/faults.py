"""What is wrong with a node, by the definition of its operator."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.form import form_fault
from npuscope.model.validity.shapes import shape_fault
from npuscope.model.validity.words import word_fault


def fault(graph: Graph, node: Node) -> str:
    """The rule of its operator that a node breaks, in a clause; '' where none is known.

    1. The node's inputs, outputs, attributes and element types are held against ONNX's schema for the model's opset.
    2. What it reads and writes is held against what the file states of it.
    3. Shapes, axes and the number of scales are held against one another.
    """
    if graph.stated_otherwise:
        for name in (*node.outputs, *node.inputs):
            if name in graph.stated_otherwise:
                return graph.stated_otherwise[name]
    if not node.standard or foreign_quantizer(node) is not None:
        return ""
    return form_fault(graph, node) or word_fault(node) or shape_fault(graph, node)
