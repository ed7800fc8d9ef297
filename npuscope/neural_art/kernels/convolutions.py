"""Convolutions: accelerators, with routines around them where features must be brought together, or the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.neural_art.kernels.fields import beyond_fields
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.capacity import narrow_submasks, row_too_wide, submasks
from npuscope.neural_art.mapping.floats import is_float, on_cpu
from npuscope.neural_art.mapping.gathering import block, dilated, steps_unevenly
from npuscope.neural_art.mapping.tiling import choose, simd_mode
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.npu.cause import Cause
from npuscope.npu.cost import Tiling
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.layers import Layer


DILATED_TAPS = 3
"""Taps, along a dimension, up to which dilated features of several channels are brought together.

A streaming TCN has twenty of 1x3, dilated by 2 to 32, and no epoch in software of 208, another of ten 1x5 has 53, where routines
around a float kernel would make 105 (mikekss/tymbal, 4.0). So say LarocheC/eco8-neaixt's notes (4.0.1). inferred: four, and two
dimensions, were not seen; up to 2.2 kernels of 5x5 have routines around them (gg-cnn).
"""


def operands(layer: Layer, context: Context) -> Iterator[Cause]:
    """Weights and bias are constants of the stream engines."""
    if layer.weight is None:
        if len(layer.inputs) > 1:
            yield _without_weights(layer, context)
        return
    if layer.kind == "MatMul":
        yield from _matrix(layer, context)
        return
    computed = layer.bias is not None and layer.bias.constant is None
    added = layer.kind == "Gemm" and len(layer.inputs) > 1
    if computed or added:
        yield Cause(Why.COMPUTED_BIAS, on_cpu(layer, context))


def _without_weights(layer: Layer, context: Context) -> Cause:
    """Why a product has no constant weights: it has them elsewhere, they are not folded, or both are activations."""
    placement = on_cpu(layer, context)
    first, second = layer.inputs[:2]
    if layer.kind == "Gemm" and first.constant is not None:
        return Cause(Why.WEIGHTS_FIRST, placement)
    from npuscope.model.validity.foreign import unfolded  # with onnx behind it, which no convolution needs

    keeps = unfolded(context.graph, second.tensor)
    if keeps is not None:
        return Cause(Why.WEIGHTS_UNFOLDED, placement, (("node", keeps.name),))
    return Cause(Why.PRODUCT_OF_ACTIVATIONS, placement, (("heads", _matrices(layer)),))


def _matrix(layer: Layer, context: Context) -> Iterator[Cause]:
    """The constant of a MatMul: one matrix, as the second operand."""
    weight = layer.weight
    if weight is None or weight.constant is None:
        return
    batches = math.prod(weight.constant.shape[:-2])
    if layer.core.input(0) == weight.seen or (layer.qoperator and layer.core.input(0) == weight.tensor):
        yield Cause(Why.WEIGHTS_FIRST, on_cpu(layer, context))
    elif batches > 1:
        yield Cause(Why.WEIGHTS_OF_BATCHES, on_cpu(layer, context), (("batches", batches),))


def _matrices(layer: Layer) -> int:
    result = layer.output_dims
    return math.prod(result[:-2]) if layer.kind == "MatMul" and result and len(result) > 2 else 1


class Sized(NamedTuple):
    """A convolution by its sizes, and what else its kernel is chosen by; `cpu` is where it runs if no accelerator takes it."""

    kind: str
    conv: Convolution
    zero_point: int | None
    quantized: bool
    cpu: Placement
    target: Target


def by_sizes(layer: Layer, context: Context) -> Iterator[Cause]:
    """What the sizes of a convolution decide."""
    conv = convolution(layer)
    if conv is not None:
        zero_point, cpu = input_zero_point(layer), on_cpu(layer, context)
        yield from _once(Sized(layer.kind, conv, zero_point, layer.quantized, cpu, context.target))


def of_sizes(sized: Sized, *shapes: tuple[int, ...]) -> tuple[Cause, ...]:
    """The causes of a convolution without a layer, which nothing but sizes keeps off the accelerators; `shapes` are its activations'."""
    return (*beyond_fields(sized.kind, shapes, sized.target.limits, lambda: sized.cpu), *_by_sizes(sized))


@lru_cache(maxsize=1 << 14)
def _once(sized: Sized) -> tuple[Cause, ...]:
    """A model repeats its convolutions, an edit leaves most as they are."""
    return tuple(_by_sizes(sized))


