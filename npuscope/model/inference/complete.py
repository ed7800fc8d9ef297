"""Types of a whole graph: by our own rules, and by onnx's where those do not reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import ModelProto, TensorProto

from npuscope.model.budget import Budget
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.child import inferred_by_onnx
from npuscope.model.inference.infer import SMALL, Inferred, infer, without_rule
from npuscope.model.inference.types import Types, merged
from npuscope.model.tensors import UNKNOWN, Constant, TensorType, dtype_number

MOST_EXPANDED = 1 << 18
"""Nodes, functions written out, above which onnx is not asked."""

ENDLESS = 1 << 60

MOST_HANDED_OVER = 64 << 20
"""Bytes of a model, large weights left out, above which onnx is not asked."""


def typed(
    graph: Graph, declared: Types, proto: ModelProto, budget: Budget
) -> tuple[Inferred, tuple[str, ...]]:
    """Types and fixed values, and what could not be found out, one sentence each."""
    inferred = infer(graph.nodes, graph.constants, declared, graph.opset, graph.in_order)
    asking = [node for node in without_rule(graph.nodes) if _asks(graph, node, inferred.types)]
    if not asking:
        return inferred, ()
    size = expanded(proto)
    if size > MOST_EXPANDED:
        count = f"more than {MOST_EXPANDED}" if size < 1 << 60 else "endless"
        reason = f"The functions of the model write out to {count} nodes; shapes behind {_list(asking)} are not known."
        return inferred, (reason,)
    bare = _without_weights(proto, graph.constants, declared)
    if bare.ByteSize() > MOST_HANDED_OVER:
        types, problem = dict[str, TensorType](), "the model is too large for onnx's shape inference"
    else:
        types, problem = inferred_by_onnx(bare.SerializeToString(), budget)
    if problem:
        return inferred, (f"{_sentence(problem)}: shapes behind {_list(asking)} are not known.",)
    more = dict(declared)
    for name, type_ in types.items():
        more[name] = merged(more.get(name, UNKNOWN), type_)
    return infer(graph.nodes, graph.constants, more, graph.opset, graph.in_order), ()


def expanded(proto: ModelProto) -> int:
    """Nodes that the main graph becomes where every function is written out; 2^60 where one calls itself."""
    functions = {(f.domain, f.name): f for f in proto.functions}
    if not functions:
        return len(proto.graph.node)
    sizes: dict[tuple[str, str], int] = {}
    pending = list(functions)
    open_: set[tuple[str, str]] = set()
    while pending:
        key = pending[-1]
        calls = [(n.domain, n.op_type) for n in functions[key].node]
        missing = {call for call in calls if call in functions and call not in sizes}
        if key in sizes or not missing:
            pending.pop()
            open_.discard(key)
            sizes.setdefault(key, min(sum(sizes.get(call, 1) for call in calls), ENDLESS))
        elif missing & open_:
            return ENDLESS
        else:
            open_.add(key)
            pending += missing
    return min(sum(sizes.get((n.domain, n.op_type), 1) for n in proto.graph.node), ENDLESS)


def _asks(graph: Graph, node: Node, types: Mapping[str, TensorType]) -> bool:
    """onnx may have a rule for a node that none of ours covers, and an output has no type yet."""
    if all(types.get(name, UNKNOWN).dims is not None for name in node.outputs if name):
        return False
    if (node.domain, node.op) in graph.functions:
        return True
    domain = "" if node.standard else node.domain
    return domain in ("", "ai.onnx.ml", "ai.onnx.preview.training") and onnx.defs.has(node.op, domain)


def _without_weights(proto: ModelProto, constants: Mapping[str, Constant], declared: Types) -> ModelProto:
    """The model with large constants as inputs of their type, and the inputs with their batch."""
    bare = ModelProto()
    bare.CopyFrom(proto)
    known = {value.name for value in bare.graph.input}
    kept: list[TensorProto] = []
    for tensor in bare.graph.initializer:
        constant = constants[tensor.name]
        if constant.size <= SMALL and constant.span is None:
            kept.append(TensorProto.FromString(tensor.SerializeToString()))
        elif tensor.name not in known and constant.dtype != "unknown":
            value = bare.graph.input.add(name=tensor.name)
            value.type.tensor_type.elem_type = dtype_number(constant.dtype)
            for size in constant.shape:
                value.type.tensor_type.shape.dim.add(dim_value=size)
    del bare.graph.initializer[:], bare.graph.sparse_initializer[:], bare.graph.value_info[:]
    bare.graph.initializer.extend(kept)
    for value in bare.graph.input:
        shape = declared.get(value.name, UNKNOWN).shape
        if shape and isinstance(shape[0], int) and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = shape[0]
    return bare


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _list(nodes: list[Node]) -> str:
    names: Iterator[str] = (node.name for node in nodes[:3])
    return ", ".join(names) + (f" and {len(nodes) - 3} more" if len(nodes) > 3 else "")
