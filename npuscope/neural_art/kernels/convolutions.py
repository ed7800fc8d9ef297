"""Convolutions: accelerators, with routines around them where features must be brought together, or the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.facts import geometry, on_cpu
from npuscope.neural_art.mapping.gathering import block, dilated
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement


def rearranged(layer: Layer, context: Context) -> Iterator[Cause]:
    """Dilation and odd strides: routines stand around a convolution that the accelerators run."""
    conv = geometry(layer)
    if conv is None or not layer.quantized:
        return
    if layer.kind == "Conv" and dilated(conv) > 1:
        yield Cause(Why.CONV_DILATED, Placement.HW, (("dilation", dilated(conv)),))
    limit, size = context.target.limits.conv_stride, ("stride", conv.stride)
    if max(conv.stride) > limit:
        yield Cause(Why.CONV_STRIDE, on_cpu(layer, context), (size, ("limit", limit)))
    elif layer.kind == "Conv" and block(conv):
        taps = conv.in_channels * block(conv) ** 2
        yield Cause(Why.CONV_BLOCKS, Placement.HW, (size, ("block", block(conv)), ("channels", taps)))
