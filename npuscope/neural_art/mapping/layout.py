"""Axes: how the compiler's four dimensions (batch, channels, height, width) see an operator that moves data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from npuscope.model.same_tensor import SAME_TENSOR
from npuscope.neural_art.mapping.operators import ACTIVATION, ARITHMETIC, POOLING
from npuscope.neural_art.mapping.shapes import has_rank, positions
from npuscope.npu.rule import Context

if TYPE_CHECKING:
    from npuscope.machine.machine import Target
    from npuscope.model.layers import Layer, Layers

CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
"""Operators that rename the dimensions of a tensor and leave its values where they are."""

RESHAPING = VIEWS - SAME_TENSOR
"""Those of them that give it other dimensions; ST's front end leaves the others out."""


def axis_of(layer: Layer, default: int = 0) -> int | None:
    """The axis a Concat, Split or the like works along, not negative; None where the rank is not known."""
    operand = layer.output if layer.kind in ("Concat", "QLinearConcat") else layer.input
    shape = operand.type.shape if operand is not None else None
    if shape is None or not shape:
        return None
    axis = layer.core.integer("axis", default)
    axis += len(shape) if axis < 0 else 0
    return axis if 0 <= axis < len(shape) else None


def outermost(dims: tuple[int, ...], axis: int) -> bool:
    """All dimensions left of the axis are 1: its parts are blocks that follow one another in memory."""
    return math.prod(dims[:axis]) == 1


MOST_FOLLOWED = 16
"""Operators before a tensor that are followed to the unit that wrote it, at most."""


_KEEPING = (
    ACTIVATION | ARITHMETIC | POOLING | {"BatchNormalization", "Concat", "Slice", "Split", "QuantizeLinear"}
)
"""Kinds that keep the layout of what they read, a QuantizeLinear that requantizes among them."""


def lies_channels_last(tensor: str, layers: Layers, target: Target) -> bool:
    """A map that a unit wrote as it liked, its channels innermost, so that rows are blocks of memory.

    What a Reshape made lies in the order that its dimensions say, unless it is laid anew, and so does an input of the network.
    A pooling, a Transpose that moves sizes of 1 only, and a Concat, Split or Slice keep what they read.
    """
    for _ in range(MOST_FOLLOWED):
        writer = layers.writers.get(tensor)
        result = writer.output_dims if writer is not None else None
        if writer is None or writer.input is None or not has_rank(result, 4) or result[0] != 1:
            return False
        if writer.kind in ("Conv", "ConvTranspose"):
            return True
        if _lays_anew(writer, target):
            tensor = writer.input.tensor
            continue
        kept = writer.kind == "Transpose" and permutation(writer) == (0, 1, 2, 3)
        if not kept and writer.kind not in _KEEPING:
            return False
        activations = [o for o in writer.inputs if o.constant is None]
        if not activations:
            return False
        tensor = activations[0].tensor
    return False


def laid_anew(reshape: Layer, layers: Layers, target: Target) -> bool:
    """A Reshape that a unit copies, as its map lies channels last: the copy writes the new channels innermost as well.

    The heads of the attention of a YOLO11n OBB (Wafleem/STM32N6-EdgeAI-CV, 4.0, network.c): of 256 channels at 10 x 10 a copy makes
    2 at 128 x 100, in batches of 2, and the Split of its rows moves nothing.
    """
    source = reshape.input
    return (
        source is not None
        and _lays_anew(reshape, target)
        and lies_channels_last(source.tensor, layers, target)
    )


def _lays_anew(reshape: Layer, target: Target) -> bool:
    """It would where its map lies channels last: both have four dimensions, channels and more than one place."""
    if reshape.kind not in RESHAPING or not target.toolchain.lays_reshapes_anew:
        return False
    before, after = reshape.input_dims, reshape.output_dims
    return (
        has_rank(before, 4)
        and has_rank(after, 4)
        and before != after
        and positions(before) > 1
        and after[1] > 1
    )


def sliced_axes(layer: Layer) -> tuple[int, ...] | None:
    """The axes along which a Slice takes less than everything; None where a shape is not known."""
    before = layer.input_dims
    after = layer.output_dims
    if before is None or after is None or len(before) != len(after):
        return None
    return tuple(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)


