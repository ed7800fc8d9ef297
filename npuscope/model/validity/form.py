"""The form of a node checked against ONNX's schema of its operator in the model's opset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import onnx
from onnx import AttributeProto
from onnx.defs import OpSchema

from npuscope.model.graph import Graph, Node
from npuscope.model.layer import is_qdq
from npuscope.model.names import quoted, with_article
from npuscope.model.tensors import UNKNOWN, dtype_name
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    """A schema, as far as nodes are checked against it."""

    since: int
    deprecated: bool
    inputs: tuple[int, int]
    needed: tuple[int, ...]
    """Positions of the inputs that may not be left out."""
    outputs: tuple[int, int]
    attributes: Mapping[str, int]
    required: frozenset[str]
    parameters: tuple[tuple[str, frozenset[str] | None], ...]
    """Type variable and element types of each formal input; None where any is allowed."""
    variadic: bool


@lru_cache(maxsize=1 << 12)
def _form(op: str, opset: int) -> _Form | None:
    try:
        schema = onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        return None
    variables = {
        t.type_param_str: frozenset(map(_element, t.allowed_type_strs)) for t in schema.type_constraints
    }
    variables = {name: kinds for name, kinds in variables.items() if "" not in kinds}
    inputs = tuple((p.type_str, variables.get(p.type_str) or _alone(p.type_str)) for p in schema.inputs)
    many = bool(schema.inputs) and schema.inputs[-1].option == OpSchema.FormalParameterOption.Variadic
    uniform = many and schema.inputs[-1].is_homogeneous
    return _Form(
        schema.since_version,
        schema.deprecated,
        (schema.min_input, schema.max_input),
        tuple(i for i, p in enumerate(schema.inputs) if p.option == OpSchema.FormalParameterOption.Single),
        (schema.min_output, schema.max_output),
        {name: int(cast(Any, attribute.type).value) for name, attribute in schema.attributes.items()},
        frozenset(name for name, attribute in schema.attributes.items() if attribute.required),
        inputs if not many or uniform else inputs[:-1],
        uniform,
    )


def _element(text: str) -> str:
    """'tensor(float)' -> 'float32'; '' for what is not a tensor."""
    if not text.startswith("tensor("):
        return ""
    inner = text[7:-1]
    return {"float": "float32", "double": "float64"}.get(inner, inner)


def _alone(type_str: str) -> frozenset[str] | None:
    kind = _element(type_str)
    return frozenset({kind}) if kind else None


@lru_cache(maxsize=1 << 12)
def _introduced(op: str) -> int:
    """The opset that brought an operator, 0 where the installed onnx knows none of that name."""
    try:
        return min(
            s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == op and not s.domain
        )
    except ValueError:
        return 0


def form_fault(graph: Graph, node: Node) -> str:
    """What of the node's form its opset does not allow; '' where nothing is known."""
    opset = opset_of(graph, node)
    return _form_fault(graph, node, opset) if opset >= 1 else ""


def opset_of(graph: Graph, node: Node) -> int:
    """The opset a node is checked against."""
    if graph.as_int8 and is_qdq(node):
        return max(graph.opset, PER_CHANNEL_SINCE) if graph.opset >= 1 else graph.opset
    return graph.opset


PER_CHANNEL_SINCE = 13
"""Opset whose Q and DQ have an axis: quantizing a model brings it there."""


def _form_fault(graph: Graph, node: Node, opset: int) -> str:
    form = _form(node.op, opset)
    if form is None:
        since = _introduced(node.op)
        if since:
            return f"opset {opset} has no {node.op}; it came with opset {since}"
        if opset > onnx.defs.onnx_opset_version():
            return ""
        return f"ONNX has no operator {quoted(node.op)!r} in opset {opset}"
    if form.deprecated:
        return f"opset {opset} no longer has {node.op} (removed in opset {form.since})"
    return (
        _attribute_fault(node, form, opset)
        or _count_fault(node, form, opset)
        or _type_fault(graph, node, form, opset)
    )


