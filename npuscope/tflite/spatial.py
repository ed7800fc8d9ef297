"""Pools, resizes, space and depth, pads, normalization: channels first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npuscope.tflite.context import Context, UnsupportedError, dtype_of
from npuscope.tflite.convolution import pads, pair
from npuscope.tflite.emit import emit, follows
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.layout import arranged, axis_of, without
from npuscope.tflite.schema import Operator


def _map(context: Context, operator: Operator) -> tuple[int, int]:
    source, number = operator.input(0), operator.outputs[0]
    if context.rank(source) != 4 or context.rank(number) != 4:
        raise DamagedError(f"states {operator.name} on {context.rank(source)} axes")
    return source, number


def pool(context: Context, operator: Operator) -> None:
    """Slots of Pool2DOptions: padding, strides, window, activation. Averages leave the padding out, as ONNX does."""
    source, number = _map(context, operator)
    size, strides = pair(operator, 4, 3), pair(operator, 2, 1)
    op = "MaxPool" if operator.kind == "MAX_POOL_2D" else "AveragePool"
    emit(
        context, operator, op, [context.read(source, True)], number, True, operator.integer(5, "int8"),
        kernel_shape=size, strides=strides, pads=pads(context, operator, size, strides, (1, 1), source),
    )  # fmt: skip


def resize(context: Context, operator: Operator) -> None:
    """Slots: align corners, half pixel centers (behind two unused ones for RESIZE_BILINEAR)."""
    source, number = _map(context, operator)
    linear = operator.kind == "RESIZE_BILINEAR"
    first = 2 if linear else 0
    aligned, half = operator.flag(first), operator.flag(first + 1)
    input_shape, wanted = arranged(context.shape(source), True), arranged(context.shape(number), True)
    if min(input_shape) < 1:
        raise DamagedError(f"resizes a tensor of no values by {operator.name}")
    multiple = all(size % before == 0 for size, before in zip(wanted, input_shape, strict=True))
    if aligned:
        mode = "align_corners"
    elif half and (linear or not multiple):
        mode = "half_pixel"
    else:
        mode = "asymmetric"  # what half pixels come to at a whole factor
    rounding = "floor" if mode == "asymmetric" else "round_prefer_ceil"
    if multiple and not aligned:
        factors = np.array(
            [size / before for size, before in zip(wanted, input_shape, strict=True)], np.float32
        )
        targets = ["", context.initializer(f"{operator.name}_scales", factors)]
    else:
        targets = ["", "", context.initializer(f"{operator.name}_sizes", np.array(wanted, np.int64))]
    emit(
        context, operator, "Resize", [context.read(source, True), *targets], number, True,
        mode="linear" if linear else "nearest", coordinate_transformation_mode=mode,
        nearest_mode=None if linear else rounding,
    )  # fmt: skip


def space(context: Context, operator: Operator) -> None:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE (ONNX's mode DCR). Slot: block size."""
    source, number = _map(context, operator)
    block = operator.integer(0)
    if block < 1:
        raise DamagedError(f"states a block of {block} for {operator.name}")
    op = "SpaceToDepth" if operator.kind == "SPACE_TO_DEPTH" else "DepthToSpace"
    emit(context, operator, op, [context.read(source, True)], number, True, blocksize=block)


def pad(context: Context, operator: Operator) -> None:
    """PAD with zeros, PADV2 with a value, MIRROR_PAD (slot: 0 reflect, 1 symmetric)."""
    source, number = operator.input(0), operator.outputs[0]
    amounts, rank = context.integers(operator.input(1)), context.rank(source)
    if len(amounts) != 2 * rank or min(amounts, default=0) < 0:
        raise DamagedError(f"pads {rank} axes by {len(amounts)} amounts in {operator.name}")
    cf = context.cf(source)
    before, after = arranged(amounts[::2], cf), arranged(amounts[1::2], cf)
    symmetric = operator.kind == "MIRROR_PAD" and operator.integer(0, "int8") == 1
    if symmetric and max(amounts, default=0) > 1:
        _mirror(context, operator, before, after)
        return
    inputs = [context.read(source)]
    inputs.append(context.initializer(f"{operator.name}_pads", np.array([*before, *after], np.int64)))
    mode = "constant"
    if operator.kind == "MIRROR_PAD":
        mode = "edge" if symmetric else "reflect"  # one value of a symmetric border is the edge
    elif context.quant(source) is not None or context.tensor(source).dtype == "float32":
        value = _pad_value(context, operator)
        if (
            value
        ):  # nothing stands for 0, and a scalar is a form that Core 4.0.1 was reported to reject (N702)
            inputs.append(context.initializer(f"{operator.name}_value", np.array([value], np.float32)))
    elif operator.input(2) >= 0:
        inputs.append(context.constant_operand(operator.input(2), 0, False))
    emit(context, operator, "Pad", inputs, number, cf, mode=mode)


def _mirror(context: Context, operator: Operator, before: Sequence[int], after: Sequence[int]) -> None:
    """A border that repeats the edge itself, which no mode of ONNX's Pad does: a Gather along each axis that has one."""
    source, number = operator.input(0), operator.outputs[0]
    cf = context.cf(source)
    sizes = list(arranged(context.shape(source), cf))
    if any(max(pair) > size for pair, size in zip(zip(before, after, strict=True), sizes, strict=True)):
        raise DamagedError(f"mirrors more values than there are in {operator.name}")
    real = context.read(source)
    axes = [axis for axis in range(len(sizes)) if before[axis] or after[axis]]
    for axis in axes:
        places = np.arange(sizes[axis], dtype=np.int64)
        chosen = np.concatenate(
            [places[: before[axis]][::-1], places, places[sizes[axis] - after[axis] :][::-1]]
        )
        indices = context.initializer(f"{operator.name}_mirrored_{axis}", chosen)
        if axis == axes[-1]:
            emit(context, operator, "Gather", [real, indices], number, cf, axis=axis)
            return
        made = context.fresh(f"{operator.name}_axis_{axis}")
        context.node("Gather", [real, indices], [made], made, axis=axis)
        sizes[axis] = len(chosen)
        real = context.between(made, source, f"{made}_part", sizes)


