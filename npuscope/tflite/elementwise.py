"""Operators that work value by value, QUANTIZE, DEQUANTIZE and CAST among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npuscope.tflite.context import STORED, Context, UnscaledError, UnsupportedError, element_of
from npuscope.tflite.emit import BOUNDS, clip, emit, follows
from npuscope.tflite.schema import Operator, Quantization, Tensor

UNARY = {
    "LOGISTIC": "Sigmoid", "TANH": "Tanh", "RELU": "Relu", "ABS": "Abs", "NEG": "Neg", "EXP": "Exp", "LOG": "Log",
    "SQRT": "Sqrt", "FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "SIN": "Sin", "COS": "Cos", "ELU": "Elu",
    "HARD_SWISH": "HardSwish", "SIGN": "Sign", "LOGICAL_NOT": "Not",
}  # fmt: skip
"""TFLite operator -> ONNX operator of one operand, without options."""

BINARY = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "MAXIMUM": "Max", "MINIMUM": "Min", "POW": "Pow",
    "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual",
    "EQUAL": "Equal", "LOGICAL_AND": "And", "LOGICAL_OR": "Or", "PRELU": "PRelu",
}  # fmt: skip
"""TFLite operator -> ONNX operator of two operands that broadcast. PRELU's slopes broadcast to its first."""

ACTIVATED = frozenset({"ADD", "SUB", "MUL", "DIV"})
"""Those of BINARY whose first option is an activation."""


def unary(context: Context, operator: Operator) -> None:
    """One node."""
    source, number = operator.input(0), operator.outputs[0]
    cf = follows(context, operator, number)
    emit(
        context,
        operator,
        UNARY[operator.kind],
        [context.operand(source, context.rank(number), cf)],
        number,
        cf,
    )


def clipped(context: Context, operator: Operator) -> None:
    """RELU6 and its like: a Clip at the integers TFLite clips at."""
    source, number = operator.input(0), operator.outputs[0]
    cf = follows(context, operator, number)
    real, result = context.read(source, cf), context.write(number, cf)
    clip(context, real, result, operator.name, *BOUNDS[operator.kind], number)
    context.close(number, result, cf)


def leaky_relu(context: Context, operator: Operator) -> None:
    """Slot: the slope."""
    source, number = operator.input(0), operator.outputs[0]
    cf = follows(context, operator, number)
    emit(context, operator, "LeakyRelu", [context.read(source, cf)], number, cf, alpha=operator.real(0))


def gelu(context: Context, operator: Operator) -> None:
    """Slot: the tanh approximation. Gelu is an operator of opset 20."""
    source, number = operator.input(0), operator.outputs[0]
    cf = follows(context, operator, number)
    context.opset = max(context.opset, 20)
    approximate = "tanh" if operator.flag(0) else "none"
    emit(context, operator, "Gelu", [context.read(source, cf)], number, cf, approximate=approximate)


def reciprocal_sqrt(context: Context, operator: Operator) -> None:
    """Two nodes."""
    source, number = operator.input(0), operator.outputs[0]
    cf = follows(context, operator, number)
    root = context.fresh(f"{operator.name}_root")
    context.node("Sqrt", [context.read(source, cf)], [root], f"{operator.name}_sqrt")
    emit(context, operator, "Reciprocal", [root], number, cf)


def square(context: Context, operator: Operator) -> None:
    """SQUARE and SQUARED_DIFFERENCE: a Mul of something with itself."""
    number = operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(number)
    factors = [context.operand(operator.input(0), rank, cf)]
    if operator.kind == "SQUARED_DIFFERENCE":
        factors.append(context.operand(operator.input(1), rank, cf))
        difference = context.fresh(f"{operator.name}_difference")
        context.node("Sub", factors, [difference], f"{operator.name}_sub")
        factors = [difference]
    emit(context, operator, "Mul", [factors[0], factors[0]], number, cf)


