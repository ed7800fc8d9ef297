"""Operators that choose, place or count by indices."""

from __future__ import annotations

import numpy as np

from npuscope.tflite.context import STORED, Context, UnsupportedError, dtype_of, element_of
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.rare.chain import Chain
from npuscope.tflite.schema import Operator

MOST_PLACES = 1 << 20
"""Indices that are written out."""


def top_k(context: Context, operator: Operator) -> None:
    """The k largest along the last axis, and where they are. The first of equal values comes first, as in ONNX."""
    source, chain = operator.input(0), Chain(context, operator)
    values, places = operator.outputs[0], operator.outputs[1] if len(operator.outputs) > 1 else -1
    wanted = context.shape(values)
    if not wanted or wanted[:-1] != context.shape(source)[:-1]:
        raise DamagedError(f"writes {len(wanted)} axes by {operator.name}")
    count = chain.constant("k", [wanted[-1]])
    result, found = context.write(values, False), context.fresh(f"{operator.name}_places")
    context.node("TopK", [context.read(source, False), count], [result, found], operator.name, axis=-1)
    context.close(values, result, False)
    if places >= 0:
        context.cast_to(found, places, False, f"{operator.name}_cast")


def lookup(context: Context, operator: Operator) -> None:
    """EMBEDDING_LOOKUP: rows of a table. Operands: row numbers, table."""
    table = operator.input(1)
    quant = context.tensor(table).quant
    if quant is not None and quant.per_channel:
        raise UnsupportedError("looks rows up, each with a scale of its own")
    rows = context.read(operator.input(0), False)
    Chain(context, operator).last("Gather", context.read(table, False), rows, axis=0)


def one_hot(context: Context, operator: Operator) -> None:
    """Each index beside all it may be: nothing is at one that is not among them. Slot: the axis.

    Operands: indices, depth, value at them, value elsewhere.
    """
    number, chain = operator.outputs[0], Chain(context, operator)
    if context.quant(number) is not None:
        raise UnsupportedError("writes quantized values")
    indices, rank = operator.input(0), context.rank(number)
    axis = operator.integer(0) % rank if rank else 0
    if rank != context.rank(indices) + 1:
        raise DamagedError(f"writes {rank} axes by {operator.name}")
    depth = context.shape(number)[axis]
    column = [depth if place == axis else 1 for place in range(rank)]
    all_ = np.arange(depth, dtype=dtype_of(context.tensor(indices).dtype)).reshape(column)
    rows = chain.make("Unsqueeze", context.read(indices, False), chain.constant("axis", [axis]))
    there = chain.make("Equal", rows, chain.constant("all", all_))
    on, off = (context.read(operator.input(i), False) for i in (2, 3))
    chain.last("Where", there, on, off)


def scatter(context: Context, operator: Operator) -> None:
    """SCATTER_ND: values added up at their places in a tensor of zeros. Operands: indices, values, shape."""
    number, chain = operator.outputs[0], Chain(context, operator)
    if context.quant(number) is not None:
        raise UnsupportedError("adds quantized values up at their places")
    zeros = np.zeros(context.shape(number), dtype_of(context.tensor(number).dtype))
    places = chain.make("Cast", context.read(operator.input(0), False), to=element_of("int64"))
    values = context.read(operator.input(1), False)
    if zeros.dtype == np.bool_:
        raise UnsupportedError("adds truth values up at their places")
    chain.last("ScatterND", chain.constant("zeros", zeros), places, values, reduction="add")


def sparse_to_dense(context: Context, operator: Operator) -> None:
    """Operands: indices, shape, values, the value elsewhere."""
    number, chain = operator.outputs[0], Chain(context, operator)
    shape = list(context.shape(number))
    indices, rank = operator.input(0), len(shape)
    given = context.shape(indices)
    count = given[0] if given else 1
    rows = chain.make(
        "Reshape",
        chain.make("Cast", context.read(indices, False), to=element_of("int64")),
        chain.constant("rows", [count, rank]),
    )
    empty = chain.make("Expand", context.read(operator.input(3), False), chain.constant("shape", shape))
    values = context.read(operator.input(2), False)
    if context.shape(operator.input(2)) != (count,):
        values = chain.make("Expand", values, chain.constant("count", [count]))
    chain.last("ScatterND", empty, rows, values)


def update_slice(context: Context, operator: Operator) -> None:
    """DYNAMIC_UPDATE_SLICE: a block put at a place, moved so that it fits. Operands: data, block, start."""
    number, chain = operator.outputs[0], Chain(context, operator)
    shape, block = context.shape(number), context.shape(operator.input(1))
    if len(shape) != len(block) or any(part > size for part, size in zip(block, shape, strict=True)):
        raise DamagedError(f"puts {len(block)} axes into {len(shape)} by {operator.name}")
    if np.prod(block, dtype=float) * len(block) > MOST_PLACES:
        raise UnsupportedError("puts a block of over a million places")
    grid = np.moveaxis(np.indices(block), 0, -1).astype(np.int64)
    last = [size - part for size, part in zip(shape, block, strict=True)]
    start = chain.make("Cast", context.read(operator.input(2), False), to=element_of("int64"))
    fitting = chain.make(
        "Min", chain.make("Max", start, chain.constant("zero", [0])), chain.constant("last", last)
    )
    places = chain.make("Add", chain.constant("grid", grid), fitting)
    chain.last(
        "ScatterND", context.read(operator.input(0), False), places, context.read(operator.input(1), False)
    )


