"""Shape rules of windows that slide over data: convolutions and pools."""

from __future__ import annotations

from npuscope.model.inference.call import Answer, Call, size
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import Dim, TensorType


def window(
    call: Call,
    data: Shape | None,
    kernel: tuple[Dim, ...] | None,
    channels: Dim,
    dtype: str,
    ceil: bool = False,
) -> Answer:
    """The output of a window that slides over the sizes behind the first two."""
    if data is None or len(data) < 2:
        return TensorType(dtype, None)
    rank = len(data) - 2
    if kernel is None:
        kernel = (None,) * rank
    strides = call.node.integers("strides") or (1,) * rank
    dilations = call.node.integers("dilations") or (1,) * rank
    pads = call.node.integers("pads") or (0,) * (2 * rank)
    auto = call.node.text("auto_pad", "NOTSET")
    if not len(kernel) == len(strides) == len(dilations) == rank or len(pads) != 2 * rank:
        return TensorType(dtype, None)
    out: list[Dim] = []
    for i in range(rank):
        dim, taps, stride = data[2 + i], kernel[i], strides[i]
        if stride < 1 or not isinstance(dim, int):
            out.append(None)
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            out.append(size(-(-dim // stride)))
        elif not isinstance(taps, int):
            out.append(None)
        else:
            padded = dim + (0 if auto == "VALID" else pads[i] + pads[i + rank])
            out.append(_positions(padded, (taps - 1) * dilations[i] + 1, stride, ceil, dim + pads[i]))
    return TensorType(dtype, (data[0], channels, *out))


def _positions(padded: int, extent: int, stride: int, ceil: bool, begin: int) -> Dim:
    room = padded - extent
    if room < 0:
        return None
    steps = -(-room // stride) if ceil else room // stride
    if ceil and steps * stride >= begin:
        steps -= 1  # a last window that would begin in the padding behind is left out
    return size(steps + 1)


def conv(call: Call) -> Answer:
    return _conv(call, 0, 1, call.dtype())


def conv_integer(call: Call) -> Answer:
    return _conv(call, 0, 1, "int32")


def qlinear_conv(call: Call) -> Answer:
    return _conv(call, 0, 3, call.dtype(7))


def _conv(call: Call, data: int, weight: int, dtype: str) -> Answer:
    weights = call.shape(weight)
    kernel: tuple[Dim, ...] | None = call.node.integers("kernel_shape")
    if kernel is None and weights is not None:
        kernel = weights[2:]
    return window(call, call.shape(data), kernel, weights[0] if weights else None, dtype)


def deform_conv(call: Call) -> Answer:
    return _conv(call, 0, 1, call.dtype())


def conv_transpose(call: Call) -> Answer:
    data, weights = call.shape(0), call.shape(1)
    if data is None or len(data) < 3:
        return TensorType(call.dtype(), None)
    rank = len(data) - 2
    node = call.node
    kernel: tuple[Dim, ...] | None = node.integers("kernel_shape")
    if kernel is None:
        kernel = weights[2:] if weights is not None else (None,) * rank
    strides = node.integers("strides") or (1,) * rank
    dilations = node.integers("dilations") or (1,) * rank
    more = node.integers("output_padding") or (0,) * rank
    pads = node.integers("pads") or (0,) * (2 * rank)
    stated = node.integers("output_shape")
    lengths = (len(kernel), len(strides), len(dilations), len(more))
    if any(n != rank for n in lengths) or len(pads) != 2 * rank:
        return TensorType(call.dtype(), None)
    group = node.integer("group", 1)
    channels = size(weights[1] * group) if weights and isinstance(weights[1], int) else None
    auto = node.text("auto_pad", "NOTSET")
    out: list[Dim] = []
    for i in range(rank):
        dim, taps = data[2 + i], kernel[i]
        if stated is not None and len(stated) >= rank:
            out.append(size(stated[len(stated) - rank + i]))
        elif not isinstance(dim, int) or not isinstance(taps, int):
            out.append(None)
        elif auto in ("SAME_UPPER", "SAME_LOWER"):
            out.append(size(dim * strides[i]))
        else:
            pad = 0 if auto == "VALID" else pads[i] + pads[i + rank]
            out.append(size(strides[i] * (dim - 1) + more[i] + (taps - 1) * dilations[i] + 1 - pad))
    return TensorType(call.dtype(), (data[0], channels, *out))


def pool(call: Call) -> Answer:
    data = call.shape()
    shape = window(
        call, data, call.node.integers("kernel_shape"), data[1] if data and len(data) > 1 else None,
        call.dtype(), bool(call.node.integer("ceil_mode", 0)),
    )  # fmt: skip
    if call.node.op == "MaxPool" and isinstance(shape, TensorType):
        return (shape, TensorType("int64", shape.shape))
    return shape


def global_pool(call: Call) -> Answer:
    data = call.shape()
    if data is None or len(data) < 2:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:2], *(1 for _ in data[2:])))
