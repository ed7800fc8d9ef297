"""Operators that move values: a routine where the parts or the stream do not lie as they must."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.rows import joins_rows, takes_blocks
from npuscope.neural_art.kernels.streams import (
    hands_planes,
    laid_in_planes,
    pads_channels,
    streams_rows,
    turns_channels,
)
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import is_float, moves_bare_floats, on_cpu, swallowed
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.layout import (
    CHANNELS_LAST,
    axis_of,
    moves_values,
    outermost,
    pad_amounts,
    repeats,
    resize_factors,
    sliced_axes,
)
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.neural_art.mapping.shapes import positions
from npuscope.neural_art.mapping.sizes import FLOAT_BYTES
from npuscope.neural_art.mapping.type_borders import changed_types, divides_float_input
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

HYBRID, HW = Placement.HYBRID, Placement.HW

COMMON_BATCH = 8
"""Channels at a time that unequal parts have in common where they are joined in place, up to 2.2."""

CACHE_LINE = 32
"""Bytes of one of the Cortex-M55."""


def concat_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Producers write at an offset, where the parts have a layout in common."""
    result, axis = layer.output_dims, axis_of(layer)
    if len(layer.inputs) > 1 and moves_bare_floats(layer, context.layers) and not folded_away(layer):
        yield Cause(Why.FLOATS_COPIED, HW)
        return
    if result is None or axis is None or folded_away(layer) or is_float(layer, context):
        return
    if len(layer.inputs) < 2 or swallowed(layer, context.layers):
        return
    where = (("axis", axis), ("shape", result))
    constant_at = [index for index, part in enumerate(layer.inputs) if part.constant is not None]
    if not outermost(result, axis) and not joins_rows(layer, context):
        yield Cause(Why.CONCAT_INTERLEAVES, HYBRID, where)
    elif constant_at:
        yield Cause(Why.CONCAT_CONSTANT, HYBRID, (*where, ("part", constant_at[0])))
    elif len(result) == 4 and axis == 1:
        yield _channels(layer, context)


def _channels(layer: Layer, context: Context) -> Cause:
    """Up to 2.2 unequal parts seldom have a batch in common but that of planes; from 3.0 on a shared part keeps its own layout.

    1. Up to 2.2 parts of the Concat's scale that nobody else reads are joined in place where eight channels at a time fit all
       of them: both of FaceNet (2.2: 384, 256, 256; 384, 256, 256, 896), none of 64 and 3, 64 and 4, 12, 3 and 3 (15 of 15).
       inferred: the eight; the divisors seen are 4 and 128.
    2. A part that has the Concat's scale is not requantized, so it stays as its writer laid it out for its other readers; or as
       the CPU wrote it, which knows one layout (32 and 16 channels, the first by a bilinear Resize: a gauge reader, 4.0.0).
    3. Vectors lie the same in every batch: unequal ones of three dimensions are joined in place (blazeface_front_128, 2.1).
       inferred: so are the channels of maps of one position.
    """
    parts = tuple(o.dims[1] if o.dims is not None else 0 for o in layer.inputs)
    numbers: tuple[tuple[str, int | str | tuple[int, ...]], ...] = (("parts", parts),)
    result = layer.output_dims
    if len(set(parts)) == 1 or (result is not None and positions(result) == 1):
        return Cause(Why.CONCAT_IN_PLACE, HW, numbers)
    if all(part.constant is None and laid_in_planes(part.tensor, context.layers) for part in layer.inputs):
        return Cause(Why.CONCAT_PLANES, HW, numbers)
    written = layer.output.quant if layer.output is not None else None
    if not context.target.toolchain.joins_unequal_parts:
        kept = all(
            len(context.layers.readers.get(part.tensor, ())) == 1 and stored_alike(part.quant, written)
            for part in layer.inputs
        )
        if kept and math.gcd(*parts) >= COMMON_BATCH:
            return Cause(Why.CONCAT_IN_PLACE, HW, numbers)
        return Cause(Why.CONCAT_UNEQUAL, HYBRID, numbers)
    for index, part in enumerate(layer.inputs):
        if part.constant is not None or not stored_alike(part.quant, written):
            continue
        readers = len(context.layers.readers.get(part.tensor, ()))
        if readers > 1:
            return Cause(Why.CONCAT_SHARED, HYBRID, (*numbers, ("part", index), ("readers", readers)))
        writer = context.layers.writers.get(part.tensor)
        if writer is not None and writer.kind == "Resize" and _by_cpu(writer, context):
            return Cause(Why.CONCAT_CPU_PART, HYBRID, (*numbers, ("part", index)))
    return Cause(Why.CONCAT_IN_PLACE, HW, numbers)


def _by_cpu(resize: Layer, context: Context) -> bool:
    """It interpolates, which no unit and no routine does."""
    return any(cause.placement.on_cpu for cause in resize_causes(resize, context))


