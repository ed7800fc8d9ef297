"""CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from npuscope.tflite.context import Context, UnscaledError, UnsupportedError
from npuscope.tflite.emit import activate, emit
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.schema import Constant, Operator, Quantization

SAME = 0


def conv_2d(context: Context, operator: Operator) -> None:
    """Slots of Conv2DOptions: padding, stride w, stride h, activation, dilation w, dilation h."""
    source, kernel, number = operator.input(0), _kernel(context, operator, 4), operator.outputs[0]
    size = kernel.array.shape[1:3]
    channels, depth = _channels(context, source), kernel.array.shape[3]
    if not channels or not depth or channels % depth or kernel.array.shape[0] % (channels // depth):
        raise DamagedError(
            f"convolves {channels} channels with a kernel of {depth} ('{context.tensor(source).name}')"
        )
    strides, dilations = _pair(operator, 2, 1), operator.dilations or _pair(operator, 5, 4, 1)
    weight = context.weight(operator.input(1), kernel.array.transpose(0, 3, 1, 2), 0, ("conv",), kernel.quant)
    inputs = [context.read(source, True), weight, *_bias(context, operator, kernel.quant)]
    emit(
        context, operator, "Conv", inputs, number, True, operator.integer(3, "int8"),
        kernel_shape=size, strides=strides, dilations=dilations, group=channels // depth,
        pads=pads(context, operator, size, strides, dilations, source),
    )  # fmt: skip


def depthwise_conv_2d(context: Context, operator: Operator) -> None:
    """Slots of DepthwiseConv2DOptions: padding, strides, multiplier, activation, dilations."""
    source, kernel, number = operator.input(0), _kernel(context, operator, 4, 3), operator.outputs[0]
    size, channels = kernel.array.shape[1:3], _channels(context, source)
    if kernel.array.shape[0] != 1 or not channels or kernel.array.shape[3] % channels:
        raise DamagedError(f"convolves each of {channels} channels with {kernel.array.shape[3]} kernels")
    strides, dilations = _pair(operator, 2, 1), operator.dilations or _pair(operator, 6, 5, 1)
    weight = context.weight(
        operator.input(1), kernel.array.transpose(3, 0, 1, 2), 0, ("depthwise",), kernel.quant
    )
    inputs = [context.read(source, True), weight, *_bias(context, operator, kernel.quant)]
    emit(
        context, operator, "Conv", inputs, number, True, operator.integer(4, "int8"),
        kernel_shape=size, strides=strides, dilations=dilations, group=channels,
        pads=pads(context, operator, size, strides, dilations, source),
    )  # fmt: skip


def transpose_conv(context: Context, operator: Operator) -> None:
    """Inputs: output shape, kernel (out, h, w, in), the tensor, bias. Slots: padding, strides, activation."""
    source, kernel, number = operator.input(2), _kernel(context, operator, 4, data=2), operator.outputs[0]
    size, strides = kernel.array.shape[1:3], _pair(operator, 2, 1)
    _channels(context, number)
    if kernel.array.shape[3] != _channels(context, source):
        raise DamagedError(
            f"convolves {_channels(context, source)} channels with a kernel of {kernel.array.shape[3]}"
        )
    before, after, extra = [], [], []
    for axis in (0, 1):
        natural = (context.shape(source)[1 + axis] - 1) * strides[axis] + size[axis]
        surplus = natural - context.shape(number)[1 + axis]
        if surplus < 0 and -surplus >= strides[axis]:
            raise DamagedError(
                f"writes {context.shape(number)[1 + axis]} values where {natural} are computed"
            )
        before.append(max(surplus, 0) // 2)
        after.append(max(surplus, 0) - max(surplus, 0) // 2)
        extra.append(max(-surplus, 0))
    weight = context.weight(
        operator.input(1), kernel.array.transpose(3, 0, 1, 2), 1, ("transposed",), kernel.quant
    )
    inputs = [context.read(source, True), weight, *_bias(context, operator, kernel.quant, 2, 3)]
    emit(
        context, operator, "ConvTranspose", inputs, number, True, operator.integer(3, "int8"),
        kernel_shape=size, strides=strides, pads=[*before, *after], output_padding=extra if any(extra) else None,
    )  # fmt: skip


def fully_connected(context: Context, operator: Operator) -> None:
    """A Gemm on rows. Slots of FullyConnectedOptions: activation, weights format, keep number of axes."""
    source, kernel, number = operator.input(0), _kernel(context, operator, 2), operator.outputs[0]
    if operator.integer(1, "int8"):
        raise UnsupportedError("stores its weights shuffled")
    outputs, depth = kernel.array.shape
    shape, input_shape = context.shape(number), context.shape(source)
    total = context.elements(input_shape)
    if not depth or total % depth:
        raise DamagedError(f"multiplies {total} values with rows of {depth}")
    rows, activation = (total // depth, outputs), operator.integer(0, "int8")
    if len(input_shape) == 2 and input_shape == (rows[0], depth):
        real = context.read(source)
    else:
        flat = context.fresh(f"{operator.name}_rows")
        context.reshape(context.same_sequence(source), flat, (rows[0], depth), f"{operator.name}_reshape")
        real = context.between(flat, source, f"{operator.name}_input", (rows[0], depth))
    weight = context.weight(operator.input(1), kernel.array, 0, ("rows",), kernel.quant)
    inputs = [real, weight, *_bias(context, operator, kernel.quant)]
    if shape == rows:
        emit(context, operator, "Gemm", inputs, number, False, activation, transB=1)
        return
    if context.elements(shape) != rows[0] * outputs:
        raise DamagedError(f"writes {rows[0]}×{outputs} values to a tensor of another size")
    made = context.fresh(f"{operator.name}_result")
    context.node("Gemm", inputs, [made], operator.name, transB=1)
    if activation:
        before, made = made, context.fresh(f"{operator.name}_activated")
        activate(context, operator, activation, before, made, number)
    made = context.between(made, number, f"{operator.name}_output", rows)
    result = context.write(number, False)
    context.reshape(made, result, shape, f"{operator.name}_shape")
    context.close(number, result, False)


def batch_matmul(context: Context, operator: Operator) -> None:
    """Slots of BatchMatMulOptions: adjoint of x, adjoint of y."""
    number = operator.outputs[0]
    inputs = [_factor(context, operator, position) for position in (0, 1)]
    emit(context, operator, "MatMul", inputs, number, False)


def _factor(context: Context, operator: Operator, position: int) -> str:
    source = operator.input(position)
    constant, rank = context.constant(source), context.rank(source)
    if not operator.flag(position) or rank < 2:
        return context.read(source, False)
    if constant is not None:
        axis = constant.quant.axis if constant.quant is not None else 0
        axis = {rank - 1: rank - 2, rank - 2: rank - 1}.get(axis, axis)
        return context.weight(source, constant.array.swapaxes(-1, -2), axis, ("adjoint",))
    name = context.fresh(f"{operator.name}_adjoint")
    shape = context.shape(source)
    perm = [*range(rank - 2), rank - 1, rank - 2]
    context.node("Transpose", [context.read(source, False)], [name], f"{name}_transpose", perm=perm)
    return context.between(name, source, f"{name}_stored", [shape[axis] for axis in perm])


def pads(
    context: Context,
    operator: Operator,
    size: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    source: int,
) -> list[int]:
    """Explicit pads of SAME (the smaller half before) and VALID; option slot 0."""
    if operator.pads is not None:
        return list(operator.pads)
    before, after = [], []
    for axis, extent in enumerate(context.shape(source)[1:3]):
        total = 0
        if operator.integer(0, "int8") == SAME:
            reach = (size[axis] - 1) * dilations[axis] + 1
            total = max((-(-extent // strides[axis]) - 1) * strides[axis] + reach - extent, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


def pair(operator: Operator, height: int, width: int, default: int = 0) -> tuple[int, int]:
    """Two option slots that must be positive."""
    return _pair(operator, height, width, default)


def _pair(operator: Operator, height: int, width: int, default: int = 0) -> tuple[int, int]:
    values = operator.integer(height, default=default), operator.integer(width, default=default)
    if min(values) < 1 or max(values) > 1 << 16:
        raise DamagedError(
            f"states a stride, dilation or window of {values[0]}×{values[1]} for {operator.name}"
        )
    return values


def _kernel(context: Context, operator: Operator, rank: int, axis: int = 0, data: int = 0) -> Constant:
    """The weights, whose scales lie along their axis of output channels.

    Beside floats, what old converters stored as uint8 is int8, and its zero point counts for nothing: so the kernels take it.
    """
    number = operator.input(1)
    kernel = context.constant(number)
    if kernel is None:
        raise UnsupportedError(_no_values(context, number))
    if kernel.quant is not None and kernel.quant.per_channel and kernel.quant.axis != axis:
        raise UnscaledError(
            f"has its weights' scales along axis {kernel.quant.axis}, not along the output channels, axis {axis}"
        )
    if kernel.array.ndim != rank or not kernel.array.size:
        raise DamagedError(f"states weights of {kernel.array.ndim} axes in '{context.tensor(number).name}'")
    quant = kernel.quant
    if quant is not None and kernel.array.dtype == np.uint8 and context.quant(operator.input(data)) is None:
        return Constant(
            kernel.array.view(np.int8), replace(quant, zero_point=np.zeros_like(quant.zero_point))
        )
    return kernel


def _no_values(context: Context, number: int) -> str:
    if context.written(number):
        return "reads weights that are computed at run time"
    tensor = context.tensor(number)
    what = "without values" if tensor.data is None else f"of {tensor.dtype}"
    return f"reads weights {what}, '{tensor.name[:120]}'"


def _channels(context: Context, number: int) -> int:
    shape = context.shape(number)
    if len(shape) != 4:
        raise DamagedError(f"convolves '{context.tensor(number).name}', which has {len(shape)} axes")
    return shape[3]


def _bias(
    context: Context, operator: Operator, kernel: Quantization | None, data: int = 0, position: int = 2
) -> list[str]:
    """The bias; the kernels add it to the sum of products, so its scale is theirs, whatever the file states."""
    number = operator.input(position)
    if number < 0:
        return []
    constant, source = context.constant(number), context.quant(operator.input(data))
    if constant is None:
        return [context.read(number)]
    bias = constant.array.reshape(-1)
    if source is None or kernel is None or bias.dtype.kind != "i":
        return [context.weight(number, bias, 0, ("bias",))]
    scale = (kernel.scale.astype(np.float64) * np.float64(source.scale[0])).astype(np.float32)
    if scale.size not in (1, bias.size):
        raise DamagedError(
            f"states {scale.size} scales for {bias.size} values of the bias of {operator.name}"
        )
    quant = Quantization(scale, np.zeros(scale.size, np.int64), 0)
    return [context.weight(number, bias, 0, ("bias", id(source), id(kernel)), quant)]
