"""How large the tensors of a layer are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.model.inspection.extent import dtype_bits, elements

if TYPE_CHECKING:
    from npuscope.model.layers import Layer, Operand

SUM_BYTES, FLOAT_BYTES = 2, 4
"""Bytes of a value between a multiplication and its requantization, and of a float (edges of the compiler's graphs)."""

MOST_ELEMENTS = 1 << 40
"""No device holds a tensor of that many elements; a file may name one all the same."""


def too_large_to_compute(layer: Layer) -> bool:
    """A shape is so large that products of it mean nothing."""
    weight = layer.weight.constant if layer.weight is not None else None
    counts = [elements(o.dims) for o in (*layer.inputs, *layer.outputs) if o.dims is not None]
    return beyond_computing(weight.size if weight is not None else 0, *counts)


def beyond_computing(*counts: int) -> bool:
    """A tensor of so many elements is too large."""
    return max(counts) > MOST_ELEMENTS


def size(operand: Operand | None) -> int:
    """Elements of an operand, 0 where its shape is not known."""
    return elements(operand.dims) if operand is not None and operand.dims is not None else 0


def operand_bytes(operand: Operand) -> int:
    """Bytes of an activation as it is stored, 0 where its shape is not known or too large to compute."""
    if operand.constant is not None or operand.dims is None:
        return 0
    return _bytes(operand.dims, operand.quant.dtype if operand.quant is not None else operand.type.dtype)


@lru_cache(maxsize=1 << 12)
def _bytes(dims: tuple[int, ...], dtype: str) -> int:
    return packed_bytes(elements(dims), dtype_bits(dtype))


def packed_bytes(count: int, bits: int) -> int:
    """Bytes of so many values of so many bits, 0 where they are too many to compute."""
    return 0 if count > MOST_ELEMENTS else (count * bits + 7) // 8


def stored_bytes(layer: Layer) -> tuple[tuple[str, int], ...]:
    """(tensor, bytes) of the activations of a layer, inputs first."""
    known: tuple[tuple[str, int], ...] | None = layer.facts.get("stored bytes")
    if known is None:
        operands = (*layer.inputs, *layer.outputs)
        known = tuple([(o.tensor, operand_bytes(o)) for o in operands if o.constant is None])
        layer.facts["stored bytes"] = known
    return known


def largest_tensor(layer: Layer) -> int | None:
    """Elements of the largest activation, None where one is not known."""
    sizes = [o.dims for o in (*layer.inputs, *layer.outputs) if o.constant is None]
    known = [elements(s) for s in sizes if s is not None]
    return max(known) if known and len(known) == len(sizes) else None


def spread_elements(layer: Layer) -> int | None:
    """Elements of a ConvTranspose's input with zeros put between its values, None where a shape is not known."""
    source = layer.input_dims
    result = layer.output_dims
    if source is None or result is None or len(source) < 3:
        return None
    return source[1] * elements(result[2:])


def constant_bytes(layer: Layer) -> int:
    """Bytes of the layer's constants as the model stores them."""
    constants = [layer.weight, layer.bias, *(o for o in layer.inputs if o.constant is not None)]
    return sum(_stored_bytes(o) for o in constants if o is not None)


def _stored_bytes(operand: Operand) -> int:
    if operand.constant is None:
        return 0
    bits = dtype_bits(operand.quant.dtype if operand.quant is not None else operand.constant.dtype)
    return (operand.constant.size * bits + 7) // 8


def weight_bits(layer: Layer) -> int:
    """Bits of one weight as it is stored."""
    weight = layer.weight
    if weight is None or weight.constant is None:
        return 8
    return dtype_bits(weight.quant.dtype if weight.quant is not None else weight.constant.dtype)


COEFFICIENT_BYTES = 6
"""An output channel's scale (16 bits) and offset (32 bits), as the c_info files of 2.2 to 4.0 list them."""

SCALE_BYTES = 2
"""The scale's part of them: weights with one scale for all channels need no vector of it (face_landmark_192, 2.2)."""

WIDE_COEFFICIENT_BYTES = 2
"""A scale or an offset where ARITH has no room for them."""


def inflated_bytes(weights: int, bits: int, inflation: int) -> int:
    """Bytes of so many weights of a convolution on the device, inflated so many times."""
    return (weights * inflation * bits + 7) // 8


def coefficient_vectors(layer: Layer) -> int:
    """Vectors of the output channels that scale a convolution's sums: the offsets, and the scales where channels differ."""
    quant = layer.weight.quant if layer.weight is not None else None
    return 2 if quant is None or quant.scale is None or quant.scale.size > 1 else 1


def coefficient_bytes(conv: Convolution, vectors: int, target: Target) -> tuple[int, int]:
    """(bytes loaded at set-up, bytes streamed) of the scales and offsets of a convolution's output channels.

    1. With the epoch controller they are in the blob (reports and c_info files of eight builds), unless there are more
       than ARITH holds.
    2. Those are stored once for each column of the result: 1280x1x4 of both behind a map of 4x4 (network.c of a MobileNetV2,
       3.0: emigaxiolaa/N657X_Image_Classification_Demo), 1404 offsets alone with one scale for all (face_landmark_192, 2.2).
    """
    if conv.out_channels > target.limits.broadcast_elements:
        return 0, vectors * WIDE_COEFFICIENT_BYTES * conv.out_channels * conv.output_size[1]
    each = COEFFICIENT_BYTES - SCALE_BYTES * (2 - vectors)
    return (0, 0) if target.epoch_controller else (each * conv.out_channels, 0)
