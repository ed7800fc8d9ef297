"""What depends on constants alone is computed here: shape arithmetic, and weights behind casts and moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from npuscope.tflite.context import STORED, Context, UnsupportedError, dtype_of
from npuscope.tflite.elementwise import trained_grid
from npuscope.tflite.flatbuffer import Array
from npuscope.tflite.schema import Constant, Operator, Quantization, real_values

MOST_VALUES = 1 << 16
"""Of a result that is computed rather than moved."""
MOST_PARTS = 1024
"""Outputs of an operator that cuts a constant up."""
MOST_WEIGHTS = 1 << 24
"""Of a result that is quantized, picked or joined of constants as large."""

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "ADD": np.add, "SUB": np.subtract, "MUL": np.multiply, "MAXIMUM": np.maximum, "MINIMUM": np.minimum,
    "FLOOR_DIV": np.floor_divide, "FLOOR_MOD": np.mod, "NEG": np.negative, "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal, "LESS": np.less, "LESS_EQUAL": np.less_equal, "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal, "LOGICAL_AND": np.logical_and, "LOGICAL_OR": np.logical_or,
    "SELECT": np.where, "SELECT_V2": np.where, "ABS": np.abs, "FLOOR": np.floor, "CEIL": np.ceil,
    "RSQRT": lambda x: 1 / np.sqrt(x), "SQRT": np.sqrt, "EXP": np.exp, "LOG": np.log, "TANH": np.tanh, "SQUARE": np.square,
    "RELU": lambda x: np.maximum(x, x.dtype.type(0)),
}  # fmt: skip
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "SUM": np.sum, "REDUCE_PROD": np.prod, "REDUCE_MAX": np.max, "REDUCE_MIN": np.min, "MEAN": np.mean
}  # fmt: skip
_MOVES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE"})
_PICKS = {
    "CONCATENATION": None,
    "PACK": None,
    "SLICE": 1,
    "STRIDED_SLICE": 1,
    "GATHER": 1,
    "SPLIT": 1,
    "SPLIT_V": 1,
    "UNPACK": 1,
}
"""Operators that choose from, or join, what they read; how many of their operands are data (None: all)."""


def folded(context: Context, operator: Operator) -> bool:
    """Compute an operator whose operands are constants. Tells whether it was done."""
    if len(operator.outputs) != 1:
        return operator.kind in ("SPLIT", "SPLIT_V", "UNPACK") and _parted(context, operator)
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
    if operator.kind == "QUANTIZE":
        return _quantized(context, number, first)
    if operator.kind == "FAKE_QUANT":
        grid = trained_grid(operator)
        return Constant(_on_grid(first.array, grid, "int8"), grid) if first.array.dtype.kind == "f" else None
    if operator.kind in _MOVES:
        return _moved(context, operator, first)
    if operator.kind in _PICKS:
        return _picked(context, operator)
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
    if quant is not None and (wanted is None or not quant.same_as(wanted)):
        return None
    if quant is not None and quant.per_channel:
        if not _axis_goes_along(context, operator, first.array.shape, wanted):
            return None
        quant = wanted
    if context.tensor(number).dtype not in STORED and quant is not None and first.array.dtype.itemsize == 1:
        return None
    if operator.kind == "TRANSPOSE":
        return Constant(first.array.transpose(context.integers(operator.input(1))), quant)
    return Constant(first.array.reshape(context.shape(number)), quant)


def _axis_goes_along(
    context: Context, operator: Operator, shape: tuple[int, ...], wanted: Quantization | None
) -> bool:
    """The axis of the scales is, after the move, the one that the output states."""
    constant, number = context.constant(operator.input(0)), operator.outputs[0]
    if constant is None or constant.quant is None or wanted is None:
        return False
    before, after, made = constant.quant.axis, wanted.axis, context.shape(number)
    if operator.kind == "TRANSPOSE":
        return context.integers(operator.input(1))[after : after + 1] == [before]
    return math.prod(shape[:before]) == math.prod(made[:after]) and shape[before] == made[after]


def _on_grid(array: Array, quant: Quantization, dtype: str) -> Array:
    """Stored integers of real values, halves away from zero as the kernels round."""
    scale, zero = quant.scale.astype(np.float64), quant.zero_point
    if quant.per_channel:
        row = [-1 if axis == quant.axis else 1 for axis in range(array.ndim)]
        scale, zero = scale.reshape(row), zero.reshape(row)
    steps = array.astype(np.float64) / scale
    limits = np.iinfo(dtype)
    rounded = np.sign(steps) * np.floor(np.abs(steps) + 0.5) + zero
    return np.asarray(np.clip(np.nan_to_num(rounded), limits.min, limits.max).astype(dtype))


def _quantized(context: Context, number: int, first: Constant) -> Constant | None:
    quant, dtype = context.quant(number), context.tensor(number).dtype
    if quant is None or not quant.scale.min() > 0 or first.array.size > MOST_WEIGHTS:
        return None
    if first.array.shape != context.shape(number) or (first.quant is None and first.array.dtype.kind != "f"):
        return None
    array = first.array if first.quant is None else real_values(first.array, first.quant, first.quant.axis)
    return Constant(_on_grid(array, quant, dtype), quant)


def _picked(context: Context, operator: Operator, position: int = 0) -> Constant | None:
    """A part, or a whole, of constants on one grid; `position` is the output's."""
    number = operator.outputs[position]
    shape, tensor = context.shape(number), context.tensor(number)
    if context.elements(shape) > MOST_WEIGHTS or (
        operator.kind == "CONCATENATION" and operator.integer(1, "int8")
    ):
        return None
    constants = [
        constant for i in operator.inputs if i >= 0 and (constant := context.constant(i)) is not None
    ]
    first = 1 if operator.kind == "SPLIT" else 0
    count = _PICKS[operator.kind]
    data = constants[first:] if count is None else constants[first : first + count]
    grid = data[0].quant if data else None
    wanted = context.quant(number)
    for constant in data:
        same = constant.quant is grid or (
            constant.quant is not None and grid is not None and constant.quant.same_as(grid)
        )
        if not same or (
            grid is not None and (grid.per_channel or wanted is None or not grid.same_as(wanted))
        ):
            return None
    if grid is None and wanted is not None:
        return None
    arrays = [constant.array for constant in constants]
    result: Array | None
    if operator.kind in ("SPLIT", "SPLIT_V", "UNPACK"):
        result = _part(context, operator, arrays[first], position)
    else:
        result = _computed(context, operator, arrays)
    if result is None or result.shape != shape or result.dtype != data[0].array.dtype:
        return None
    return Constant(np.asarray(result).astype(_type(context, number)), None if grid is None else tensor.quant)


