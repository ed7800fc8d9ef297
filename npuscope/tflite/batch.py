"""SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND where no convolution between them takes them in."""

from __future__ import annotations

import math

import numpy as np

from npuscope.tflite.context import Context
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.schema import Operator


def space_to_batch(context: Context, operator: Operator) -> None:
    """Zeros around the map, then each block's values spread over the batch. Inputs: block sizes, pads."""
    source = operator.input(0)
    block, shape, amounts = _blocks(context, operator)
    count = len(block)
    pads_ = (
        [0, *amounts[::2], *[0] * (len(shape) - count - 1)],
        [0, *amounts[1::2], *[0] * (len(shape) - count - 1)],
    )
    padded = [size + before + after for size, before, after in zip(shape, *pads_, strict=True)]
    if any(size % part for size, part in zip(padded[1:], block, strict=False)):
        raise DamagedError(f"splits {padded[1 : count + 1]} into blocks of {block} in {operator.name}")
    real = context.read(source, False)
    if any(amounts):
        name = context.fresh(f"{operator.name}_padded")
        target = context.initializer(f"{operator.name}_pads", np.array([*pads_[0], *pads_[1]], np.int64))
        context.node("Pad", [real, target], [name], f"{operator.name}_pad")
        real = context.between(name, source, f"{operator.name}_pad_stored", padded)
    split = [padded[0]]
    for size, part in zip(padded[1:], block, strict=False):
        split += [size // part, part]
    split += padded[count + 1 :]
    perm = [2 + 2 * i for i in range(count)] + [0] + [1 + 2 * i for i in range(count)]
    perm += list(range(2 * count + 1, len(split)))
    _rearranged(context, operator, real, split, perm)


def batch_to_space(context: Context, operator: Operator) -> None:
    """The other way around, then the crops. Inputs: block sizes, crops."""
    source, number = operator.input(0), operator.outputs[0]
    block, shape, amounts = _blocks(context, operator)
    count, parts = len(block), math.prod(block)
    if shape[0] % parts:
        raise DamagedError(f"joins a batch of {shape[0]} from blocks of {block} in {operator.name}")
    split = [*block, shape[0] // parts, *shape[1:]]
    perm = [count]
    for i in range(count):
        perm += [count + 1 + i, i]
    perm += list(range(2 * count + 1, len(split)))
    merged = [shape[0] // parts, *(size * part for size, part in zip(shape[1:], block, strict=False))]
    merged += shape[count + 1 :]
    real = context.read(source, False)
    if not any(amounts):
        _rearranged(context, operator, real, split, perm)
        return
    real = _moved(context, operator, real, split, perm, merged)
    real = context.between(real, source, f"{operator.name}_whole_stored", merged)
    result = context.write(number, False)
    ends = [size - behind for size, behind in zip(merged[1:], amounts[1::2], strict=False)]
    inputs = [
        context.initializer(f"{operator.name}_{what}", np.array(values, np.int64))
        for what, values in (("starts", amounts[::2]), ("ends", ends), ("axes", range(1, count + 1)))
    ]
    context.node("Slice", [real, *inputs], [result], operator.name)
    context.close(number, result, False)


def _blocks(context: Context, operator: Operator) -> tuple[list[int], list[int], list[int]]:
    block, amounts = context.integers(operator.input(1)), context.integers(operator.input(2))
    shape = list(context.shape(operator.input(0)))
    if not 0 < len(block) < len(shape) or len(amounts) != 2 * len(block):
        raise DamagedError(f"states block sizes for {len(block)} of {len(shape)} axes in {operator.name}")
    if min(block) < 1 or min(amounts) < 0 or max(*block, *amounts) > 1 << 16:
        raise DamagedError(f"states blocks of {block} in {operator.name}")
    return block, shape, amounts


def _rearranged(context: Context, operator: Operator, real: str, split: list[int], perm: list[int]) -> None:
    number = operator.outputs[0]
    made = _moved(
        context, operator, real, split, perm, list(context.shape(number)), context.write(number, False)
    )
    context.close(number, made, False)


def _moved(
    context: Context,
    operator: Operator,
    real: str,
    split: list[int],
    perm: list[int],
    shape: list[int],
    result: str = "",
) -> str:
    """A Reshape, a Transpose and a Reshape."""
    if math.prod(split) != math.prod(shape):
        raise DamagedError(f"writes {math.prod(split)} values to a tensor of another size in {operator.name}")
    source = operator.input(0)
    parts = context.fresh(f"{operator.name}_parts")
    context.reshape(real, parts, split, f"{operator.name}_split")
    real = context.between(parts, source, f"{operator.name}_parts_stored", split)
    turned = context.fresh(f"{operator.name}_turned")
    context.node("Transpose", [real], [turned], f"{operator.name}_transpose", perm=perm)
    real = context.between(turned, source, f"{operator.name}_turned_stored", [split[axis] for axis in perm])
    result = result or context.fresh(f"{operator.name}_whole")
    context.reshape(
        real, result, shape, operator.name if not result.endswith("_whole") else f"{operator.name}_join"
    )
    return result


CONVERTERS = {"SPACE_TO_BATCH_ND": space_to_batch, "BATCH_TO_SPACE_ND": batch_to_space}
