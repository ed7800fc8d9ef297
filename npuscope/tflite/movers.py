"""Operators that only move values: RESHAPE and its like, TRANSPOSE, slices, splits, concatenations."""

from __future__ import annotations

import numpy as np

from npuscope.tflite.context import Context, UnsupportedError
from npuscope.tflite.emit import emit, follows
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.layout import arranged, axis_of, channels_first, order_free, without
from npuscope.tflite.schema import Operator


def reshape(context: Context, operator: Operator) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: to the output's shape.

    1. Channels first stay so where batch and channels are kept, or where both orders hold the same sequence.
    2. What comes from a map is turned to channels first behind it, whatever its axes mean: ST's front end takes the last
       axis of three or four for the channels (ssd_mobilenet_v1_256, blazeface_128; yolov8_face, where it is not). So is a map made
       of an input of the network: parts of its channels take no routine (birdnet-team/birdnet-stm32, 2.2, three builds).
    """
    source, number = operator.input(0), operator.outputs[0]
    input_shape, wanted = context.shape(source), context.shape(number)
    if context.elements(input_shape) != context.elements(wanted):
        raise DamagedError(f"reshapes {context.elements(input_shape)} values to {context.elements(wanted)}")
    if input_shape == wanted and context.alias(number, source, context.cf(source)):
        return
    channels_first_now = context.cf(source)
    same_ends = len(wanted) > 2 and input_shape[:1] == wanted[:1] and input_shape[-1:] == wanted[-1:]
    if channels_first_now and same_ends:
        real, cf = context.read(source), True
    else:
        real = context.same_sequence(source)
        cf = order_free(wanted) and (len(wanted) == 4 or (len(wanted) == 3 and source in context.of_maps))
    target = context.initializer(f"{operator.name}_shape", np.array(arranged(wanted, cf), np.int64))
    emit(context, operator, "Reshape", [real, target], number, cf)
    if not cf and (
        (source in context.of_maps and len(wanted) in (3, 4))
        or (number in context.wanted and len(wanted) == 4)
    ):
        context.turn(number)


def transpose(context: Context, operator: Operator) -> None:
    """Nothing where the order asked for is the order held."""
    source, number = operator.input(0), operator.outputs[0]
    perm, rank = context.integers(operator.input(1)), context.rank(source)
    perm = [axis_of(axis, rank, False) for axis in perm]
    if sorted(perm) != list(range(rank)):
        raise DamagedError(f"states the permutation {perm} of {rank} axes")
    channels_first_now = context.cf(source)
    position = [axis_of(axis, rank, channels_first_now) for axis in range(rank)]
    orders = {
        cf: [position[perm[axis]] for axis in (channels_first(rank) if cf else range(rank))]
        for cf in (False, True)
    }
    straight = [cf for cf in (False, True) if orders[cf] == list(range(rank))]
    if straight:
        cf = straight[0]
        if not context.alias(number, source, cf):
            emit(context, operator, "Identity", [context.read(source)], number, cf)
        return
    cf = rank > 2 and perm[0] == 0 and (channels_first_now or source in context.of_maps)
    emit(context, operator, "Transpose", [context.read(source)], number, cf, perm=orders[cf])


def concatenation(context: Context, operator: Operator) -> None:
    """Slots: axis, activation."""
    number = operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(number)
    axis = axis_of(operator.integer(0), rank, cf)
    inputs = [context.operand(source, rank, cf) for source in operator.inputs]
    if any(context.rank(source) != rank for source in operator.inputs):
        raise DamagedError(f"joins tensors of different ranks in {operator.name}")
    emit(context, operator, "Concat", inputs, number, cf, operator.integer(1, "int8"), axis=axis)


def split(context: Context, operator: Operator) -> None:
    """SPLIT (axis, tensor) into equal parts, SPLIT_V (tensor, sizes, axis) into those of its outputs."""
    first, second = (1, 0) if operator.kind == "SPLIT" else (0, 2)
    source, axes = operator.input(first), context.integers(operator.input(second))
    if len(axes) != 1:
        raise DamagedError(f"states {len(axes)} axes for {operator.name}")
    rank, cf = context.rank(source), context.cf(source)
    axis = axis_of(axes[0], rank, False)
    if any(context.rank(number) != rank for number in operator.outputs):
        raise DamagedError(f"splits {rank} axes into a different number in {operator.name}")
    sizes = np.array([context.shape(number)[axis] for number in operator.outputs], np.int64)
    parts = context.initializer(f"{operator.name}_sizes", sizes)
    results = [context.write(number, cf) for number in operator.outputs]
    context.node("Split", [context.read(source), parts], results, operator.name, axis=axis_of(axis, rank, cf))
    for number, result in zip(operator.outputs, results, strict=True):
        context.close(number, result, cf)


def slice_(context: Context, operator: Operator) -> None:
    """Operands: begin, size (-1: to the end)."""
    source = operator.input(0)
    shape = context.shape(source)
    begins, sizes = context.integers(operator.input(1)), context.integers(operator.input(2))
    if len(begins) != len(shape) or len(sizes) != len(shape):
        raise DamagedError(f"slices {len(shape)} axes with {len(begins)} start positions in {operator.name}")
    ends = [
        extent if size < 0 else begin + size for begin, size, extent in zip(begins, sizes, shape, strict=True)
    ]
    _sliced(context, operator, begins, ends, [1] * len(shape), [])


def strided_slice(context: Context, operator: Operator) -> None:
    """Operands: begin, end, strides. Slots: masks of begin, end, ellipsis, new axis, shrink axis; offset."""
    source = operator.input(0)
    shape = context.shape(source)
    begins, ends, steps = (context.integers(operator.input(position)) for position in (1, 2, 3))
    no_begin, no_end, _, new, shrink = (operator.integer(slot) for slot in range(5))
    if 0 in steps:
        raise DamagedError(f"steps by 0 in {operator.name}")
    if not len(begins) == len(ends) == len(steps):
        raise DamagedError(f"slices with {len(begins)} starts and {len(ends)} ends in {operator.name}")
    taken = _axes_of(operator, len(shape), len(begins))
    first, last, step_of = [0] * len(shape), list(shape), [1] * len(shape)
    shrunk = []
    for position, axis in taken.items():
        bit, extent, step = 1 << position, shape[axis], steps[position]
        begin, end = begins[position], ends[position]
        if operator.flag(5):
            end += begin
        if shrink & bit:
            begin %= max(extent, 1)
            end, step = begin + 1, 1
            shrunk.append(axis)
        else:
            if no_begin & bit:
                begin = 0 if step > 0 else extent - 1
            if no_end & bit:
                end = extent if step > 0 else -(extent + 1)
        first[axis], last[axis], step_of[axis] = begin, end, step
    _sliced(context, operator, first, last, step_of, shrunk, bool(new & (1 << len(begins)) - 1))


def _axes_of(operator: Operator, rank: int, count: int) -> dict[int, int]:
    """Position in the operands of a STRIDED_SLICE -> the axis it is of; none for an ellipsis and for a new axis."""
    ellipsis, new = operator.integer(2), operator.integer(3)
    places = [i for i in range(count) if ellipsis >> i & 1]
    if len(places) > 1:
        raise DamagedError(f"slices with {len(places)} ellipses in {operator.name}")
    sliced = [i for i in range(count) if i not in places and not new >> i & 1]
    if len(sliced) > rank:
        raise DamagedError(f"slices {rank} axes with {len(sliced)} start positions in {operator.name}")
    behind = [i for i in sliced if places and i > places[0]]
    before = sliced[: len(sliced) - len(behind)]
    axes = [*range(len(before)), *range(rank - len(behind), rank)]
    return dict(zip(sliced, axes, strict=True))


def _sliced(
    context: Context,
    operator: Operator,
    begins: list[int],
    ends: list[int],
    steps: list[int],
    shrunk: list[int],
    more: bool = False,
) -> None:
    """A Slice, and a Reshape where axes are `shrunk` or there are more of them."""
    source, number = operator.input(0), operator.outputs[0]
    shape, cf = context.shape(source), context.cf(source)
    after: bool | None = cf
    if shrunk:
        after = without(len(shape), shrunk) if cf else False
    if after is None or more:
        cf = after = False
    chosen = [
        axis for axis in range(len(begins)) if (begins[axis], ends[axis], steps[axis]) != (0, shape[axis], 1)
    ]
    columns = {
        "starts": [begins[axis] for axis in chosen],
        "ends": [ends[axis] for axis in chosen],
        "axes": [axis_of(axis, len(shape), cf) for axis in chosen],
        "steps": [steps[axis] for axis in chosen],
    }
    real = context.read(source, cf)
    inputs = [
        real,
        *(context.initializer(f"{operator.name}_{k}", np.array(v, np.int64)) for k, v in columns.items()),
    ]
    if not shrunk and not more:
        op = "Slice" if chosen else "Identity"
        emit(context, operator, op, inputs if chosen else [real], number, after)
        return
    rest = context.shape(number)
    if chosen:
        real = context.fresh(f"{operator.name}_sliced")
        context.node("Slice", inputs, [real], operator.name)
        part = list(shape)
        for axis in chosen:
            begin, end, step = slice(begins[axis], ends[axis], steps[axis]).indices(shape[axis])
            part[axis] = len(range(begin, end, step))
        real = context.between(real, number, f"{operator.name}_part", arranged(part, cf))
    result = context.write(number, after)
    context.reshape(real, result, arranged(rest, after), f"{operator.name}_reshape")
    context.close(number, result, after)


def gather(context: Context, operator: Operator) -> None:
    """Slots: axis, batch axes. Operands: tensor, indices."""
    source, indices, number = operator.input(0), operator.input(1), operator.outputs[0]
    rank, batches = context.rank(source), operator.integer(1)
    if batches:
        axis = axis_of(operator.integer(0), rank, False)
        if batches != axis or context.rank(indices) < axis:
            raise UnsupportedError("gathers behind its batch dimensions, not along the next one")
        places, last = context.fresh(f"{operator.name}_places"), np.array([context.rank(indices)], np.int64)
        wide = context.fresh(f"{operator.name}_indices")
        context.node("Cast", [context.read(indices, False)], [wide], f"{operator.name}_cast", to=7)
        context.node(
            "Unsqueeze", [wide, context.initializer(f"{operator.name}_last", last)], [places], places
        )
        real = context.read(source, False)
        emit(context, operator, "GatherND", [real, places], number, False, batch_dims=batches)
        return
    cf = context.cf(source) and context.rank(indices) == 1
    axis = axis_of(operator.integer(0), rank, cf)
    emit(
        context,
        operator,
        "Gather",
        [context.read(source, cf), context.read(indices, False)],
        number,
        cf,
        axis=axis,
    )


def gather_nd(context: Context, operator: Operator) -> None:
    """In the file's order; ONNX takes int64 indices."""
    number = operator.outputs[0]
    indices = context.fresh(f"{operator.name}_indices")
    context.node("Cast", [context.read(operator.input(1), False)], [indices], f"{operator.name}_cast", to=7)
    emit(context, operator, "GatherND", [context.read(operator.input(0), False), indices], number, False)


