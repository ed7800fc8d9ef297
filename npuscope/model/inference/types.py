"""Types of tensors as a file declares them, and what follows from two of them."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import GraphProto, TypeProto

from npuscope.model.tensors import UNKNOWN, Dim, TensorType, dtype_name

Types = Mapping[str, TensorType]
Shape = tuple[Dim, ...]


def declared_types(graph: GraphProto) -> dict[str, TensorType]:
    """What the file itself states of inputs, outputs and intermediate tensors."""
    types: dict[str, TensorType] = {}
    for values in (graph.value_info, graph.output, graph.input):
        for value in values:
            types[value.name] = tensor_type(value.type)
    return types


def tensor_type(proto: TypeProto) -> TensorType:
    """The tensor type of a TypeProto; unknown for sequences, maps and optionals."""
    if not proto.HasField("tensor_type"):
        return UNKNOWN
    tensor = proto.tensor_type
    dtype = dtype_name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(_dim(d) for d in tensor.shape.dim))


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def merged(first: TensorType, second: TensorType) -> TensorType:
    """The first, with what it does not know taken from the second."""
    if first is second or second is UNKNOWN:
        return first
    dtype = first.dtype if first.dtype != "unknown" else second.dtype
    one, other = first.shape, second.shape
    if one is None:
        return TensorType(dtype, other)
    if other is None or len(one) != len(other) or one == other:
        return first if dtype == first.dtype else TensorType(dtype, one)
    return TensorType(dtype, tuple(_known(a, b) for a, b in zip(one, other, strict=True)))


def _known(first: Dim, second: Dim) -> Dim:
    if isinstance(first, int):
        return first
    return second if isinstance(second, int) or first is None else first


def broadcast(first: Shape | None, second: Shape | None) -> Shape | None:
    """The broadcast shape; a size that cannot be known is None. None where a rank is unknown or sizes clash."""
    if first is None or second is None:
        return None
    if first == second:
        return first
    rank = max(len(first), len(second))
    left = (1,) * (rank - len(first)) + tuple(first)
    right = (1,) * (rank - len(second)) + tuple(second)
    out: list[Dim] = []
    for a, b in zip(left, right, strict=True):
        if a == 1 or (a == b and a is not None):
            out.append(b)
        elif b == 1:
            out.append(a)
        elif isinstance(a, int) and isinstance(b, int):
            return None
        elif isinstance(a, int) or isinstance(b, int):
            out.append(a if isinstance(a, int) else b)
        else:
            out.append(None)
    return tuple(out)
