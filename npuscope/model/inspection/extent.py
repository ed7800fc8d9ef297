"""How much a tensor holds: values, and bits of each."""

from __future__ import annotations

import math

_BITS = {"float64": 64, "int64": 64, "uint64": 64, "float32": 32, "int32": 32, "uint32": 32, "complex64": 64}
_BITS |= {"float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16, "int4": 4, "uint4": 4, "float4e2m1": 4}
_BITS |= {"int2": 2, "uint2": 2, "complex128": 128}


def dtype_bits(name: str) -> int:
    """Bits of one element; 8 for the one-byte types."""
    return _BITS.get(name, 8)


def elements(shape: tuple[int, ...]) -> int:
    """Number of elements."""
    return math.prod(shape)