def _attribute_fault(node: Node, form: _Form, opset: int) -> str:
    seen = set()
    for attribute in node.proto.attribute:
        name = attribute.name
        kind = form.attributes.get(name)
        if kind is None:
            shown = quoted(name)
            if _is_input(node.op, name, opset):
                return f"{node.op} has no attribute {shown!r} in opset {opset}: it is an input there"
            later = _brought(node.op, name, opset)
            return f"{node.op} has no attribute {shown!r} in opset {opset}{f'; opset {later} brings it' if later else ''}"
        if attribute.type not in (kind, AttributeProto.UNDEFINED) and not attribute.ref_attr_name:
            wanted, has = (
                AttributeProto.AttributeType.Name(kind),
                AttributeProto.AttributeType.Name(attribute.type),
            )
            return f"attribute {name!r} of {node.op} is of type {has}; it must be {with_article(wanted)}"
        seen.add(name)
    missing = sorted(form.required - seen)
    return f"{node.op} has no attribute {missing[0]!r}, which opset {opset} requires" if missing else ""


@lru_cache(maxsize=1 << 8)
def _brought(op: str, attribute: str, opset: int) -> int:
    """The first opset after this one whose form of the operator has the attribute; 0 where none has."""
    later = (s for s in onnx.defs.get_all_schemas_with_history() if s.name == op and not s.domain)
    has = [s.since_version for s in later if s.since_version > opset and attribute in s.attributes]
    return min(has, default=0)


_RENAMED = {"value": "constant_value", "paddings": "pads", "k": "K"}


@lru_cache(maxsize=1 << 12)
def _is_input(op: str, name: str, opset: int) -> bool:
    """An input of this opset's form has the name that an attribute had in an older one."""
    inputs = {p.name for p in onnx.defs.get_schema(op, opset, "").inputs}
    return name in inputs or _RENAMED.get(name) in inputs


def _count_fault(node: Node, form: _Form, opset: int) -> str:
    inputs = len(node.inputs)
    while inputs and not node.inputs[inputs - 1]:
        inputs -= 1
    low, high = form.inputs
    if len(node.inputs) < low or any(not node.input(i) for i in form.needed):
        present = sum(bool(name) for name in node.inputs[:low])
        return f"{node.op} has {present} of the {low} inputs that opset {opset} requires"
    if form.variadic and not all(node.inputs[max(len(form.parameters) - 1, 0) :]):
        return f"{node.op} joins inputs of which one is absent; each must be there"
    if inputs > high:
        return f"{node.op} has {inputs} inputs; opset {opset} allows {high}"
    outputs = len(node.outputs)
    if not form.outputs[0] <= outputs <= form.outputs[1]:
        allowed = form.outputs[1] if outputs > form.outputs[1] else form.outputs[0]
        return f"{node.op} has {outputs} outputs; opset {opset} has {allowed}"
    return ""


def _type_fault(graph: Graph, node: Node, form: _Form, opset: int) -> str:
    types, parameters = graph.types, form.parameters
    bound: dict[str, str] = {}
    for i, name in enumerate(node.inputs):
        if not name:
            continue
        if i >= len(parameters):
            if not form.variadic:
                break
            variable, allowed = parameters[-1]
        else:
            variable, allowed = parameters[i]
        dtype = types.get(name, UNKNOWN).dtype
        if allowed is None or dtype == "unknown":
            continue
        if dtype not in allowed:
            return f"input {i + 1} of {node.op} is {dtype}, which opset {opset} does not allow there"
        other = bound.setdefault(variable, dtype)
        if other != dtype:
            return f"{node.op} reads {other} and {dtype}, which must have the same type"
    by_number = not isinstance(node.attribute("to"), bytes)  # it is a name before opset 6
    if node.op == "Cast" and by_number and dtype_name(node.integer("to", 0)) == "unknown":
        return f"Cast has element type {node.integer('to', 0)}, which ONNX does not define"
    return ""
