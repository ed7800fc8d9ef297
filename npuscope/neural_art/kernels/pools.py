"""Pooling and reductions: POOL accelerators, as far as their registers and windows go."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import is_float, is_read, on_cpu
from npuscope.neural_art.mapping.layout import pool_strides, pool_window, reduced_axes
from npuscope.neural_art.mapping.operators import AVERAGES
from npuscope.neural_art.mapping.shapes import has_rank, positions
from npuscope.neural_art.mapping.tiling import divisors
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement


def window(layer: Layer, context: Context) -> Iterator[Cause]:
    """Larger windows are taken in steps whose sizes divide them.

    An AveragePool has an integer kernel (six strips of dahuangelululu/dahuange111, 2.2); over a whole map of 50x11 a
    third party saw the float one, by whatever operator the mean is written.
    """
    sizes, limit = pool_window(layer), context.target.limits.pool_window_register
    if whole_square(layer, sizes) and context.target.toolchain.averages_any_square:
        return
    moves = layer.kind == "AveragePool" and not takes_all(layer)
    kernel = on_cpu(layer, context) if moves else Placement.SW_FLOAT
    for size in sizes or ():
        prime = largest_prime(size)
        if prime > limit:
            numbers = (("window", sizes or ()), ("size", size), ("prime", prime), ("limit", limit))
            yield Cause(Why.POOL_PRIME, kernel, numbers)
            return
    if layer.kind == "AveragePool" and sizes is not None and takes_strips(layer, sizes):
        yield Cause(Why.POOL_STRIP, Placement.SW_FLOAT, (("window", sizes),))


def whole_square(layer: Layer, sizes: tuple[int, ...] | None) -> bool:
    """A mean of a whole map that is as high as it is wide, whatever its factors.

    Five of 19x19, and three of 10x10 and one of 75x75, in one blob that the NPU runs alone (an SSDLite with MobileNetV3,
    Estadio-do-Dragao-app/STM32N6-GettingStarted-ObjectDetection, 4.0.0). inferred: what the next size with small factors adds
    are zeros, which the constant that an average is multiplied by leaves out.
    """
    square = sizes is not None and len(sizes) == 2 and len(set(sizes)) == 1
    return square and layer.kind in AVERAGES and takes_all(layer)


def takes_all(layer: Layer) -> bool:
    """The window is the whole map, height and width, whether these dimensions are kept or not."""
    if layer.kind in ("ReduceMean", "ReduceMax"):
        return reduced_axes(layer) == (2, 3)
    result = layer.output_dims
    return result is not None and positions(result) == 1


def takes_strips(layer: Layer, sizes: tuple[int, ...]) -> bool:
    """A window of one row or column that moves over the map; one over the whole map is a global average.

    1x4 with a stride of 1x4 over 1x1024 is a float kernel (FRIENDA256/stm32N6_AI, 2.2); no such window was seen on the NPU.
    """
    result = layer.output_dims
    if not has_rank(result, 3, 4) or len(sizes) != len(result) - 2:
        return False
    rows = (*sizes, 1)[:2]  # one dimension is a map of one column
    return positions(result) > 1 and min(rows) == 1 < max(rows)


def largest_prime(number: int) -> int:
    """The largest prime factor; 1 for 1, for what is not a size and for what no map has."""
    if not 1 <= number <= 1 << 20:
        return 1
    return next((d for d in divisors(number) if d > 1 and len(divisors(d)) == 2), 1)


def registers(layer: Layer, context: Context) -> Iterator[Cause]:
    """Strides and pads fit their fields, and there is no dilation and no output of indices."""
    result = layer.output_dims
    if result is None or len(result) < 3 or positions(result) == 1:
        return
    limits = context.target.limits
    strides, pads = pool_strides(layer), layer.core.integers("pads") or (0,)
    dilations = layer.core.integers("dilations") or (1,)
    if max(strides, default=1) > limits.pool_stride:
        what, value, limit = "stride", max(strides), limits.pool_stride
    elif max(pads, default=0) > limits.pool_pad:
        what, value, limit = "pads", max(pads), limits.pool_pad
    elif max(dilations, default=1) > 1:
        what, value, limit = "dilation", max(dilations), 1
    elif len(layer.outputs) > 1 and is_read(layer.outputs[1], context.graph):
        what, value, limit = "indices", 1, 0
    else:
        return
    numbers = (("what", what), ("value", value), ("limit", limit))
    yield Cause(Why.POOL_REGISTERS, on_cpu(layer, context), numbers)


def reduction(layer: Layer, context: Context) -> Iterator[Cause]:
    """Only a reduction of one or two axes other than the batch is a pooling."""
    dims, axes = layer.input_dims, reduced_axes(layer)
    if dims is None or axes is None or is_float(layer, context):
        return
    axes = tuple(a for a in axes if dims[a] > 1)
    if axes and (0 in axes or len(axes) > 2):
        yield Cause(Why.REDUCTION_OF_OTHER_AXES, on_cpu(layer, context), (("axes", axes),))