def binary(context: Context, operator: Operator) -> None:
    """One node, and the activation folded in. Slot: activation."""
    number, op = operator.outputs[0], BINARY[operator.kind]
    cf, rank = follows(context, operator, number), context.rank(number)
    inputs = [context.operand(operator.input(position), rank, cf) for position in (0, 1)]
    activation = operator.integer(0, "int8") if operator.kind in ACTIVATED else 0
    emit(context, operator, op, inputs, number, cf, activation)


def not_equal(context: Context, operator: Operator) -> None:
    """Equal, turned around."""
    number = operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(number)
    equal = context.fresh(f"{operator.name}_equal")
    inputs = [context.operand(operator.input(position), rank, cf) for position in (0, 1)]
    context.node("Equal", inputs, [equal], equal)
    emit(context, operator, "Not", [equal], number, cf)


def floor_div(context: Context, operator: Operator) -> None:
    """Div and Floor, on floats."""
    number = operator.outputs[0]
    if context.tensor(number).dtype not in STORED | {"float32", "float16"}:
        raise UnsupportedError("divides integers, rounding down")
    cf, rank = follows(context, operator, number), context.rank(number)
    ratio = context.fresh(f"{operator.name}_ratio")
    inputs = [context.operand(operator.input(position), rank, cf) for position in (0, 1)]
    context.node("Div", inputs, [ratio], f"{operator.name}_div")
    emit(context, operator, "Floor", [ratio], number, cf)


def add_n(context: Context, operator: Operator) -> None:
    """A Sum of any number of operands."""
    number = operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(number)
    emit(context, operator, "Sum", [context.operand(i, rank, cf) for i in operator.inputs], number, cf)


def select(context: Context, operator: Operator) -> None:
    """SELECT_V2: condition, then, else."""
    number = operator.outputs[0]
    condition = context.shape(operator.input(0))
    cf, rank = follows(context, operator, number), context.rank(number)
    if operator.kind == "SELECT" and len(condition) == 1 and rank > 1:  # a choice of rows
        rows = context.fresh(f"{operator.name}_rows")
        context.reshape(context.read(operator.input(0), False), rows, [condition[0], *[1] * (rank - 1)], rows)
        chosen = [context.operand(operator.input(i), rank, cf) for i in (1, 2)]
        emit(context, operator, "Where", [rows, *chosen], number, cf)
        return
    emit(
        context,
        operator,
        "Where",
        [context.operand(operator.input(i), rank, cf) for i in range(3)],
        number,
        cf,
    )


def quantize(context: Context, operator: Operator) -> None:
    """A QuantizeLinear, or a change of scale: DequantizeLinear and QuantizeLinear."""
    source, number = operator.input(0), operator.outputs[0]
    if context.quant(number) is None:
        raise UnscaledError("quantizes to a tensor without a scale")
    cf = follows(context, operator, number)
    wide = _wide(context, source)
    real = context.read(source, cf) if wide is None else _wide_values(context, operator, wide, cf)
    if wide is None and context.stored(source) is None and source not in context.graph.inputs:
        context.floats[real] = None
    context.close_stored(number, real, cf, operator.name)


def dequantize(context: Context, operator: Operator) -> None:
    """A DequantizeLinear, or the cast of a half float."""
    source, number = operator.input(0), operator.outputs[0]
    cf = context.cf(source)
    stored, wide = context.stored(source), _wide(context, source)
    tensor = context.tensor(source) if wide is None else wide
    if wide is not None:
        stored = context.read(source, cf)
    if stored is None:
        if tensor.dtype != "float16":
            raise UnscaledError("dequantizes a tensor without a scale")
        emit(context, operator, "Cast", [context.read(source)], number, cf, to=element_of("float32"))
        return
    assert tensor.quant is not None
    result = context.write(number, cf)
    context.floats[result] = None
    context.dequantize(
        stored, result, tensor.quant, tensor.dtype, tensor.quant.axis, tensor.name, operator.name
    )
    context.close(number, result, cf)


