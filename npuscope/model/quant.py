"""Quantization parameters, as a QuantizeLinear, a DequantizeLinear or a QLinear operator states them."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import count

import numpy as np

from npuscope.model.graph import Graph, Node
from npuscope.model.tensors import UNKNOWN, Array
from npuscope.record import cached_property, record

_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1)}
_LIMITS |= {"uint2": (0, 3), "int16": (-32768, 32767), "uint16": (0, 65535), "int32": (-(2**31), 2**31 - 1)}

INT32_MAX = 2**31 - 1
"""Of a bias, either way."""

MAX_SCALES = 1 << 20

FEW = 32
"""Scales up to which they are looked at one by one."""


@record(eq=False, slots=False)
class Quant:
    """real = scale * (stored - zero_point).

    1. `scale` and `zero_point` have one element (per tensor), or one per channel of `axis`.
    2. `block_size` > 0: one scale per block of that many elements along `axis`.
    3. Of a model judged as if quantized, a `scale` or `zero_point` that is not known yet stands for any.
    """

    dtype: str
    scale: Array
    zero_point: Array
    axis: int | None = None
    block_size: int = 0
    scale_known: bool = True
    zero_known: bool = True

    @property
    def per_channel(self) -> bool:
        """More than one scale."""
        return self.axis is not None

    @cached_property
    def zero(self) -> int:
        """The zero point of the first channel."""
        return int(self.zero_point.item() if self.zero_point.size == 1 else self.zero_point.flat[0])

    @cached_property
    def divides(self) -> bool:
        """Every scale is a positive number."""
        if self.scale.size == 1:
            return 0 < float(self.scale.item()) < math.inf
        scale = self.scale.reshape(-1)
        return bool(np.minimum.reduce(scale) > 0 and np.maximum.reduce(scale) < math.inf)  # NaN is neither

    @cached_property
    def symmetric(self) -> bool:
        """All zero points are 0."""
        return not self.zero_point.any()

    @cached_property
    def form(self) -> int:
        """Equal for those that agree in all but their scales, and in zero points behind the first."""
        scales = (self.axis, self.block_size, self.scale.size, self.divides, self.scale_known)
        zeros = (self.zero, self.symmetric, self.zero_known)
        return _number((self.dtype, *scales, *zeros))

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest stored value."""
        return _LIMITS.get(self.dtype, (0, 0))

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest real value that can be stored, over all channels."""
        low, high = self.limits
        scale, zero = self.scale.astype(np.float64), self.zero_point.astype(np.float64)
        with np.errstate(all="ignore"):
            return float(np.min(scale * (low - zero))), float(np.max(scale * (high - zero)))

    def same_as(self, other: Quant | None) -> bool:
        """Equal in every parameter."""
        if other is self and self.divides:  # NaN is the same as nothing
            return True
        return (
            other is not None
            and self.dtype == other.dtype
            and self.axis == other.axis
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )


@lru_cache(maxsize=1 << 14)
def _number(form: tuple[object, ...]) -> int:
    """A number that no other form has, nor had."""
    return next(_NUMBERS)


_NUMBERS = count()


def of_node(graph: Graph, node: Node) -> Quant | None:
    """Parameters of a QuantizeLinear or DequantizeLinear; None where they are computed at run time."""
    inputs = node.inputs
    if len(inputs) == 3:
        stored, scale, zero_point = inputs
    else:
        stored, scale, zero_point = node.input(0), node.input(1), node.input(2)
    if node.op == "QuantizeLinear":
        stored = node.output(0)
    dtype = graph.types.get(stored, UNKNOWN).dtype
    if dtype == "unknown":
        zero = graph.constant(zero_point)
        dtype = zero.dtype if zero is not None else "uint8"
    if node.bare:  # as most are
        return read(graph, scale, zero_point, dtype)
    axis, block_size = _along(graph, node)
    if axis < 0 and (shape := graph.types.get(stored, UNKNOWN).shape) is not None:
        axis = max(axis + len(shape), axis)  # counted from the front, as others that are compared with it
    return read(graph, scale, zero_point, dtype, axis, block_size)


def _along(graph: Graph, node: Node) -> tuple[int, int]:
    """The axis of a node's scales and the size of their blocks; most that state any state the same."""
    known: dict[tuple[bytes, ...] | None, tuple[int, int]] = graph.facts.setdefault("axes of scales", {})
    stated = node.plain_attributes
    along = known.get(stated) if stated is not None else None
    if along is None:
        along = known[stated] = node.integer("axis", 1), max(node.integer("block_size", 0), 0)
    return along


def read(
    graph: Graph, scale: str, zero_point: str, dtype: str, axis: int = 1, block_size: int = 0
) -> Quant | None:
    """Parameters from the names of a scale and a zero point ('' = zero). None where either is not constant.

    Those of the same names are the same object: a QuantizeLinear and all DequantizeLinear behind it share one.
    """
    known, key = graph.read_quants, (scale, zero_point, dtype, axis, block_size)
    quant: Quant | None = known.get(key)
    if quant is None and key not in known:
        quant = known[key] = _read(graph, scale, zero_point, dtype, axis, block_size)
    return quant


def _zeros(graph: Graph, zero_point: str) -> Array | None:
    """The values of a zero point, which many scales may share."""
    known: dict[str, Array | None] = graph.facts.setdefault("zero points", {})
    if zero_point not in known:
        zeros = graph.value(zero_point, MAX_SCALES)
        known[zero_point] = np.asarray(zeros).astype(np.int64) if zeros is not None and zeros.size else None
    return known[zero_point]


def _read(graph: Graph, scale: str, zero_point: str, dtype: str, axis: int, block_size: int) -> Quant | None:
    scales = graph.value(scale, MAX_SCALES)
    if scales is None or scales.size == 0 or scales.dtype.kind not in "fV":
        return None
    scales = np.asarray(scales, np.float32)
    if zero_point:
        zeros = _zeros(graph, zero_point)
        if zeros is None:
            return None
        if zeros.size == 1 and scales.size > 1:
            zeros = np.broadcast_to(zeros.reshape(-1)[:1], scales.reshape(-1).shape)
    else:
        zeros = np.zeros(scales.shape, np.int64)
    if zeros.size != scales.size:
        return None
    known = (scale not in graph.assumed, zero_point not in graph.assumed)
    if scales.size == 1 and scales.ndim < 2 and not block_size:
        return Quant(dtype, scales.reshape(1), zeros.reshape(1), None, 0, *known)
    if block_size:
        return Quant(dtype, scales, zeros.reshape(scales.shape), axis, block_size)
    return Quant(dtype, scales.reshape(-1), zeros.reshape(-1), axis, 0, *known)
