"""Shape rules of operators that tell sizes, make values from them, or pick values by what they are."""

from __future__ import annotations

import math

import numpy as np

from npuscope.model.graph import attribute_value
from npuscope.model.inference.call import MOST_RANK, Answer, Call, axis_at, size, unknown_rank
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import Dim, TensorType, dtype_name


def shape_of(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return TensorType("int64", unknown_rank(1))
    return TensorType("int64", (len(bounded(data, call)),))


def bounded(data: Shape, call: Call) -> Shape:
    """The sizes that a Shape node is asked for."""
    rank = len(data)
    start, end = call.node.integer("start", 0), call.node.integer("end", rank)
    return data[_clamped(start, rank) : _clamped(end, rank)]


def _clamped(position: int, rank: int) -> int:
    return min(max(position + rank if position < 0 else position, 0), rank)


def number_of_elements(call: Call) -> Answer:
    return TensorType("int64", ())


def constant(call: Call) -> Answer:
    for attribute in call.node.proto.attribute:
        value = attribute_value(attribute)
        if attribute.name == "value_float":
            return TensorType("float32", ())
        if attribute.name == "value_int":
            return TensorType("int64", ())
        if attribute.name in ("value_floats", "value_ints") and isinstance(value, list):
            return TensorType("float32" if attribute.name == "value_floats" else "int64", (len(value),))
        if attribute.name == "value":
            return TensorType(dtype_name(attribute.t.data_type), tuple(attribute.t.dims))
    return None


def filled(call: Call) -> Answer:
    """ConstantOfShape."""
    value = next((a.t for a in call.node.proto.attribute if a.name == "value"), None)
    dtype = dtype_name(value.data_type) if value is not None else "float32"
    sizes = call.sizes(0)
    return TensorType(dtype, None if sizes is None or len(sizes) > MOST_RANK else tuple(
        size(d) if isinstance(d, int) else None for d in sizes
    ))  # fmt: skip


def random(call: Call) -> Answer:
    return TensorType(dtype_name(call.node.integer("dtype", 1)), call.node.integers("shape"))


def random_like(call: Call) -> Answer:
    stated = call.node.integer("dtype", 0)
    return TensorType(dtype_name(stated) if stated else call.dtype(), call.shape())


def range_(call: Call) -> Answer:
    ends = [call.array(i) for i in range(3)]
    if any(end is None or end.size != 1 or end.dtype.kind not in "iuf" for end in ends):
        return TensorType(call.dtype(), unknown_rank(1))
    start, limit, delta = (end.reshape(-1)[0].item() for end in ends if end is not None)
    return TensorType(call.dtype(), (range_length(start, limit, delta),))


def range_length(start: float, limit: float, delta: float) -> Dim:
    """How many values a Range makes; None where that is not a number."""
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return size(max(-((start - limit) // delta), 0)) if delta else None
    with np.errstate(all="ignore"):
        count = math.inf if not delta else (limit - start) / delta
    return size(max(math.ceil(count), 0)) if math.isfinite(count) else None


def one_hot(call: Call) -> Answer:
    data, depth = call.shape(0), call.array(1)
    if data is None:
        return TensorType(call.dtype(2), None)
    axis = axis_at(call.node.integer("axis", -1), len(data) + 1)
    if axis is None:
        return TensorType(call.dtype(2), None)
    usable = (
        depth is not None
        and depth.size == 1
        and depth.dtype.kind in "iuf"
        and math.isfinite(depth.reshape(-1)[0])
    )
    count = size(int(depth.reshape(-1)[0])) if usable and depth is not None else None
    return TensorType(call.dtype(2), (*data[:axis], count, *data[axis:]))


def non_zero(call: Call) -> Answer:
    data = call.shape()
    return TensorType("int64", (None if data is None else len(data), None))


def non_max_suppression(call: Call) -> Answer:
    return TensorType("int64", (None, 3))


def compress(call: Call) -> Answer:
    data, axis = call.shape(), call.node.attribute("axis")
    if axis is None:
        return TensorType(call.dtype(), unknown_rank(1))
    place = axis_at(axis, len(data)) if data is not None and isinstance(axis, int) else None
    if data is None or place is None:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:place], None, *data[place + 1 :]))


def unique(call: Call) -> Answer:
    data, axis = call.shape(), call.node.attribute("axis")
    row = TensorType("int64", unknown_rank(1))
    if axis is None:
        return (TensorType(call.dtype(), unknown_rank(1)), row, row, row)
    place = axis_at(axis, len(data)) if data is not None and isinstance(axis, int) else None
    shape = None if data is None or place is None else (*data[:place], None, *data[place + 1 :])
    return (TensorType(call.dtype(), shape), row, row, row)
