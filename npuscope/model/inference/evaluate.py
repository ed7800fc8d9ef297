"""The value of a node whose inputs are all known, by numpy alone and with a bound on what it may allocate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npuscope.model.graph import Node
from npuscope.model.inference.call import axis_at
from npuscope.model.inference.indexed import INDEXED
from npuscope.model.inference.making import range_length
from npuscope.model.inference.values import MOST_ELEMENTS, Evaluator, TooLargeError, Values, bounded
from npuscope.model.tensors import Array, dtype_name, numpy_type

MOST_PRODUCTS = 1 << 32
"""A product of matrices that needs more multiplications is not folded."""


def evaluate(node: Node, arrays: Sequence[Array | None], opset: int) -> list[Array] | None:
    """The outputs of a node; None where it is not one that can be folded, or its inputs do not fit."""
    evaluator = EVALUATORS.get(node.op) if node.standard else None
    if evaluator is None:
        return None
    try:
        with np.errstate(all="ignore"):
            answer = evaluator(Values(node, arrays, opset))
    except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError):
        return None
    results = answer if isinstance(answer, list) else [np.asarray(answer)]
    return results if all(value.dtype.kind != "O" for value in results) else None


def _unary(function: Callable[[Array], Array]) -> Evaluator:
    def run(v: Values) -> Array:
        return np.asarray(function(v[0])).astype(v[0].dtype, copy=False)

    return run


def _binary(function: Callable[[Array, Array], Array], to: type | None = None) -> Evaluator:
    def run(v: Values) -> Array:
        out, others = v[0], [a for a in v.arrays[1:] if a is not None]
        kind = to or out.dtype
        bounded(math.prod(np.broadcast_shapes(out.shape, *(a.shape for a in others))))
        for other in others:
            out = function(out, other)
        return np.asarray(out).astype(kind, copy=False)

    return run


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not b.all():
        raise ZeroDivisionError
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)) if a.dtype.kind == "i" else a // b)


def _mod(v: Values) -> Array:
    if v[0].dtype.kind in "iu" and not v[1].all():
        raise ZeroDivisionError
    bounded(math.prod(np.broadcast_shapes(v[0].shape, v[1].shape)))
    return np.asarray(np.fmod(v[0], v[1]) if v.node.integer("fmod", 0) else np.mod(v[0], v[1])).astype(
        v[0].dtype
    )


def _clip(v: Values) -> Array:
    low, high = v.get(1), v.get(2)
    first, last = v.node.attribute("min"), v.node.attribute("max")
    low = np.asarray(first, v[0].dtype) if low is None and isinstance(first, float) else low
    high = np.asarray(last, v[0].dtype) if high is None and isinstance(last, float) else high
    out = v[0] if low is None else np.maximum(v[0], low.reshape(()))
    return np.asarray(out if high is None else np.minimum(out, high.reshape(())))


def _cast(v: Values) -> Array:
    kind = numpy_type(dtype_name(v.node.integer("to", 0)))
    if kind is None:
        raise ValueError("no such element type")
    return _converted(v[0], kind)


def _converted(value: Array, kind: np.dtype[Any]) -> Array:
    if (
        value.dtype.kind == "f"
        and kind.kind in "iu"
        and value.size <= MOST_ELEMENTS
        and not np.isfinite(value).all()
    ):
        raise ValueError("infinite")
    return value.astype(kind, copy=False)


def _cast_like(v: Values) -> Array:
    return _converted(v[0], v[1].dtype)


def _reshape(v: Values) -> Array:
    target = v.numbers(1, "shape")
    if target is None:
        raise ValueError
    if not v.node.integer("allowzero", 0):
        target = tuple(v[0].shape[i] if d == 0 else d for i, d in enumerate(target))
    return v[0].reshape(target)


def _flatten(v: Values) -> Array:
    axis = v.node.integer("axis", 1)
    axis = axis + v[0].ndim if axis < 0 else axis
    return v[0].reshape(math.prod(v[0].shape[:axis]), -1)


def _squeeze(v: Values) -> Array:
    return np.squeeze(v[0], v.numbers(1, "axes"))


def _unsqueeze(v: Values) -> Array:
    return np.expand_dims(v[0], v.numbers(1, "axes") or ())


def _transpose(v: Values) -> Array:
    return np.transpose(v[0], v.node.integers("perm"))


def _concat(v: Values) -> Array:
    arrays = [a for a in v.arrays if a is not None]
    bounded(sum(a.size for a in arrays))
    return np.concatenate(arrays, v.node.integer("axis", 0))


def _gather(v: Values) -> Array:
    axis = axis_at(v.node.integer("axis", 0), v[0].ndim)
    if axis is None:
        raise IndexError
    bounded(v[1].size * (v[0].size // max(v[0].shape[axis], 1)))
    return np.take(v[0], v[1].astype(np.int64), axis)


def _slice(v: Values) -> Array:
    starts, ends = v.numbers(1, "starts"), v.numbers(2, "ends")
    if starts is None or ends is None:
        raise ValueError
    axes = v.numbers(3, "axes") or tuple(range(len(starts)))
    steps = v.numbers(4, "steps") or (1,) * len(starts)
    cut = [slice(None)] * v[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        place = axis_at(axis, v[0].ndim)
        if place is None or not step:
            raise IndexError
        begin, stop, step = slice(start, end, step).indices(v[0].shape[place])
        cut[place] = slice(begin, None if stop < 0 else stop, step)
    return np.asarray(v[0][tuple(cut)])


def _split(v: Values) -> list[Array]:
    axis, count = v.node.integer("axis", 0), len(v.node.outputs)
    lengths = v.numbers(1, "split")
    if lengths is None:
        each = -(-v[0].shape[axis] // count)
        lengths = (each,) * count
    return np.split(v[0], np.cumsum(lengths)[:-1].tolist(), axis)


def _expand(v: Values) -> Array:
    shape = np.broadcast_shapes(v[0].shape, tuple(int(d) for d in v[1].reshape(-1)))
    if any(d > 1 << 31 for d in shape) or math.prod(shape) > 1 << 40:
        raise TooLargeError
    return np.broadcast_to(v[0], shape)  # a view, whatever its size


def _tile(v: Values) -> Array:
    times = tuple(int(n) for n in v[1].reshape(-1))
    bounded(v[0].size * math.prod(times))
    return np.tile(v[0], times)


def _pad(v: Values) -> Array:
    pads, rank = v.numbers(1, "pads"), v[0].ndim
    if (
        pads is None
        or len(pads) != 2 * rank
        or v.get(3) is not None
        or v.node.text("mode", "constant") != "constant"
    ):
        raise ValueError
    bounded(math.prod(d + max(pads[i], 0) + max(pads[i + rank], 0) for i, d in enumerate(v[0].shape)))
    if min(pads, default=0) < 0:
        raise ValueError
    value = v.get(2)
    fill = value.reshape(-1)[0] if value is not None and value.size else v.node.attribute("value") or 0
    return np.pad(v[0], list(zip(pads[:rank], pads[rank:], strict=True)), constant_values=fill)


def _where(v: Values) -> Array:
    bounded(math.prod(np.broadcast_shapes(v[0].shape, v[1].shape, v[2].shape)))
    return np.where(v[0], v[1], v[2])


def _range(v: Values) -> Array:
    start, limit, delta = (v[i].reshape(-1)[0].item() for i in range(3))
    count = range_length(start, limit, delta)
    if not isinstance(count, int):
        raise TooLargeError
    bounded(count)
    return np.asarray(start + np.arange(count) * delta).astype(v[0].dtype)


def _filled(v: Values) -> Array:
    value = v.node.attribute("value")
    item = np.zeros((), np.float32)
    if value is not None:
        from onnx import TensorProto, numpy_helper

        if not isinstance(value, TensorProto) or math.prod(value.dims) != 1:
            raise ValueError
        item = numpy_helper.to_array(value).reshape(())
    shape = tuple(int(d) for d in v[0].reshape(-1))
    if any(not 0 <= d <= 1 << 31 for d in shape) or math.prod(shape) > 1 << 40:
        raise TooLargeError
    return np.broadcast_to(item, shape)


def _reduce(function: Callable[..., Any]) -> Evaluator:
    def run(v: Values) -> Array:
        axes = v.numbers(1, "axes")
        if not axes and v.node.integer("noop_with_empty_axes", 0):
            return v[0]
        keep = bool(v.node.integer("keepdims", 1))
        return np.asarray(function(v[0], axis=axes or None, keepdims=keep)).astype(v[0].dtype, copy=False)

    return run


def _constant_shape(v: Values) -> Array:
    rank = v[0].ndim
    start, end = v.node.integer("start", 0), v.node.integer("end", rank)
    return np.array(v[0].shape[slice(start, end)], np.int64)


def _size(v: Values) -> Array:
    return np.array(v[0].size, np.int64)


def _matmul(v: Values) -> Array:
    if v[0].ndim < 2 or v[1].ndim < 2:
        raise ValueError
    batches = math.prod(np.broadcast_shapes(v[0].shape[:-2], v[1].shape[:-2]))
    if batches * math.prod(v[0].shape[-2:]) * v[1].shape[-1] > MOST_PRODUCTS:
        raise TooLargeError
    bounded(batches * v[0].shape[-2] * v[1].shape[-1])
    return np.asarray(v[0] @ v[1])


def _along(parameter: Array, value: Array, node: Node) -> Array:
    """Scales as they spread over a tensor, along the axis of a Q or DQ."""
    if parameter.size == 1:
        return parameter.reshape(())
    axis = axis_at(node.integer("axis", 1), value.ndim)
    if (
        axis is None
        or parameter.ndim != 1
        or parameter.size != value.shape[axis]
        or node.integer("block_size", 0)
    ):
        raise ValueError
    return parameter.reshape(tuple(-1 if i == axis else 1 for i in range(value.ndim)))


def _quantize(v: Values) -> Array:
    zero = v.get(2)
    kind = zero.dtype if zero is not None else np.dtype(np.uint8)
    if kind.kind not in "iu":
        raise ValueError
    limits = np.iinfo(kind)
    real = v[0].astype(np.float32, copy=False) / _along(v[1].astype(np.float32), v[0], v.node)
    offset = _along(zero, v[0], v.node).astype(np.float32) if zero is not None else np.float32(0)
    return np.clip(np.rint(real) + offset, limits.min, limits.max).astype(kind)


def _dequantize(v: Values) -> Array:
    zero = v.get(2)
    offset = _along(zero, v[0], v.node).astype(np.float32) if zero is not None else np.float32(0)
    scale = _along(v[1], v[0], v.node)
    return ((v[0].astype(np.float32) - offset) * scale.astype(np.float32)).astype(scale.dtype)


def _trilu(v: Values) -> Array:
    k = v.get(1)
    offset = int(k.reshape(-1)[0]) if k is not None else 0
    return np.triu(v[0], offset) if v.node.integer("upper", 1) else np.tril(v[0], offset)


def _cumsum(v: Values) -> Array:
    if v.node.integer("exclusive", 0) or v.node.integer("reverse", 0):
        raise ValueError
    return np.cumsum(v[0], int(v[1].reshape(-1)[0]), v[0].dtype)


EVALUATORS: dict[str, Evaluator] = {
    **INDEXED,
    "Identity": lambda v: v[0],
    "Abs": _unary(np.abs),
    "Neg": _unary(np.negative),
    "Sign": _unary(np.sign),
    "Ceil": _unary(np.ceil),
    "Floor": _unary(np.floor),
    "Round": _unary(np.rint),
    "Sqrt": _unary(np.sqrt),
    "Exp": _unary(np.exp),
    "Log": _unary(np.log),
    "Sin": _unary(np.sin),
    "Cos": _unary(np.cos),
    "Tanh": _unary(np.tanh),
    "Sigmoid": _unary(lambda a: 1 / (1 + np.exp(-a))),
    "Reciprocal": _unary(np.reciprocal),
    "Relu": _unary(lambda a: np.maximum(a, 0)),
    "Not": _unary(np.logical_not),
    "Add": _binary(np.add),
    "Sum": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_divide),
    "Pow": _binary(np.power),
    "Min": _binary(np.minimum),
    "Max": _binary(np.maximum),
    "And": _binary(np.logical_and, bool),
    "Or": _binary(np.logical_or, bool),
    "Xor": _binary(np.logical_xor, bool),
    "Equal": _binary(np.equal, bool),
    "Less": _binary(np.less, bool),
    "LessOrEqual": _binary(np.less_equal, bool),
    "Greater": _binary(np.greater, bool),
    "GreaterOrEqual": _binary(np.greater_equal, bool),
    "ReduceSum": _reduce(np.sum),
    "ReduceProd": _reduce(np.prod),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceMean": _reduce(np.mean),
    "ReduceL1": _reduce(lambda a, axis, keepdims: np.sum(np.abs(a), axis=axis, keepdims=keepdims)),
    "ReduceSumSquare": _reduce(lambda a, axis, keepdims: np.sum(np.square(a), axis=axis, keepdims=keepdims)),
    "ReduceL2": _reduce(
        lambda a, axis, keepdims: np.sqrt(np.sum(np.square(a), axis=axis, keepdims=keepdims))
    ),
    "Mod": _mod,
    "Clip": _clip,
    "Cast": _cast,
    "CastLike": _cast_like,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Concat": _concat,
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Where": _where,
    "Range": _range,
    "ConstantOfShape": _filled,
    "Shape": _constant_shape,
    "Size": _size,
    "MatMul": _matmul,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Trilu": _trilu,
    "CumSum": _cumsum,
}

COPIES_NOTHING = frozenset(
    {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Expand"}
)
"""Evaluators that copy nothing."""
