"""The attributes of a node as text, with the defaults its operator has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import onnx
from onnx import AttributeProto, TensorProto

from npuscope.model.graph import Graph, Node
from npuscope.model.tensors import dtype_name
from npuscope.record import dataclass

MOST_ITEMS = 16
"""Items of a list that are written out."""

LONGEST = 200
"""Characters of a value."""

BODY = "body"
"""The value of an attribute that holds a graph; the graph is shown below its node."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A name and its value as text; `stated` where the node carries it, else it is the operator's default."""

    name: str
    value: str
    stated: bool = True


def attributes(node: Node, graph: Graph | None) -> tuple[Attribute, ...]:
    """What the node states, then the defaults of what it leaves out.

    A kernel that a convolution leaves to its weights is read off their shape.
    """
    stated = [Attribute(entry.name, _text(entry)) for entry in node.proto.attribute]
    names = {attribute.name for attribute in stated}
    defaults = {**_defaults(node, graph.opsets if graph is not None else {}), **_windows(node, graph)}
    stated += [Attribute(name, value, stated=False) for name, value in defaults.items() if name not in names]
    return tuple(stated)


def _defaults(node: Node, opsets: Mapping[str, int]) -> Mapping[str, str]:
    if not node.standard:
        return {}
    version = opsets.get("", opsets.get("ai.onnx", onnx.defs.onnx_opset_version()))
    return _of_operator(node.op, min(version, onnx.defs.onnx_opset_version()))


@lru_cache(maxsize=512)
def _of_operator(op: str, version: int) -> Mapping[str, str]:
    """The defaults of an operator: a search asks for those of thousands of nodes."""
    try:
        schema = onnx.defs.get_schema(op, version, "")
    except onnx.defs.SchemaError:
        return {}
    return {
        name: _text(entry.default_value)
        for name, entry in schema.attributes.items()
        if entry.default_value.name
    }


def _windows(node: Node, graph: Graph | None) -> dict[str, str]:
    """Kernel, steps and borders that a convolution or a pool leaves out; no schema states them."""
    if not node.standard or not ("Conv" in node.op or node.op in _POOLS):
        return {}
    kernel: tuple[int, ...] | None = node.integers("kernel_shape")
    if kernel is None and "Conv" in node.op and graph is not None:
        weight = node.input(3 if node.op.startswith("QLinear") else 1)
        constant = graph.constant(weight)
        shape = constant.shape if constant is not None else graph.type(weight).shape_if_known
        kernel = shape[2:] if shape is not None else None
    if not kernel or len(kernel) > MOST_ITEMS:
        return {}
    defaults = {"kernel_shape": _joined([str(size) for size in kernel])}
    defaults |= dict.fromkeys(("strides", "dilations"), " ".join("1" for _ in kernel))
    if node.text("auto_pad", "NOTSET") == "NOTSET":
        defaults["pads"] = " ".join("0" for _ in (*kernel, *kernel))
    return defaults


_POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})


def _text(entry: AttributeProto) -> str:
    kind = entry.type
    if kind == AttributeProto.INT:
        text = str(entry.i)
    elif kind == AttributeProto.FLOAT:
        text = f"{entry.f:g}"
    elif kind == AttributeProto.STRING:
        text = entry.s[: LONGEST + 1].decode("utf-8", "replace")
    elif kind == AttributeProto.INTS:
        text = _joined([str(item) for item in entry.ints[:MOST_ITEMS]], len(entry.ints))
    elif kind == AttributeProto.FLOATS:
        text = _joined([f"{item:g}" for item in entry.floats[:MOST_ITEMS]], len(entry.floats))
    elif kind == AttributeProto.STRINGS:
        items = [item[:LONGEST].decode("utf-8", "replace") for item in entry.strings[:MOST_ITEMS]]
        text = _joined(items, len(entry.strings))
    elif kind == AttributeProto.TENSOR:
        text = _tensor(entry.t)
    elif kind in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        text = BODY
    elif entry.ref_attr_name:
        text = f"the function's {entry.ref_attr_name}"
    else:
        text = AttributeProto.AttributeType.Name(kind).lower()
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _joined(items: list[str], count: int = 0) -> str:
    return " ".join(items) + (f" … ({count})" if count > len(items) else "")


def _tensor(tensor: TensorProto) -> str:
    dims = tensor.dims[:MOST_ITEMS]
    return f"{dtype_name(tensor.data_type)} {'×'.join(str(dim) for dim in dims) or 'scalar'}"
