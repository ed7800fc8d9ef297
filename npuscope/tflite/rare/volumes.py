"""Convolutions of three axes, which TFLite has of floats alone."""

from __future__ import annotations

import numpy as np

from npuscope.tflite.context import Context, UnsupportedError
from npuscope.tflite.emit import activate
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.rare.chain import Chain
from npuscope.tflite.schema import Operator

SAME = 0
_FIRST, _LAST = [0, 4, 1, 2, 3], [0, 2, 3, 4, 1]
"""Channels first and last, of five axes."""


def conv_3d(context: Context, operator: Operator) -> None:
    """Slots: padding, strides (depth, width, height), activation, dilations alike."""
    source = _of_five_axes(context, operator, 0)
    strides, dilations = _three(operator, 1), _three(operator, 5, 1)
    size = context.shape(operator.input(1))[:3]
    pads = _pads(
        operator,
        context.shape(source)[1:4],
        context.shape(operator.outputs[0])[1:4],
        size,
        strides,
        dilations,
    )
    _convolved(context, operator, "Conv", source, pads, strides, dilations)


def conv_3d_transpose(context: Context, operator: Operator) -> None:
    """Operands: shape, weights, data, bias. SAME and VALID are those of the convolution that it undoes."""
    source = _of_five_axes(context, operator, 2)
    strides, dilations = _three(operator, 1), _three(operator, 5, 1)
    size = context.shape(operator.input(1))[:3]
    given, wanted = context.shape(source)[1:4], context.shape(operator.outputs[0])[1:4]
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    whole = [(n - 1) * s + r for n, s, r in zip(given, strides, reach, strict=True)]
    more = [max(out - n, 0) for n, out in zip(whole, wanted, strict=True)]
    cut = [max(n - out, 0) for n, out in zip(whole, wanted, strict=True)]
    before = [n // 2 if operator.integer(0, "int8") == SAME else 0 for n in cut]
    pads = [*before, *(n - b for n, b in zip(cut, before, strict=True))]
    _convolved(context, operator, "ConvTranspose", source, pads, strides, dilations, output_padding=more)


def _convolved(
    context: Context, operator: Operator, op: str, source: int, pads: list[int], strides: list[int],
    dilations: list[int], **attributes: list[int],
) -> None:  # fmt: skip
    number, chain = operator.outputs[0], Chain(context, operator)
    weights, bias = operator.input(1), operator.input(2 if op == "Conv" else 3)
    constant = context.constant(weights)
    if constant is None or constant.array.dtype != np.float32 or context.quant(number) is not None:
        raise UnsupportedError("convolves three axes of other than floats with constant weights")
    # Weights are depth, height, width, channels; the kernels name the last two the other way around for the transposed one.
    kernel = context.weight(weights, constant.array.transpose(4, 3, 0, 1, 2), 0, ("volumes",))
    inputs = [chain.make("Transpose", context.read(source, False), perm=_FIRST), kernel]
    if bias >= 0:
        inputs.append(context.read(bias, False))
    made = chain.make(op, *inputs, pads=pads, strides=strides, dilations=dilations, **attributes)
    activation = operator.integer(4, "int8")
    if activation:
        before, made = made, context.fresh(f"{operator.name}_activated")
        activate(context, operator, activation, before, made, number)
    chain.last("Transpose", made, perm=_LAST)


def _of_five_axes(context: Context, operator: Operator, data: int) -> int:
    """The data, which has five axes as the weights and the result do."""
    numbers = (operator.input(data), operator.input(1), operator.outputs[0])
    if any(context.rank(number) != 5 for number in numbers):
        raise DamagedError(
            f"convolves {'x'.join(map(str, map(context.rank, numbers)))} axes by {operator.name}"
        )
    return numbers[0]


def _three(operator: Operator, slot: int, default: int = 0) -> list[int]:
    """Depth, height, width; the file has them as depth, width, height."""
    depth, width, height = (operator.integer(slot + i, default=default) for i in range(3))
    if min(depth, width, height) < 1 or max(depth, width, height) > 1 << 16:
        raise DamagedError(f"states a stride or dilation of {depth}×{height}×{width} for {operator.name}")
    return [depth, height, width]


def _pads(
    operator: Operator, given: tuple[int, ...], wanted: tuple[int, ...], size: tuple[int, ...],
    strides: list[int], dilations: list[int],
) -> list[int]:  # fmt: skip
    before, after = [], []
    for n, out, k, step, dilation in zip(given, wanted, size, strides, dilations, strict=True):
        total = (
            max((out - 1) * step + (k - 1) * dilation + 1 - n, 0)
            if operator.integer(0, "int8") == SAME
            else 0
        )
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


CONVERTERS = {"CONV_3D": conv_3d, "CONV_3D_TRANSPOSE": conv_3d_transpose}