def pack(context: Context, operator: Operator) -> None:
    """A new axis (slot 1) of every operand, then a Concat."""
    number = operator.outputs[0]
    shape = context.shape(number)
    axis = axis_of(operator.integer(1), len(shape), False)
    part = (*shape[:axis], 1, *shape[axis + 1 :])
    inputs = []
    for position, source in enumerate(operator.inputs):
        made = context.fresh(f"{operator.name}_{position}")
        context.reshape(context.same_sequence(source), made, part, f"{made}_reshape")
        inputs.append(context.between(made, source, f"{made}_part", part))
    emit(context, operator, "Concat", inputs, number, False, axis=axis)


def unpack(context: Context, operator: Operator) -> None:
    """A Split along an axis (slot 1), which each part then loses."""
    source, shape = operator.input(0), context.shape(operator.input(0))
    axis = axis_of(operator.integer(1), len(shape), False)
    if len(operator.outputs) != shape[axis]:
        raise DamagedError(f"unpacks {shape[axis]} parts into {len(operator.outputs)}")
    part = (*shape[:axis], 1, *shape[axis + 1 :])
    sizes = context.initializer(f"{operator.name}_sizes", np.ones(len(operator.outputs), np.int64))
    parts = [context.fresh(f"{operator.name}_{position}") for position in range(len(operator.outputs))]
    context.node("Split", [context.read(source, False), sizes], parts, operator.name, axis=axis)
    for number, real in zip(operator.outputs, parts, strict=True):
        real = context.between(real, number, f"{real}_part", part)
        result = context.write(number, False)
        context.reshape(real, result, context.shape(number), f"{operator.name}_reshape")
        context.close(number, result, False)


