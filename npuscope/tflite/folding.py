"""What depends on constants alone is computed here: shape arithmetic, and weights behind casts and moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npuscope.tflite.context import STORED, Context, UnsupportedError, dtype_of
from npuscope.tflite.flatbuffer import Array
from npuscope.tflite.schema import Constant, Operator

MOST_VALUES = 1 << 16
"""Of a result that is computed rather than moved."""

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
    "FLOOR_DIV": np.floor_divide, "FLOOR_MOD": np.mod, "NEG": np.negative, "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal, "LESS": np.less, "LESS_EQUAL": np.less_equal, "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal, "LOGICAL_AND": np.logical_and, "LOGICAL_OR": np.logical_or,
    "SELECT": np.where, "SELECT_V2": np.where, "ABS": np.abs, "FLOOR": np.floor, "CEIL": np.ceil,
    "RSQRT": lambda x: 1 / np.sqrt(x), "SQRT": np.sqrt,
}  # fmt: skip
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "SUM": np.sum, "REDUCE_PROD": np.prod, "REDUCE_MAX": np.max, "REDUCE_MIN": np.min, "MEAN": np.mean
}  # fmt: skip
_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE"})


def folded(context: Context, operator: Operator) -> bool:
    """Compute an operator whose operands are constants. Tells whether it was done."""
    if len(operator.outputs) != 1:
        return False
    source, number = operator.input(0), operator.outputs[0]
    if operator.kind in ("SHAPE", "RANK") and source >= 0:
        shape = context.shape(source)
        values = np.array(shape if operator.kind == "SHAPE" else len(shape))
        context.fold(number, Constant(values.astype(_type(context, number))))
        return True
    if not operator.inputs or any(i >= 0 and context.constant(i) is None for i in operator.inputs):
        return False
    try:
        with np.errstate(all="ignore"):
            constant = _constant(context, operator)
    except (UnsupportedError, ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError):
        return False  # converted like any other; what is wrong with it is said there
    if constant is None:
        return False
    context.fold(number, constant)
    return True


def _type(context: Context, number: int) -> Any:
    return dtype_of(context.tensor(number).dtype)


def _constant(context: Context, operator: Operator) -> Constant | None:
    source, number = operator.input(0), operator.outputs[0]
    first = context.constant(source)
    assert first is not None, "every operand is a constant"
    if operator.kind == "DEQUANTIZE":
        if first.quant is None and first.array.dtype != np.float16:
            return None
        return first if first.quant is not None else Constant(first.array.astype(np.float32))
    if operator.kind == "DENSIFY":  # what is sparse was written out as it was read
        return first
    if operator.kind in _MOVES:
        return _moved(context, operator, first)
    if context.elements(context.shape(number)) > MOST_VALUES:
        return None
    arrays = [context.values(i) for i in operator.inputs if i >= 0]
    if any(array is None or array.size > MOST_VALUES for array in arrays):
        return None
    result = _computed(context, operator, [array for array in arrays if array is not None])
    if result is None or result.shape != context.shape(number) or context.quant(number) is not None:
        return None
    return Constant(np.asarray(result).astype(_type(context, number)))


def _moved(context: Context, operator: Operator, first: Constant) -> Constant | None:
    number = operator.outputs[0]
    quant, wanted = first.quant, context.tensor(number).quant
    if quant is not None and (quant.per_channel or wanted is None or not quant.same_as(wanted)):
        return None
    if context.tensor(number).dtype not in STORED and quant is not None and first.array.dtype.itemsize == 1:
        return None
    if operator.kind == "TRANSPOSE":
        return Constant(first.array.transpose(context.integers(operator.input(1))), quant)
    return Constant(first.array.reshape(context.shape(number)), quant)


def _computed(context: Context, operator: Operator, arrays: list[Array]) -> Array | None:
    kind, first = operator.kind, arrays[0]
    if kind in _ARITHMETIC:
        activation = operator.integer(0, "int8") if kind in ("ADD", "SUB", "MUL") else 0
        return None if activation else np.asarray(_ARITHMETIC[kind](*arrays))
    if kind in _REDUCTIONS:
        axes = tuple(int(axis) for axis in arrays[1].reshape(-1))
        return np.asarray(_REDUCTIONS[kind](first, axis=axes, keepdims=operator.flag(0)))
    if kind == "CAST":
        return first.astype(_type(context, operator.outputs[0]))
    if kind == "CONCATENATION":
        return np.concatenate(arrays, axis=operator.integer(0))
    if kind == "PACK":
        return np.stack(arrays, axis=operator.integer(1))
    if kind == "GATHER":
        return None if operator.integer(1) else np.take(first, arrays[1], axis=operator.integer(0))
    if kind == "SLICE":
        ends = [
            extent if size < 0 else begin + size
            for begin, size, extent in zip(arrays[1].tolist(), arrays[2].tolist(), first.shape, strict=True)
        ]
        return first[tuple(slice(begin, end) for begin, end in zip(arrays[1].tolist(), ends, strict=True))]
    if kind == "STRIDED_SLICE":
        return _strided(operator, first, *(array.tolist() for array in arrays[1:4]))
    if kind in ("FILL", "BROADCAST_TO"):
        value, shape = (arrays[1], first) if kind == "FILL" else (first, arrays[1])
        if shape.size > 8 or not 0 <= float(np.prod(shape.astype(np.float64))) <= MOST_VALUES:
            return None
        return np.broadcast_to(value, tuple(shape.tolist()))
    if kind == "RANGE":
        start, limit, step = (array.reshape(()).item() for array in arrays)
        return np.arange(start, limit, step) if step and abs((limit - start) / step) <= MOST_VALUES else None
    return None


def _strided(
    operator: Operator, array: Array, begins: list[int], ends: list[int], steps: list[int]
) -> Array | None:
    no_begin, no_end, ellipsis, new, shrink = (operator.integer(slot) for slot in range(5))
    if ellipsis or new or operator.flag(5):
        return None
    index: list[int | slice] = []
    for axis, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << axis
        if shrink & bit:
            index.append(begin)
        else:
            index.append(slice(None if no_begin & bit else begin, None if no_end & bit else end, step))
    return np.asarray(array[tuple(index)])
