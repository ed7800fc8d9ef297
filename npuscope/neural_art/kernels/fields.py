"""What the registers hold of a shape: so many dimensions, of sizes up to a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from npuscope.machine.machine import Limits
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.operators import CONVOLUTION, POOLING
from npuscope.npu.cause import Cause
from npuscope.npu.verdict import Placement

if TYPE_CHECKING:
    from npuscope.model.tensors import Dim

WINDOWED = CONVOLUTION | POOLING
"""Kinds of which every dimension counts, that of the batch as well."""


def beyond_fields(
    kind: str, shapes: Sequence[tuple[Dim, ...]], limits: Limits, cpu: Callable[[], Placement]
) -> Iterator[Cause]:
    """Shapes with more dimensions than the machine counts, or with a larger one than it can hold."""
    windowed = kind in WINDOWED
    rank = max((len(shape) - (not windowed and shape[:1] == (1,)) for shape in shapes), default=0)
    if rank > limits.rank:
        numbers = (("rank", rank), ("limit", limits.rank), ("windowed", int(windowed)))
        yield Cause(Why.MANY_DIMENSIONS, cpu(), numbers)
    largest = max([size for shape in shapes for size in shape if isinstance(size, int)], default=0)
    if largest > limits.dimension:
        yield Cause(Why.LARGE_DIMENSION, cpu(), (("size", largest), ("limit", limits.dimension)))