def transpose_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Channels first and last are ways of writing; another order takes a routine, but for rows of a planar stream."""
    dims = layer.input_dims
    if dims is None or folded_away(layer):
        return
    if moves_bare_floats(layer, context.layers) and moves_values(layer, context):
        yield Cause(Why.FLOATS_COPIED, HW)
        return
    perm = layer.core.integers("perm") or tuple(reversed(range(len(dims))))
    numbers = (("shape", dims), ("order", perm))
    if not moves_values(layer, context):
        yield Cause(Why.TRANSPOSE_WRITTEN, HW, numbers)
    elif streams_rows(layer, context.layers):
        yield Cause(Why.TRANSPOSE_STREAMED, HW, numbers)
    else:
        yield Cause(Why.TRANSPOSE_ROUTINE, HYBRID, numbers)


def pad_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Height and width are padded by a convolution; channels between two Transposes.

    From ONNX these are changes between channels first and last, of which the second is a way of writing. From TFLite they
    exchange rows: the second, behind a CONV, is a routine, the first unless a unit streams planes (22 of 22 in a build of
    blazeface by roadtothewest/ProyectoIPD439, Core 2.2, as in blazeface_128).
    """
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
    source = layer.input.tensor if layer.input is not None and across == [1] and pads_channels(layer) else ""
    if source and context.graph.tflite:
        routines = 1 if hands_planes(source, context.layers) else 2
        yield Cause(Why.PAD_ROWS, HYBRID, (*numbers, ("routines", routines)))
    elif source and turns_channels(source, CHANNELS_LAST, context.layers):
        yield Cause(Why.PAD_STREAMED, HW, numbers)
    else:
        yield Cause(Why.PAD_CHANNELS, HYBRID, numbers)


def cast_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Integers become floats, or floats integers, in a routine; a change of width alone is none of its business."""
    types = changed_types(layer, context)
    if types is not None:
        yield Cause(Why.CAST_ROUTINE, HYBRID, (("from", types[0]), ("to", types[1])))


def parts(layer: Layer, context: Context) -> Iterator[Cause]:
    """Parts of a Split or Slice are read at an offset where they are blocks of memory."""
    dims = layer.input_dims
    if folded_away(layer):
        return
    if layer.kind == "Slice" and (step := _step(layer, context)) is not None:
        yield Cause(Why.SLICE_STEPS, on_cpu(layer, context), (("step", step),))
        return  # the routine copies parts without steps; where they lie decides nothing more
    if dims is None:
        return
    if layer.kind == "Split":
        axis = axis_of(layer)
        axes: tuple[int, ...] = (axis,) if axis is not None and len(layer.outputs) > 1 else ()
    else:
        axes = sliced_axes(layer) or ()
    if axes and divides_float_input(layer, context):
        yield Cause(Why.SPLIT_FLOAT_INPUT, HYBRID, (("axis", axes[0]), ("shape", dims)))
        return
    if (bytes_of_part := _unaligned(layer, context)) is not None:
        yield Cause(Why.SPLIT_UNALIGNED, HYBRID, (("bytes", bytes_of_part),))
        return
    inner = [axis for axis in axes if not outermost(dims, axis)]
    if len(inner) == 1 and takes_blocks(layer, inner[0], context):
        return
    if inner:
        yield Cause(Why.SPLIT_INTERLEAVES, HYBRID, (("axis", inner[0]), ("shape", dims)))


def _unaligned(layer: Layer, context: Context) -> int | None:
    """Bytes of a part of float rows that ends within a cache line, up to 2.2.

    inferred: 64 + 1 rows of 8,400 bytes take a routine, 2 + 2 of as many a copy (s1f102300638/stm32n6570-2-, 2.2); heads of 900 bytes
    take one too, those of 960 a copy (transformer_128, 2.2).
    """
    dims = layer.input_dims
    if layer.kind != "Split" or dims is None or len(dims) != 3 or not outermost(dims, 1):
        return None
    if axis_of(layer) != 1 or not context.target.toolchain.copies_float_parts:
        return None
    if not all(o.bare for o in (*layer.inputs, *layer.outputs)):
        return None
    parts = (FLOAT_BYTES * math.prod(o.dims) for o in layer.outputs if o.dims is not None)
    return next((size for size in parts if size % CACHE_LINE), None)


def _step(layer: Layer, context: Context) -> int | None:
    """A step of a Slice other than 1."""
    name = layer.core.input(4)
    steps = context.graph.value(name, 16) if name else None
    if steps is None or steps.dtype.kind not in "iu":
        return None
    return next((int(step) for step in steps.reshape(-1) if step != 1), None)


def resize_causes(layer: Layer, context: Context) -> Iterator[Cause]:
    """Nearest by whole factors is copies and a DepthToSpace; the rest has no unit."""
    factors = resize_factors(layer)
    if is_float(layer, context) or (factors is not None and all(f == 1 for f in factors)):
        return
    mode = layer.core.text("mode", "nearest")
    if mode == "nearest" and repeats(layer) and factors and all(f == int(f) >= 1 for f in factors):
        yield Cause(Why.RESIZE_REPEATS, HYBRID)
        return
    in_integers = mode in ("nearest", "linear", "bilinear")
    kernel = on_cpu(layer, context) if in_integers else Placement.SW_FLOAT
    yield Cause(Why.RESIZE_OTHER, kernel, (("mode", mode[:20]),))


def depth_and_space(layer: Layer, context: Context) -> Iterator[Cause]:
    """No accelerator exchanges channels with positions; the routine knows the order DCR."""
    block = layer.core.integer("blocksize", 2)
    if is_float(layer, context) or block == 1:
        return
    if layer.kind == "DepthToSpace" and layer.core.text("mode", "DCR") == "CRD":
        yield Cause(Why.PIXEL_SHUFFLE, on_cpu(layer, context), (("block", block),))
    else:
        yield Cause(Why.DEPTH_TO_SPACE, HYBRID, (("block", block),))
