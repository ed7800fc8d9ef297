"""L2_POOL_2D and LOCAL_RESPONSE_NORMALIZATION, of floats alone."""

from __future__ import annotations

from npuscope.tflite.context import Context, UnsupportedError
from npuscope.tflite.convolution import pads, pair
from npuscope.tflite.emit import emit
from npuscope.tflite.rare.chain import Chain
from npuscope.tflite.schema import Operator

MOST_RADIUS = 1 << 16


def l2_pool(context: Context, operator: Operator) -> None:
    """The root of the mean of squares; what the border would add is left out of the mean. Slots as of other pools."""
    source, number = operator.input(0), operator.outputs[0]
    _floats(context, operator)
    size, strides = pair(operator, 4, 3), pair(operator, 2, 1)
    border = pads(context, operator, size, strides, (1, 1), source)
    real, chain = context.read(source, True), Chain(context, operator)
    squares = chain.make("Mul", real, real)
    mean = chain.make("AveragePool", squares, kernel_shape=size, strides=strides, pads=border)
    emit(context, operator, "Sqrt", [mean], number, True, operator.integer(5, "int8"))


def local_response(context: Context, operator: Operator) -> None:
    """Slots: radius, bias, alpha, beta. ONNX divides alpha by the size of its window."""
    source, number = operator.input(0), operator.outputs[0]
    _floats(context, operator)
    radius = operator.integer(0)
    if not 0 <= radius <= MOST_RADIUS:
        raise UnsupportedError(f"normalizes over a radius of {radius}")
    size = 2 * radius + 1
    emit(
        context, operator, "LRN", [context.read(source, True)], number, True,
        size=size, bias=operator.real(1), alpha=operator.real(2) * size, beta=operator.real(3),
    )  # fmt: skip


def _floats(context: Context, operator: Operator) -> None:
    if context.tensor(operator.outputs[0]).dtype != "float32" or context.rank(operator.input(0)) != 4:
        raise UnsupportedError("works on other than maps of floats")


CONVERTERS = {"L2_POOL_2D": l2_pool, "LOCAL_RESPONSE_NORMALIZATION": local_response}