def _wide(context: Context, number: int) -> Tensor | None:
    """An int32 tensor with a scale, such as a sum that is quantized again; None for any other."""
    tensor = context.tensor(number)
    quant = tensor.quant if tensor.dtype == "int32" and context.constant(number) is None else None
    if quant is None:
        return None
    if quant.per_channel or quant.zero_point.any():
        raise UnsupportedError("reads int32 with a zero point, or of several scales")
    return tensor


def _wide_values(context: Context, operator: Operator, tensor: Tensor, cf: bool) -> str:
    assert tensor.quant is not None
    real = context.fresh(f"{tensor.name}_dequantized")
    stored = context.read(tensor.index, cf)
    context.dequantize(stored, real, tensor.quant, "int32", 0, tensor.name, f"{operator.name}_dequantize")
    return real


def cast(context: Context, operator: Operator) -> None:
    """To the type of the output. The integers themselves are cast: the kernel does not look at scales."""
    source, number = operator.input(0), operator.outputs[0]
    cf, tensor = context.cf(source), context.tensor(number)
    read = context.stored(source) or context.read(source)
    if context.quant(number) is not None:
        if cf:
            raise UnsupportedError("writes integers as they are to a tensor with a scale")
        context.node("Cast", [read], [tensor.name], operator.name, to=element_of(tensor.dtype))
        context.enter(number)
        return
    emit(context, operator, "Cast", [read], number, cf, to=element_of(tensor.dtype))


def trained_grid(operator: Operator) -> Quantization:
    """The int8 grid of a FAKE_QUANT. Raises UnsupportedError where it has none."""
    least, most = operator.real(0), operator.real(1)
    if (
        operator.integer(2) != 8
        or operator.flag(3)
        or not least <= 0 <= most
        or not 0 < most - least < np.inf
    ):
        raise UnsupportedError("quantizes to other than 256 steps around 0")
    scale = np.float32((most - least) / 255)
    zero = int(np.clip(np.floor(-least / scale + 0.5), 0, 255)) - 128
    return Quantization(np.array([scale]), np.array([zero]))


def fake_quant(context: Context, operator: Operator) -> None:
    """What trained quantization leaves in a float file: a QuantizeLinear and a DequantizeLinear. Slots: min, max, bits, narrow."""
    source, number, quant = operator.input(0), operator.outputs[0], trained_grid(operator)
    cf = follows(context, operator, number)
    stored, result = context.fresh(f"{context.tensor(number).name}_quantized"), context.write(number, cf)
    context.quantize(context.read(source, cf), stored, quant, "int8", stored, operator.name)
    context.dequantize(stored, result, quant, "int8", 0, stored)
    context.close(number, result, cf)


def softmax(context: Context, operator: Operator) -> None:
    """SOFTMAX (slot: beta) and LOG_SOFTMAX, over the last axis."""
    source, number = operator.input(0), operator.outputs[0]
    cf, rank = context.cf(source), context.rank(source)
    real = context.read(source)
    beta = operator.real(0, 1.0) if operator.kind == "SOFTMAX" else 1.0
    if beta not in (0.0, 1.0):
        scaled, factor = context.fresh(f"{operator.name}_scaled"), np.array(beta, np.float32)
        context.node("Mul", [real, context.initializer(f"{operator.name}_beta", factor)], [scaled], scaled)
        real = scaled
    op = "Softmax" if operator.kind == "SOFTMAX" else "LogSoftmax"
    emit(context, operator, op, [real], number, cf, axis=1 if cf else max(rank - 1, 0))


Converter = Callable[[Context, Operator], None]

CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(BOUNDS, clipped),
    **dict.fromkeys(BINARY, binary),
    "LEAKY_RELU": leaky_relu,
    "GELU": gelu,
    "RSQRT": reciprocal_sqrt,
    "SQUARE": square,
    "SQUARED_DIFFERENCE": square,
    "NOT_EQUAL": not_equal,
    "FLOOR_DIV": floor_div,
    "ADD_N": add_n,
    "SELECT": select,
    "SELECT_V2": select,
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
    "CAST": cast,
    "FAKE_QUANT": fake_quant,
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": softmax,
}
