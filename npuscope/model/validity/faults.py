"""What is wrong with a node, by the definition of its operator."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import AttributeProto

from npuscope.model.budget import tick
from npuscope.model.graph import Graph, Node
from npuscope.model.node import PLAIN
from npuscope.model.tensors import UNKNOWN
from npuscope.model.validity.attention import attention, rotary
from npuscope.model.validity.by_onnx import inference_fault
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.form import form_fault, opset_of
from npuscope.model.validity.functions import recursion
from npuscope.model.validity.operands import Check
from npuscope.model.validity.pairs import deform_conv, loss, max_unpool, reverse_sequence, running_sum, scan
from npuscope.model.validity.parameters import parameter_fault
from npuscope.model.validity.shapes import BY_VALUES, checked, shape_fault
from npuscope.model.validity.words import word_fault


def fault(graph: Graph, node: Node) -> str:
    """The rule of its operator that a node breaks, in a clause; '' where none is known.

    1. The node's inputs, outputs, attributes and element types are held against ONNX's schema for the model's opset.
    2. What it reads and writes is held against what the file states of it.
    3. Shapes, axes and the number of scales are held against one another.
    4. A function of the model does not call itself.
    """
    if graph.stated_otherwise:
        for name in (*node.outputs, *node.inputs):
            if name in graph.stated_otherwise:
                return graph.stated_otherwise[name]
    if graph.disallowed and node.output(0) in graph.disallowed:
        return graph.disallowed[node.output(0)]
    if graph.functions and (endless := recursion(graph, node)):
        return endless
    # Nodes alike are many: what types and attributes say of one holds for all.
    fault, depends_on_values = _of_form(graph, node)
    return shape_fault(graph, node) if depends_on_values else fault


def _of_form(graph: Graph, node: Node) -> tuple[str, bool]:
    """The fault of a node that reads no values; whether it may have one by those."""
    key = _decisive(graph, node)
    known = _KNOWN.get(key)
    if known is None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        known = _KNOWN[key] = _without_values(graph, node)
    return known


def invalid_node(graph: Graph, names: Iterable[str]) -> str:
    """The first of some nodes that ONNX does not allow, '' where there is none.

    What the front end wrote it has read itself: nothing there is invalid.
    """
    if graph.imported:
        return ""
    doubtful: frozenset[str] | None = graph.facts.get(_DOUBTFUL)
    if doubtful is not None and doubtful.isdisjoint(names):
        return ""
    known, index, nodes = graph.node_faults, graph.node_index, graph.nodes
    for name in names:
        found = known.get(name)
        if found is None:
            found = known[name] = fault(graph, nodes[index[name]])
        if found:
            return name
    return ""


_DOUBTFUL = "nodes that may be invalid"


def look_at_all(graph: Graph) -> None:
    """Find out in one go which nodes ONNX may not allow, where all will be asked about: those of a sound form need no look."""
    more = graph.stated_otherwise or graph.disallowed or graph.functions or "" in graph.types
    if more or graph.imported or _DOUBTFUL in graph.facts:
        return
    types, sound, doubtful = graph.types.get, dict[tuple[object, ...], bool](), list[str]()
    for node in graph.nodes:
        form = (node.op, node.domain, len(node.outputs), *map(id, map(types, node.inputs)))
        if not node.bare:
            form = (*form, *_attributes(node))
        good = sound.get(form)
        if good is None:
            tick()
            fault, depends_on_values = _of_form(graph, node)
            # What is absent and what is not known have no type either.
            good = sound[form] = not (fault or depends_on_values) and None not in map(types, node.inputs)
        if not good:
            doubtful.append(node.name)
    graph.facts[_DOUBTFUL] = frozenset(doubtful)


def _without_values(graph: Graph, node: Node) -> tuple[str, bool]:
    """The fault that a node has whatever values it reads, '' where none; and whether it may have one by those."""
    if not node.standard or foreign_quantizer(node) is not None:
        return "", False
    fault = form_fault(graph, node) or word_fault(node) or parameter_fault(graph, node)
    if not fault and node.op in BESIDE:
        fault = BESIDE[node.op](graph, node)
    by_values = node.op in BY_VALUES
    if not by_values:
        fault = fault or (shape_fault if checked(node) else inference_fault)(graph, node)
    return fault, by_values and not fault


BESIDE: dict[str, Check] = {
    "Attention": attention,
    "RotaryEmbedding": rotary,
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), loss),
    "ReverseSequence": reverse_sequence,
    "MaxUnpool": max_unpool,
    "DeformConv": deform_conv,
    **dict.fromkeys(("CumSum", "CumProd"), running_sum),
    "Scan": scan,
}
"""What onnx's own inference, which is asked of these too, leaves out."""

MOST_KNOWN = 1 << 12
_KNOWN: dict[tuple[object, ...], tuple[str, bool]] = {}


def _decisive(graph: Graph, node: Node) -> tuple[object, ...]:
    """All that the checks read of a node which read no values."""
    types = graph.types
    decisive: list[object] = [node.op, node.domain, opset_of(graph, node), len(node.outputs)]
    for name in node.inputs:
        kind = types.get(name, UNKNOWN)
        decisive += (kind.dtype, kind.shape) if name else (None, None)
    return (*decisive, *_attributes(node))


def _attributes(node: Node) -> tuple[object, ...]:
    """What is read of attributes: of one that holds a tensor or a graph its name and type."""
    plain = node.plain_attributes
    return plain if plain is not None else tuple(map(_stated, node.proto.attribute))


def _stated(attribute: AttributeProto) -> object:
    if attribute.type in PLAIN:
        return attribute.SerializeToString()
    return attribute.name, attribute.type, bool(attribute.ref_attr_name)
