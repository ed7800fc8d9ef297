"""Forms of operators the NPU runs that no compiled network shows and no document speaks of: placed like their usual form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.datatypes import SMALL_INTEGERS
from npuscope.neural_art.kernels.pools import largest_prime
from npuscope.neural_art.kernels.streams import comes_from_conv
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.layout import (
    axis_of,
    pad_amounts,
    pool_strides,
    pool_window,
    repeats,
    resize_factors,
)
from npuscope.npu.cause import Cause, Number
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement


def forms(layer: Layer, context: Context) -> Iterator[Cause]:
    """What of this layer has not been observed."""
    if folded_away(layer) or is_float(layer, context):
        return
    found: list[tuple[str, Number]] = [*_FORMS[layer.kind](layer, context), *_bias(layer)]
    for form, value in found:
        yield Cause(Why.FORM_UNSEEN, Placement.HW, (("form", form), ("value", value)))


def _bias(layer: Layer) -> Iterator[tuple[str, str]]:
    """ST's documentation gives biases as int32 and says nothing of smaller integers."""
    bias = layer.bias
    if bias is not None and bias.quant is not None and bias.quant.dtype in SMALL_INTEGERS:
        yield "bias", bias.quant.dtype


def _convolution(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    conv = convolution(layer)
    if conv is None or conv.group < 2:
        return
    if conv.depthwise:
        if conv.out_channels != conv.in_channels:
            yield "multiplier", conv.out_channels // conv.in_channels
    elif min(conv.kernel) == 1 < max(conv.kernel):
        yield "grouped_row", conv.group
    elif min(conv.kernel) > 1 and context.target.toolchain.grouped_kernels:
        yield "grouped_kernel", conv.group


def _transposed(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    group, dilations = layer.core.integer("group", 1), layer.core.integers("dilations") or (1,)
    if group > 1:
        yield "grouped_transposed", group
    if max(dilations) > 1:
        yield "dilated_transposed", max(dilations)


def _pad(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    least = min((n for pair in pad_amounts(layer) or () for n in pair), default=0)
    if least < 0:
        yield "negative", least


def _pooling(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    pads = max(layer.core.integers("pads") or (0,), default=0)
    if layer.kind == "AveragePool" and pads > 0 and not layer.core.integer("count_include_pad", 0):
        yield "uncounted", pads
    if layer.core.integer("ceil_mode", 0) and (beyond := _beyond(layer)) > 0:
        yield "ceil", beyond


def _beyond(layer: Layer) -> int:
    """Positions by which the last window of a pooling ends behind its padded map, at most."""
    before = layer.input_dims
    after = layer.output_dims
    window = layer.core.integers("kernel_shape") or ()
    if before is None or after is None or len(before) != len(window) + 2 or len(after) != len(before):
        return 0
    pads = layer.core.integers("pads") or (0,) * (2 * len(window))
    if len(pads) != 2 * len(window):
        return 0
    return max(
        (after[2 + k] - 1) * stride + size - before[2 + k] - pads[k] - pads[k + len(window)]
        for k, (size, stride) in enumerate(zip(window, pool_strides(layer), strict=False))
    )


def _gemm(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    dims = layer.input_dims
    if layer.core.op == "Gemm" and layer.core.integer("transA", 0) and dims is not None and min(dims) > 1:
        yield "turned", dims[0]


def _concat(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    result = layer.output_dims
    if result is None or len(layer.inputs) < 2:
        return
    if len(result) == 4 and axis_of(layer) == 0:
        yield "batches", result[0]
    parts = [o.dims[1] for o in layer.inputs if o.dims is not None and len(o.dims) == 3]
    unequal = len(result) == 3 and axis_of(layer) == 1 and result[2] > 1 and len(set(parts)) > 1
    # A Conv1d writes columns; what a Reshape made lies in rows, whose parts were seen.
    if unequal and any(comes_from_conv(o.tensor, context.layers) for o in layer.inputs if o.constant is None):
        yield "columns", len(layer.inputs)


def _maximum(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    """A window whose size has a large prime factor, of which an average is the CPU's; with stride 1 it is done in stages."""
    yield from _pooling(layer, context)
    before, after = (o.dims if o is not None else None for o in (layer.input, layer.output))
    if before is not None and before == after and set(pool_strides(layer)) == {1}:
        return
    limit = context.target.limits.pool_window_register
    large = [size for size in pool_window(layer) or () if largest_prime(size) > limit]
    if large:
        yield "prime", large[0]


def _repeats(layer: Layer, context: Context) -> Iterator[tuple[str, str]]:
    """Blocks of a DepthToSpace are squares."""
    factors = resize_factors(layer)
    if factors is None or len(factors) < 3 or not repeats(layer):
        return
    if factors[1] != 1 or len(set(factors[2:])) > 1:
        yield "uneven", " x ".join(f"{factor:g}" for factor in factors[1:])


def _prelu(layer: Layer, context: Context) -> Iterator[tuple[str, int]]:
    if len(layer.inputs) > 1 and layer.inputs[1].constant is None:
        yield "slopes", 0


def _training(layer: Layer, context: Context) -> Iterator[tuple[str, str]]:
    """A BatchNormalization of the data of each run, a Dropout that drops: exported in training mode."""
    node, does = layer.core, "takes mean and variance from the data of each run"
    if layer.kind == "Dropout":
        mode = context.graph.value(node.input(2), 1) if node.input(2) else None
        on, does = mode is not None and bool(mode.any()), "drops values at random"
    else:
        on = bool(node.integer("training_mode", 0))
    if on:
        yield "training", does


_FORMS: Mapping[str, Callable[[Layer, Context], Iterator[tuple[str, Number]]]] = {
    "BatchNormalization": _training,
    "Dropout": _training,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Pad": _pad,
    "AveragePool": _pooling,
    "MaxPool": _maximum,
    "Resize": _repeats,
    "Upsample": _repeats,
    "Gemm": _gemm,
    "Concat": _concat,
    "PRelu": _prelu,
}
KINDS = frozenset(_FORMS)