def tile(context: Context, operator: Operator) -> None:
    """Operand: how often, for each axis."""
    source, number = operator.input(0), operator.outputs[0]
    cf, times = context.cf(source), context.integers(operator.input(1))
    if len(times) != context.rank(source):
        raise DamagedError(f"tiles {context.rank(source)} axes {len(times)} times")
    repeats = context.initializer(f"{operator.name}_repeats", np.array(arranged(times, cf), np.int64))
    emit(context, operator, "Tile", [context.read(source), repeats], number, cf)


def broadcast_to(context: Context, operator: Operator) -> None:
    """To the output's shape."""
    number = operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(number)
    shape = context.initializer(
        f"{operator.name}_shape", np.array(arranged(context.shape(number), cf), np.int64)
    )
    emit(context, operator, "Expand", [context.operand(operator.input(0), rank, cf), shape], number, cf)


def reverse(context: Context, operator: Operator) -> None:
    """A Slice that steps backwards along the axes of the operand."""
    source = operator.input(0)
    axes, shape = context.integers(operator.input(1)), context.shape(source)
    turned = {axis_of(axis, len(shape), False) for axis in axes}
    begins = [extent - 1 if axis in turned else 0 for axis, extent in enumerate(shape)]
    ends = [-(extent + 1) if axis in turned else extent for axis, extent in enumerate(shape)]
    _sliced(context, operator, begins, ends, [-1 if axis in turned else 1 for axis in range(len(shape))], [])


CONVERTERS = {
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "SPLIT": split,
    "SPLIT_V": split,
    "SLICE": slice_,
    "STRIDED_SLICE": strided_slice,
    "GATHER": gather,
    "GATHER_ND": gather_nd,
    "PACK": pack,
    "UNPACK": unpack,
    "TILE": tile,
    "BROADCAST_TO": broadcast_to,
    "REVERSE_V2": reverse,
}