_GATHERED = {"SUM": "add", "PROD": "mul", "MAX": "max", "MIN": "min"}


def segments(context: Context, operator: Operator) -> None:
    """SEGMENT_SUM and UNSORTED_SEGMENT_...: rows of one number brought together. Operands: data, numbers."""
    number, chain = operator.outputs[0], Chain(context, operator)
    dtype = context.tensor(number).dtype
    if dtype in STORED:
        raise UnsupportedError("brings quantized rows together")
    kind = operator.kind.rsplit("_", 1)[1]
    if kind in ("MAX", "MIN"):
        context.opset = max(context.opset, 18)
    numpy_type = dtype_of(dtype)
    limits = np.finfo(numpy_type) if numpy_type.kind == "f" else np.iinfo(numpy_type)
    first = {"SUM": 0, "PROD": 1, "MAX": limits.min, "MIN": limits.max}[kind]
    start = chain.constant("start", np.full(context.shape(number), first, numpy_type))
    rows = chain.make("Cast", context.read(operator.input(1), False), to=element_of("int64"))
    places = chain.make("Unsqueeze", rows, chain.constant("axis", [context.rank(operator.input(1))]))
    chain.last("ScatterND", start, places, context.read(operator.input(0), False), reduction=_GATHERED[kind])


def reverse_sequence(context: Context, operator: Operator) -> None:
    """The first steps of each row, turned around. Operands: data, lengths. Slots: axis of steps, axis of rows."""
    source, chain = operator.input(0), Chain(context, operator)
    rank = context.rank(source)
    steps, rows = operator.integer(0) % max(rank, 1), operator.integer(1) % max(rank, 1)
    lengths = chain.make("Cast", context.read(operator.input(1), False), to=element_of("int64"))
    order = [steps, rows, *(axis for axis in range(rank) if axis not in (steps, rows))]
    if steps == rows:
        raise DamagedError(f"turns the rows themselves around by {operator.name}")
    real = context.read(source, False)
    if order[:2] in ([0, 1], [1, 0]):
        chain.last("ReverseSequence", real, lengths, time_axis=steps, batch_axis=rows)
        return
    shape = [context.shape(source)[axis] for axis in order]
    first = context.between(
        chain.make("Transpose", real, perm=order), source, f"{operator.name}_steps_first", shape
    )
    turned = chain.make("ReverseSequence", first, lengths, time_axis=0, batch_axis=1)
    again = context.between(turned, source, f"{operator.name}_turned", shape)
    chain.last("Transpose", again, perm=[order.index(axis) for axis in range(rank)])


def running_sum(context: Context, operator: Operator) -> None:
    """CUMSUM. Operands: data, axis. Slots: exclusive, reverse."""
    number = operator.outputs[0]
    if context.quant(number) is not None:
        raise UnsupportedError("sums quantized values up as they run")
    axes = context.integers(operator.input(1))
    chain, axis = Chain(context, operator), np.array(axes[0] if axes else 0, np.int64)
    chain.last(
        "CumSum", context.read(operator.input(0), False), chain.constant("axis", axis),
        exclusive=int(operator.flag(0)), reverse=int(operator.flag(1)),
    )  # fmt: skip


def diagonal(context: Context, operator: Operator) -> None:
    """MATRIX_DIAG: a matrix with these on its diagonal. MATRIX_SET_DIAG: put on that of another one."""
    number, chain = operator.outputs[0], Chain(context, operator)
    shape = context.shape(number)
    if len(shape) < 2:
        raise DamagedError(f"writes {len(shape)} axes by {operator.name}")
    quant = context.quant(number)
    put = operator.kind == "MATRIX_SET_DIAG"
    if quant is not None and not put and quant.zero_point.any():
        raise UnsupportedError("writes stored zeros beside a quantized diagonal")
    where = chain.constant("diagonal", np.eye(shape[-2], shape[-1], dtype=bool))
    given = context.read(operator.input(1 if put else 0), False)
    rank, size = context.rank(operator.input(1 if put else 0)), min(shape[-2:])
    columns = chain.make("Unsqueeze", given, chain.constant("axis", [rank]))
    if put and shape[-2] > size:  # rows without a diagonal
        pads = [0] * (len(shape) - 2) + [0, 0] + [0] * (len(shape) - 2) + [shape[-2] - size, 0]
        columns = chain.make("Pad", columns, chain.constant("pads", pads))
    if put:
        other = context.read(operator.input(0), False)
    else:
        kind = "float32" if quant is not None else context.tensor(number).dtype
        other = chain.constant("zero", np.zeros((), dtype_of(kind)))
    chain.last("Where", where, columns, other)


CONVERTERS = {
    "TOPK_V2": top_k,
    "EMBEDDING_LOOKUP": lookup,
    "ONE_HOT": one_hot,
    "SCATTER_ND": scatter,
    "SPARSE_TO_DENSE": sparse_to_dense,
    "DYNAMIC_UPDATE_SLICE": update_slice,
    **dict.fromkeys(
        ("SEGMENT_SUM", *(f"UNSORTED_SEGMENT_{kind}" for kind in ("SUM", "PROD", "MAX", "MIN"))), segments
    ),
    "REVERSE_SEQUENCE": reverse_sequence,
    "CUMSUM": running_sum,
    "MATRIX_DIAG": diagonal,
    "MATRIX_SET_DIAG": diagonal,
}
