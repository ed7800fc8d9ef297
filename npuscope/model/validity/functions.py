"""Functions of the model: which node calls one, which never end, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

import onnx
from onnx import FunctionProto, NodeProto

from npuscope.model.graph import Graph, Node

Name = tuple[str, str]
"""(domain, name) of a function."""


def function_of(graph: Graph, node: Node) -> FunctionProto | None:
    """The function of the model that a node may call; None where it calls none."""
    if not graph.functions:
        return None
    function = graph.functions.get((node.domain, node.op))
    return function if function is not None and function.overload == node.proto.overload else None


def is_ambiguous(graph: Graph, node: Node) -> bool:
    """A function has the name of an operator of ONNX.

    Which of the two is meant "is defined by the runtimes" (onnx.proto, ModelProto.functions): onnxruntime 1.32 runs
    the operator, onnx's inliner writes the function.
    """
    return node.standard and function_of(graph, node) is not None and bool(onnx.defs.has(node.op))


def recursion(graph: Graph, node: Node) -> str:
    """The clause that says that a call never ends, '' where it does or is none: ONNX allows no function to call itself."""
    if function_of(graph, node) is None or (node.domain, node.op) not in _endless(graph):
        return ""
    return f"function {node.op} calls itself, or another that does, which ONNX does not allow"


def way_out(graph: Graph, node: Node) -> str:
    """What to do about a function of the model: written out, its layers are recognised."""
    if recursion(graph, node):
        return "export the model again without it: what calls itself cannot be written out"
    if is_ambiguous(graph, node):
        return "give the function another name than that of an ONNX operator, there and where it is called"
    return "write it out: onnx.inliner.inline_local_functions(model), then open the model again"


_KNOWN: WeakKeyDictionary[Graph, frozenset[Name]] = WeakKeyDictionary()


def _endless(graph: Graph) -> frozenset[Name]:
    """The functions whose calls never end: all but those that call only what ends."""
    known = _KNOWN.get(graph)
    if known is None:
        callers: dict[Name, list[Name]] = {}
        left: dict[Name, int] = {}
        for name, function in graph.functions.items():
            called = {
                (node.domain, node.op_type)
                for node in _nodes(function.node)
                if (other := graph.functions.get((node.domain, node.op_type))) is not None
                and other.overload == node.overload
            }
            left[name] = len(called)
            for one in called:
                callers.setdefault(one, []).append(name)
        ending = [name for name, count in left.items() if not count]
        for name in ending:
            for caller in callers.get(name, ()):
                left[caller] -= 1
                if not left[caller]:
                    ending.append(caller)
        known = _KNOWN[graph] = frozenset(graph.functions) - frozenset(ending)
    return known


def _nodes(protos: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """The nodes, and those of the bodies inside them."""
    pending = [protos]
    while pending:
        for proto in pending.pop():
            yield proto
            for attribute in proto.attribute:
                pending += [graph.node for graph in (attribute.g, *attribute.graphs) if graph.node]