def permutation(layer: Layer) -> tuple[int, ...] | None:
    """A Transpose as an exchange of the compiler's four dimensions: (0, 2, 3, 1) is channels last.

    1. The identity where only dimensions of size 1 move.
    2. An exchange of two sizes is channels last, or first, where that is how its map lies before it or is read behind it,
       whichever dimensions of size 1 stand beside: columns with channels of a single row (two of two in LiSenNet,
       LarocheC/eco8-neaixt, 4.0.1). inferred: so are rows with channels of a single column.
    3. The exchange of the last two of three dimensions behind a batch of 1, or of both of two, is channels last.
    4. None where a shape is not known or the rank is above 4.
    """
    dims = layer.input_dims
    perm = layer.core.integers("perm")
    if dims is None:
        return None
    rank = len(dims)
    perm = tuple(reversed(range(rank))) if perm is None else perm
    if sorted(perm) != list(range(rank)):
        return None
    moved = [axis for axis in perm if dims[axis] > 1]
    if moved == sorted(moved):
        return (0, 1, 2, 3)
    if rank > 4:
        return None
    if perm == (1, 0) or (perm == (0, 2, 1) and dims[0] == 1):
        return CHANNELS_LAST
    if rank < 4:
        dims, perm = (1, *dims, 1)[:4], (0, *(axis + 1 for axis in perm), 3)[:4]
    if len(moved) == 2 and perm[0] == 0:
        before, after = _sizes(dims, range(4)), _sizes(dims, perm)
        if after.planes == before.last:
            return CHANNELS_LAST
        if after.last == before.planes:
            return CHANNELS_FIRST
    return perm


class _Sizes(NamedTuple):
    """Dimensions above 1, in the order in which a map holds them plane by plane, and with its channels last."""

    planes: tuple[int, ...]
    last: tuple[int, ...]


def _sizes(dims: tuple[int, ...], axes: Sequence[int]) -> _Sizes:
    """Of a map with these axes of another one, whose sizes are given."""
    planes, last = ([a for a in order if dims[a] > 1] for order in (axes[1:], (*axes[2:], axes[1])))
    return _Sizes(tuple(planes), tuple(last))


def moves_values(layer: Layer, context: Context) -> bool:
    """A Transpose that is more than another order of the compiler's own dimensions.

    The accelerators write channels last or first as they are asked to; any other order takes a DMA routine. Of two sizes
    beside ones:

    1. What a unit wrote has its channels innermost. Nothing moves where the result, in planes or channels last, has the sizes in
       that order: columns that become the channels of a single row do not (LiSenNet), channels that become its height
       do (birdnet-team/birdnet-stm32, 2.2: four of four builds count the routine).
    2. Turned back, it moves as little (LiSenNet, two of two).
    3. What else there is lies as its dimensions say: an input of the network (YamNets of 2.1, 2.2 and 4.0.1, all three by a routine).
    """
    perm, source = permutation(layer), layer.input
    if perm not in ((0, 1, 2, 3), CHANNELS_LAST, CHANNELS_FIRST):
        return True
    dims, stated = layer.input_dims, layer.core.integers("perm")
    if source is None or dims is None or stated is None or len(dims) != 4 or stated[0] != 0:
        return False
    if sum(size > 1 for size in dims) != 2:
        return False
    if lies_channels_last(source.tensor, context.layers, context.target):
        return _sizes(dims, range(4)).last not in _sizes(dims, stated)
    if left_in_planes(source.tensor, context):
        return _sizes(dims, range(4)).planes not in _sizes(dims, stated)
    return perm != (0, 1, 2, 3) and stated not in (CHANNELS_LAST, CHANNELS_FIRST)


def left_in_planes(tensor: str, context: Context) -> bool:
    """What a Transpose to channels last made without moving a value lies as its dimensions say, and so do activations behind it."""
    for _ in range(MOST_FOLLOWED):
        writer = context.layers.writers.get(tensor)
        if writer is None or writer.input is None:
            return False
        if writer.kind == "Transpose":
            return permutation(writer) == CHANNELS_LAST and lies_channels_last(
                writer.input.tensor, context.layers, context.target
            )
        if writer.kind not in ACTIVATION:
            return False
        tensor = writer.input.tensor
    return False