def _by_sizes(sized: Sized) -> Iterator[Cause]:
    yield from _tiling(sized)
    if sized.kind == "Conv":
        yield from _rearranged(sized)


def _single_values(sized: Sized, tiling: Tiling | None) -> Iterator[Cause]:
    """Accelerators are given no single value at a time: neither as the whole map nor, where channels divide no other way, one after another.

    A row of 41 features with a zero point takes 41 rounds of one channel: a float Conv between accelerators (an MLP for network
    intrusions, 3.0). Rows of 13 and of 40 are read as a whole (3.0; 2.2), 257 take no tiling at all, 113 were on the NPU with 2.1.
    """
    conv = sized.conv
    numbers = (("outputs", conv.out_channels), ("channels", conv.in_channels))
    if conv.in_channels == 1:
        yield Cause(Why.CONV_SINGLE_VALUE, sized.cpu, numbers)
    elif (
        sized.target.toolchain.leaves_single_values
        and tiling is not None
        and tiling.batch_depth * tiling.accelerators == 1
        and tiling.iterations > 1
    ):
        yield Cause(Why.CONV_SINGLE_VALUE, Placement.SW_FLOAT, numbers)


def _tiling(sized: Sized) -> Iterator[Cause]:
    """Channels must be cut in parts that the accelerators count, and kernels in parts that they hold."""
    conv, target = sized.conv, sized.target
    tiling = choose(conv, simd_mode(sized.zero_point), target) if sized.quantized else None
    if sized.quantized and tiling is None:
        yield Cause(
            Why.CONV_UNTILED, Placement.SW_INT, (("channels", conv.in_channels // max(conv.group, 1)),)
        )
    alone = conv.kernel == (1, 1) and conv.input_size == (1, 1) and conv.group == 1
    if alone and sized.kind != "ConvTranspose":
        yield from _single_values(sized, tiling)
    if sized.kind != "Conv":
        return
    narrow = narrow_submasks(conv, target)
    if narrow:
        parts = len(submasks(conv, target))
        numbers = (("kernel", conv.kernel), ("parts", parts), ("narrow", len(narrow)))
        yield Cause(Why.CONV_NARROW_PARTS, Placement.SW_FLOAT, numbers)
    if row_too_wide(conv, target):
        yield Cause(
            Why.CONV_WIDE_ROW, Placement.SW_FLOAT, (("kernel", conv.kernel), ("channels", conv.in_channels))
        )
    grouped = conv.group > 1 and not conv.depthwise and min(conv.kernel) > 1
    if grouped and not target.toolchain.grouped_kernels:
        numbers = (("kernel", conv.kernel), ("groups", conv.group), ("each", conv.in_channels // conv.group))
        yield Cause(Why.CONV_GROUPED, Placement.SW_FLOAT, numbers)


def _rearranged(sized: Sized) -> Iterator[Cause]:
    """Dilation and odd strides: routines stand around a convolution that the accelerators run."""
    conv, toolchain = sized.conv, sized.target.toolchain
    if not sized.quantized:
        return
    if dilated(conv) > 1:
        # What is brought together are groups with the same weights: float kernels take them, and accelerators those of a row.
        shared = not conv.depthwise and conv.in_channels > 1
        long = max(conv.kernel) > DILATED_TAPS and toolchain.leaves_long_dilated
        left = sized.cpu if long else Placement.SW_FLOAT if min(conv.kernel) > 1 else Placement.HW
        placement = left if shared else Placement.HW
        yield Cause(Why.CONV_DILATED, placement, (("dilation", dilated(conv)), ("shared", int(shared))))
    limit, size = sized.target.limits.conv_stride, ("stride", conv.stride)
    if max(conv.stride) > limit:
        yield Cause(Why.CONV_STRIDE, sized.cpu, (size, ("limit", limit)))
    elif steps_unevenly(conv) and toolchain.leaves_uneven_strides:
        yield Cause(Why.CONV_UNEVEN, sized.cpu, (size,))
    elif block(conv):
        taps = conv.in_channels * block(conv) ** 2
        yield Cause(Why.CONV_BLOCKS, Placement.HW, (size, ("block", block(conv)), ("channels", taps)))


def spread(layer: Layer, context: Context) -> Iterator[Cause]:
    """A ConvTranspose with a stride: zeros are put between the values by routines."""
    strides = layer.core.integers("strides") or (1, 1)
    if layer.weight is not None and max(strides) > 1 and not is_float(layer, context):
        yield Cause(Why.CONV_SPREAD, Placement.HYBRID, (("stride", strides),))
