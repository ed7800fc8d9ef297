"""Arithmetic that rounds, compares or shifts otherwise than ONNX's operators do."""

from __future__ import annotations

import numpy as np

from npuscope.tflite.context import STORED, Context, UnsupportedError, dtype_of, element_of
from npuscope.tflite.elementwise import floor_div as real_floor_div
from npuscope.tflite.rare.chain import Chain
from npuscope.tflite.schema import Operator

REAL = frozenset({"float32", "float16"})


def _operands(context: Context, operator: Operator) -> tuple[str, str]:
    rank = context.rank(operator.outputs[0])
    first, second = (context.operand(operator.input(i), rank, False) for i in (0, 1))
    return first, second


def floor_div(context: Context, operator: Operator) -> None:
    """Of integers: what is left of a division, of the divisor's sign, taken off before it is divided."""
    if context.tensor(operator.outputs[0]).dtype in STORED | REAL:
        real_floor_div(context, operator)
        return
    chain, (dividend, divisor) = Chain(context, operator), _operands(context, operator)
    left = chain.make("Mod", dividend, divisor)
    chain.last("Div", chain.make("Sub", dividend, left), divisor)


def floor_mod(context: Context, operator: Operator) -> None:
    """ONNX's Mod of integers has the divisor's sign; of floats the dividend's, as C's fmod, which is then brought over."""
    dtype = context.tensor(operator.outputs[0]).dtype
    chain, (dividend, divisor) = Chain(context, operator), _operands(context, operator)
    if dtype in STORED:
        raise UnsupportedError("takes what is left of divisions of quantized values")
    if dtype not in REAL:
        chain.last("Mod", dividend, divisor)
        return
    zero = chain.constant("zero", np.zeros((), dtype))
    left = chain.make("Mod", dividend, divisor, fmod=1)
    other_sign = chain.make("Less", chain.make("Mul", left, divisor), zero)
    chain.last("Where", other_sign, chain.make("Add", left, divisor), left)


def right_shift(context: Context, operator: Operator) -> None:
    """Of signed integers, which ONNX's BitShift does not take: a division that rounds down."""
    dtype = context.tensor(operator.outputs[0]).dtype
    if dtype not in ("int8", "int16", "int32"):
        raise UnsupportedError(f"shifts {dtype}")
    read = [context.stored(operator.input(i)) or context.read(operator.input(i), False) for i in (0, 1)]
    chain = Chain(context, operator)
    real, by = (chain.make("Cast", name, to=element_of("float64")) for name in read)
    power = chain.make("Pow", chain.constant("two", np.array(2.0)), by)
    down = chain.make("Floor", chain.make("Div", real, power))
    context.cast_to(down, operator.outputs[0], False, operator.name)


def exclusive_or(context: Context, operator: Operator) -> None:
    """An operator of opset 18."""
    context.opset = max(context.opset, 18)
    Chain(context, operator).last("BitwiseXor", *_operands(context, operator))


def any_or_all(context: Context, operator: Operator) -> None:
    """REDUCE_ANY and REDUCE_ALL: the largest and the smallest of 0 and 1. Slot: keep the axes."""
    rank, keep = context.rank(operator.input(0)), int(operator.flag(0))
    axes = sorted({axis % max(rank, 1) for axis in context.integers(operator.input(1))})
    chain, op = Chain(context, operator), "ReduceMax" if operator.kind == "REDUCE_ANY" else "ReduceMin"
    counted = chain.make("Cast", context.read(operator.input(0), False), to=element_of("int32"))
    reduced = chain.make(op, counted, axes=axes or None, keepdims=keep)
    chain.last("Cast", reduced, to=element_of("bool"))


def bucketize(context: Context, operator: Operator) -> None:
    """How many boundaries a value is not below. Slot: the boundaries."""
    boundaries = np.array(operator.reals(0), np.float32)
    source, number = operator.input(0), operator.outputs[0]
    dtype = context.tensor(source).dtype
    if dtype in STORED or not boundaries.size:
        raise UnsupportedError("sorts quantized values into buckets, or has none")
    chain, rank = Chain(context, operator), context.rank(source)
    limits = chain.constant("boundaries", boundaries)
    value = context.read(source, False)
    if dtype != "float32":
        value = chain.make("Cast", value, to=element_of("float32"))
    columns = chain.make("Unsqueeze", value, chain.constant("axis", [rank]))
    reached = chain.make("Cast", chain.make("GreaterOrEqual", columns, limits), to=element_of("int32"))
    counted = chain.make("ReduceSum", reached, chain.constant("last_axis", [rank]), keepdims=0)
    context.cast_to(counted, number, False, operator.name)


def arc_tangent(context: Context, operator: Operator) -> None:
    """ATAN2: the angle of (x, y) in all four quadrants, y first."""
    dtype = context.tensor(operator.outputs[0]).dtype
    if dtype not in REAL:
        raise UnsupportedError(f"finds angles of {dtype}")
    chain, (y, x) = Chain(context, operator), _operands(context, operator)
    zero, turn = (
        chain.constant(what, np.array(value, dtype)) for what, value in (("zero", 0.0), ("half_turn", np.pi))
    )
    # Twice the half angle: tan of it is y / (length + x), or (length - x) / y, which is exact where x is negative.
    length = chain.make("Sqrt", chain.make("Add", chain.make("Mul", x, x), chain.make("Mul", y, y)))
    right = chain.make("Div", y, chain.make("Add", length, x))
    left = chain.make("Div", chain.make("Sub", length, x), y)
    straight = chain.make("Less", x, zero)
    ratio = chain.make("Where", straight, left, right)
    angle = chain.make("Atan", ratio)
    double = chain.make("Add", angle, angle)
    on_axis = chain.make("Equal", y, zero)
    along = chain.make("Where", straight, turn, zero)
    chain.last("Where", on_axis, along, double)


def zeros_like(context: Context, operator: Operator) -> None:
    """A constant of the output's shape."""
    number = operator.outputs[0]
    if context.quant(number) is not None:
        raise UnsupportedError("fills a quantized tensor with stored zeros")
    zero = np.zeros(context.shape(number), dtype_of(context.tensor(number).dtype))
    Chain(context, operator).last("Identity", Chain(context, operator).constant("zeros", zero))


def fill(context: Context, operator: Operator) -> None:
    """One value spread over the output's shape, which the file states too. Operands: dimensions, value."""
    chain, shape = Chain(context, operator), list(context.shape(operator.outputs[0]))
    chain.last("Expand", context.read(operator.input(1), False), chain.constant("shape", shape))


CONVERTERS = {
    "FLOOR_DIV": floor_div,
    "FLOOR_MOD": floor_mod,
    "RIGHT_SHIFT": right_shift,
    "BITWISE_XOR": exclusive_or,
    "REDUCE_ANY": any_or_all,
    "REDUCE_ALL": any_or_all,
    "BUCKETIZE": bucketize,
    "ATAN2": arc_tangent,
    "ZEROS_LIKE": zeros_like,
    "FILL": fill,
}