def _part(context: Context, operator: Operator, array: Array, position: int) -> Array:
    """What an output of a SPLIT, SPLIT_V or UNPACK takes of the whole."""
    if operator.kind == "UNPACK":
        return np.asarray(np.take(array, position, axis=operator.integer(1)))
    axis = context.integers(operator.input(0 if operator.kind == "SPLIT" else 2))[0]
    sizes = [context.shape(number)[axis] for number in operator.outputs]
    start = sum(sizes[:position])
    return np.asarray(np.take(array, range(start, start + sizes[position]), axis=axis))


def _parted(context: Context, operator: Operator) -> bool:
    """Fold all outputs of an operator that cuts a constant up. Tells whether it was done."""
    if not 0 < len(operator.outputs) <= MOST_PARTS or any(
        i >= 0 and context.constant(i) is None for i in operator.inputs
    ):
        return False
    try:
        parts = [_picked(context, operator, position) for position in range(len(operator.outputs))]
    except (UnsupportedError, ValueError, IndexError, TypeError):
        return False
    if any(part is None for part in parts):
        return False
    for number, part in zip(operator.outputs, parts, strict=True):
        if part is not None:
            context.fold(number, part)
    return True


def _size(operator: Operator, arrays: list[Array]) -> int:
    """Values of a result that may be larger than its operands; 0 for operators whose result is not."""
    kind, first = operator.kind, arrays[0]
    if kind in _ARITHMETIC or kind == "DIV":
        return math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))
    if kind in ("CONCATENATION", "PACK"):
        return int(sum(array.size for array in arrays))
    if kind == "GATHER":
        return int(first.size // max(first.shape[operator.integer(0)], 1) * arrays[1].size)
    return 0


def _computed(context: Context, operator: Operator, arrays: list[Array]) -> Array | None:
    kind, first = operator.kind, arrays[0]
    if _size(operator, arrays) > context.elements(context.shape(operator.outputs[0])):
        return None  # what the file states is too small for it, so that it may be of any size
    if kind in _ARITHMETIC:
        activation = operator.integer(0, "int8") if kind in ("ADD", "SUB", "MUL") else 0
        return None if activation else np.asarray(_ARITHMETIC[kind](*arrays))
    if kind == "DIV" and not operator.integer(0, "int8") and first.dtype.kind == "f":
        return np.asarray(np.divide(*arrays))
    if kind == "TILE":
        size = math.prod(int(times) for times in arrays[1].reshape(-1)) * first.size
        return np.tile(first, arrays[1]) if 0 <= size <= MOST_VALUES else None
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