def reduced_axes(layer: Layer) -> tuple[int, ...] | None:
    """The axes of a ReduceMean and the like, sorted; all of them where it names none, unless it then does nothing. None where not known."""
    shape = layer.input.type.shape if layer.input is not None else None
    if shape is None:
        return None
    named = layer.core.integers("axes")
    if named is None and layer.parameters:
        constant = layer.parameters[0].constant
        if constant is None or constant.size > 8 or constant.dtype != "int64":
            return None
        named = tuple(int(axis) for axis in constant.array().reshape(-1))
    if not named and layer.core.integer("noop_with_empty_axes", 0):
        return ()
    axes = {axis + len(shape) if axis < 0 else axis for axis in named or range(len(shape))}
    return tuple(sorted(axes)) if all(0 <= axis < len(shape) for axis in axes) else None


def pool_window(layer: Layer) -> tuple[int, ...] | None:
    """Sizes a pooling layer works over, per dimension; None where they are not known."""
    dims = layer.input_dims
    if layer.kind in ("AveragePool", "MaxPool"):
        return layer.core.integers("kernel_shape")
    if dims is None:
        return None
    if layer.kind in ("GlobalAveragePool", "GlobalMaxPool"):
        return dims[2:]
    axes = reduced_axes(layer)
    return None if axes is None else tuple(dims[axis] for axis in axes)


def pool_strides(layer: Layer) -> tuple[int, ...]:
    """Strides of a pooling layer that has a kernel."""
    window = layer.core.integers("kernel_shape") or ()
    return layer.core.integers("strides") or (1,) * len(window)


def resize_factors(layer: Layer) -> tuple[float, ...] | None:
    """Size of the output over that of the input, per dimension."""
    before = layer.input_dims
    after = layer.output_dims
    if before is None or after is None or len(before) != len(after):
        return None
    return tuple(b / a for a, b in zip(before, after, strict=True))


def repeats(layer: Layer) -> bool:
    """A nearest Resize in the only form the NPU takes: each value is written several times."""
    if layer.core.text("mode", "nearest") != "nearest":
        return False
    if layer.core.op == "Upsample" or (layer.core.input(1) and not any(map(layer.core.input, (2, 3)))):
        return True  # opset 10 has the scales as the second input and no other form
    coordinates = layer.core.text("coordinate_transformation_mode", "half_pixel")
    return coordinates == "asymmetric" and layer.core.text("nearest_mode", "round_prefer_floor") == "floor"


def pad_amounts(layer: Layer) -> tuple[tuple[int, int], ...] | None:
    """(before, after) along each dimension of a Pad; None where a shape is not known.

    Where only the sum is known it is given as (0, sum).
    """
    before = layer.input_dims
    after = layer.output_dims
    if before is None or after is None or len(before) != len(after):
        return None
    rank = len(before)
    pads = stated_pads(layer, rank)
    if pads is not None:
        return tuple((pads[i], pads[i + rank]) for i in range(rank))
    return tuple((0, b - a) for a, b in zip(before, after, strict=True))


def stated_pads(layer: Layer, rank: int) -> tuple[int, ...] | None:
    """What a Pad states: amounts before each dimension, then those behind; from opset 18 on of some axes alone. None where not known."""
    pads = layer.core.integers("pads")
    if pads is None:
        pads = _numbers(layer, 1)
    axes = tuple(range(rank)) if not layer.core.input(3) else _numbers(layer, 3)
    if pads is None or axes is None or len(pads) != 2 * len(axes) or any(not -rank <= a < rank for a in axes):
        return None
    amounts = [0] * (2 * rank)
    for index, axis in enumerate(axes):
        amounts[axis % rank], amounts[axis % rank + rank] = pads[index], pads[index + len(axes)]
    return tuple(amounts)


def _numbers(layer: Layer, place: int) -> tuple[int, ...] | None:
    """Whole numbers that an operator takes as an input; None where they are not known."""
    name = layer.core.input(place)
    constant = next((o.constant for o in layer.parameters if name and o.seen == name), None)
    if constant is None or constant.size > MOST_NUMBERS or not constant.dtype.startswith("int"):
        return None
    return tuple(int(number) for number in constant.array().reshape(-1))


MOST_NUMBERS = 64
"""Numbers that say what an operator does to its dimensions, at most."""
