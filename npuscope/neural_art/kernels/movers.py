"""Concat, Transpose and Pad: a routine where the parts or the stream do not lie as they must."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import FLOATS, Layer, Operand
from npuscope.neural_art.kernels.streams import pads_channels, streams_rows, turns_channels
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.facts import folded_away, is_float, on_cpu
from npuscope.neural_art.mapping.layout import (
    CHANNELS_LAST,
    axis_of,
    comes_from_transpose,
    moves_values,
    outermost,
    pad_amounts,
)
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

HYBRID, HW = Placement.HYBRID, Placement.HW

SHARED_SINCE = "3.0"
"""Version from which a Concat of unequal parts is a routine only where a part is shared."""

ALIKE = 1e-3
"""Relative difference up to which two scales count as one. inferred: 0.1 % apart did (yolov8n_micro_224, once)."""


def concat(layer: Layer, context: Context) -> Iterator[Cause]:
    """Producers write at an offset, where the parts have a layout in common."""
    result, axis = (layer.output.dims if layer.output is not None else None), axis_of(layer)
    if result is None or axis is None or folded_away(layer) or is_float(layer, context):
        return
    if len(layer.inputs) < 2:
        return
    where = (("axis", axis), ("shape", result))
    if not outermost(result, axis):
        yield Cause(Why.CONCAT_INTERLEAVES, HYBRID, where)
    elif len(result) < 4 and sum(size > 1 for size in result) > 1 and comes_from_transpose(layer, context):
        yield Cause(Why.CONCAT_TURNED, HYBRID, where)
    elif len(result) == 4 and axis == 1:
        yield _channels(layer, context)


def _channels(layer: Layer, context: Context) -> Cause:
    """Up to 2.2 unequal parts have no batch in common; from 3.0 on a part that is shared keeps its own layout.

    A part that has the Concat's scale is not requantized, so it stays as its writer laid it out for its other readers.
    """
    parts = tuple(o.dims[1] if o.dims is not None else 0 for o in layer.inputs)
    numbers: tuple[tuple[str, int | str | tuple[int, ...]], ...] = (("parts", parts),)
    if len(set(parts)) == 1:
        return Cause(Why.CONCAT_IN_PLACE, HW, numbers)
    if not context.target.toolchain.at_least(SHARED_SINCE):
        return Cause(Why.CONCAT_UNEQUAL, HYBRID, numbers)
    for at, part in enumerate(layer.inputs):
        readers = len(context.layers.readers.get(part.tensor, ()))
        if part.constant is None and readers > 1 and same_scale(part, layer.output):
            return Cause(Why.CONCAT_SHARED, HYBRID, (*numbers, ("part", at), ("readers", readers)))
    return Cause(Why.CONCAT_IN_PLACE, HW, numbers)


def same_scale(one: Operand, other: Operand | None) -> bool:
    """Two tensors are stored with the same numbers, all but."""
    if other is None or one.quant is None or other.quant is None:
        return False
    if one.quant.per_channel or other.quant.per_channel or one.quant.zero != other.quant.zero:
        return False
    first, second = float(one.quant.scale.flat[0]), float(other.quant.scale.flat[0])
    return bool(np.isclose(first, second, rtol=ALIKE, atol=0))


def transpose(layer: Layer, context: Context) -> Iterator[Cause]:
    """Channels first and last are ways of writing; another order takes a routine, but for rows of a planar stream."""
    dims = layer.input.dims if layer.input is not None else None
    if dims is None or folded_away(layer):
        return
    perm = layer.core.integers("perm") or tuple(reversed(range(len(dims))))
    numbers = (("shape", dims), ("order", perm))
    if not moves_values(layer, context):
        yield Cause(Why.TRANSPOSE_WRITTEN, HW, numbers)
    elif streams_rows(layer, context.layers):
        yield Cause(Why.TRANSPOSE_STREAMED, HW, numbers)
    else:
        yield Cause(Why.TRANSPOSE_ROUTINE, HYBRID, numbers)


def pad(layer: Layer, context: Context) -> Iterator[Cause]:
    """Height and width are padded by a convolution; channels between two Transposes."""
    amounts = pad_amounts(layer)
    if amounts is None or folded_away(layer) or is_float(layer, context):
        return
    mode = layer.core.text("mode", "constant")
    if mode != "constant":
        yield Cause(Why.PAD_OTHER_MODE, on_cpu(layer, context), (("mode", mode[:20]),))
        return
    across = [axis for axis, pair in enumerate(amounts) if any(pair) and axis < 2]
    if not across:
        return
    numbers = (("axis", across[0]), ("added", sum(amounts[across[0]])))
    source = layer.input
    planar = (
        across == [1]
        and pads_channels(layer)
        and source is not None
        and turns_channels(source.tensor, CHANNELS_LAST, context.layers)
    )
    yield Cause(Why.PAD_STREAMED if planar else Why.PAD_CHANNELS, HW if planar else HYBRID, numbers)


def prelu(layer: Layer, context: Context) -> Iterator[Cause]:
    """With int8 slopes steps of ACTIV and ARITH; with float ones the int8 routine of the CPU."""
    if len(layer.inputs) < 2 or is_float(layer, context):
        return
    slopes = layer.inputs[1]
    if slopes.quant is not None or slopes.type.dtype not in FLOATS:
        return
    yield Cause(Why.PRELU_FLOAT_SLOPES, Placement.SW_INT, (("slopes", slopes.dims or ()),))