def _pad_value(context: Context, operator: Operator) -> float:
    number = operator.input(2)
    if number < 0:
        return 0.0
    constant = context.constant(number)
    if constant is None or constant.array.size != 1:
        raise UnsupportedError("pads with a value that is computed at run time")
    value, quant = float(constant.array.reshape(-1)[0]), constant.quant
    if quant is not None:
        value = (value - float(quant.zero_point[0])) * float(quant.scale[0])
    return value


def l2_normalization(context: Context, operator: Operator) -> None:
    """Over the last axis. Slot: activation."""
    source, number = operator.input(0), operator.outputs[0]
    cf, rank = follows(context, operator, number), context.rank(source)
    axis = axis_of(-1, rank, cf)
    activation = operator.integer(0, "int8")
    emit(
        context,
        operator,
        "LpNormalization",
        [context.read(source, cf)],
        number,
        cf,
        activation,
        axis=axis,
        p=2,
    )


def reduce(context: Context, operator: Operator) -> None:
    """MEAN, SUM and their like. Slot: keep the axes. A mean over a map is ST's global AveragePool."""
    source, number = operator.input(0), operator.outputs[0]
    rank, keep = context.rank(source), operator.flag(0)
    axes = sorted({axis_of(axis, rank, False) for axis in context.integers(operator.input(1))}) or list(
        range(rank)
    )
    cf = context.cf(source)
    after = cf if keep else layout_without(context, source, axes)
    if after is None:
        cf = after = False
    real, reduced = context.read(source, cf), tuple(sorted(axis_of(axis, rank, cf) for axis in axes))
    if operator.kind == "MEAN" and rank == 4 and cf and reduced == (2, 3):
        _global_average(context, operator, real, number, keep)
        return
    op = {"MEAN": "ReduceMean", "SUM": "ReduceSum", "REDUCE_MAX": "ReduceMax", "REDUCE_MIN": "ReduceMin"}.get(
        operator.kind, "ReduceProd"
    )
    inputs, attribute = [real], None
    if op == "ReduceSum" or context.opset >= 18:
        inputs.append(context.initializer(f"{operator.name}_axes", np.array(reduced, np.int64)))
    else:
        attribute = reduced
    emit(context, operator, op, inputs, number, after, axes=attribute, keepdims=int(keep))


def _global_average(context: Context, operator: Operator, real: str, number: int, keep: bool) -> None:
    shape = context.shape(number)
    if keep:
        emit(context, operator, "GlobalAveragePool", [real], number, True)
        return
    if len(shape) != 2:
        raise DamagedError(f"writes {len(shape)} axes by {operator.name}")
    pooled = context.fresh(f"{operator.name}_pooled")
    context.node("GlobalAveragePool", [real], [pooled], operator.name)
    pooled = context.between(pooled, number, f"{operator.name}_map", (*shape, 1, 1))
    result = context.write(number, False)
    context.reshape(pooled, result, shape, f"{operator.name}_reshape")
    context.close(number, result, False)


def layout_without(context: Context, source: int, axes: list[int]) -> bool | None:
    """The order of a tensor after axes of the file are dropped: channels first, the file's, or neither."""
    return without(context.rank(source), axes) if context.cf(source) else False


def arg(context: Context, operator: Operator) -> None:
    """ARG_MAX and ARG_MIN: the axis is an operand, the first of equal values wins."""
    source, number = operator.input(0), operator.outputs[0]
    axes = context.integers(operator.input(1))
    if len(axes) != 1:
        raise DamagedError(f"states {len(axes)} axes for {operator.name}")
    rank, cf = context.rank(source), context.cf(source)
    after = layout_without(context, source, [axis_of(axes[0], rank, False)])
    if after is None:
        cf = after = False
    op = "ArgMax" if operator.kind == "ARG_MAX" else "ArgMin"
    attributes: dict[str, Any] = {"axis": axis_of(axes[0], rank, cf), "keepdims": 0}
    if context.tensor(number).dtype == "int64":
        emit(context, operator, op, [context.read(source, cf)], number, after, **attributes)
        return
    dtype_of(context.tensor(number).dtype)
    position = context.fresh(f"{operator.name}_position")
    context.node(op, [context.read(source, cf)], [position], operator.name, **attributes)
    context.cast_to(position, number, after, f"{operator.name}_cast")


CONVERTERS = {
    "AVERAGE_POOL_2D": pool,
    "MAX_POOL_2D": pool,
    "RESIZE_BILINEAR": resize,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "SPACE_TO_DEPTH": space,
    "DEPTH_TO_SPACE": space,
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": pad,
    "L2_NORMALIZATION": l2_normalization,
    "MEAN": reduce,
    "SUM": reduce,
    "REDUCE_MAX": reduce,
    "REDUCE_MIN": reduce,
    "REDUCE_PROD": reduce,
    "ARG_MAX": arg,
    "ARG_MIN": arg,
}
