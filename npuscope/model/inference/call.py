"""What a shape rule is shown of a node, and the form of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from npuscope.model.graph import Node
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import UNKNOWN, Array, Dim, TensorType
from npuscope.record import dataclass

LARGEST_DIM = (1 << 63) - 1
"""Largest size that ONNX can write down."""

MOST_RANK = 64
"""Ranks above this are not followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """A small tensor of integers of which some are not known: NaN stands for those."""

    values: Array

    @property
    def dims(self) -> tuple[Dim, ...]:
        """The values as sizes, in one row."""
        return tuple(None if np.isnan(v) else int(v) for v in self.values.reshape(-1))


Known = Array | Partial | None
Answer = TensorType | tuple[TensorType, ...] | None


@dataclass(slots=True, eq=False)
class Call:
    """A node with the types of its inputs; `known` gives the value of a small constant input, or None."""

    node: Node
    types: tuple[TensorType, ...]
    opset: int
    known: Callable[[str], Known]

    def type(self, position: int) -> TensorType:
        """Type of an input, unknown where it is absent."""
        return self.types[position] if position < len(self.types) else UNKNOWN

    def shape(self, position: int = 0) -> Shape | None:
        """Shape of an input; None where its rank is not known."""
        return self.types[position].shape if position < len(self.types) else None

    def dtype(self, position: int = 0) -> str:
        """Element type of an input."""
        return self.types[position].dtype if position < len(self.types) else "unknown"

    def has(self, position: int) -> bool:
        """The input is there."""
        return bool(self.node.input(position))

    def array(self, position: int) -> Array | None:
        """The value of an input where all of it is known."""
        value = self.known(self.node.input(position)) if self.has(position) else None
        return None if isinstance(value, Partial) else value

    def numbers(self, position: int) -> tuple[int, ...] | None:
        """The integers of an input where all of them are known."""
        value = self.array(position)
        return None if value is None or value.dtype.kind not in "iu" else tuple(value.reshape(-1).tolist())

    def sizes(self, position: int) -> tuple[Dim, ...] | None:
        """The integers of an input, None for each that is not known; None where not even their number is."""
        value = self.known(self.node.input(position)) if self.has(position) else None
        if isinstance(value, Partial):
            return value.dims
        if value is not None:
            return tuple(int(v) for v in value.reshape(-1)) if value.dtype.kind in "iu" else None
        shape = self.shape(position)
        if shape is not None and len(shape) == 1 and isinstance(shape[0], int) and 0 <= shape[0] <= 64:
            return (None,) * shape[0]
        return None

    def axes(self, position: int) -> tuple[int, ...] | None:
        """Axes from an input, or from the attribute older opsets have."""
        if self.has(position):
            return self.numbers(position)
        return self.node.integers("axes")


Rule = Callable[[Call], Answer]


def size(value: int | None) -> Dim:
    """A computed size as a dimension: None where it is not known, negative or beyond what ONNX can write."""
    return value if value is not None and 0 <= value <= LARGEST_DIM else None


def product(dims: Iterable[Dim]) -> int | None:
    """Product of sizes; None where one is not known, unless another is 0."""
    out: int | None = 1
    for dim in dims:
        if dim == 0:
            return 0
        if not isinstance(dim, int) or out is None:
            out = None
        else:
            out *= dim
            if out > LARGEST_DIM:
                return None
    return out


def axis_at(axis: int, rank: int) -> int | None:
    """An axis counted from the front; None where the tensor has no such axis."""
    return axis % rank if -rank <= axis < rank else None


def unknown_rank(rank: int) -> Shape:
    """The shape of a tensor of which only the rank is known."""
    return (None,) * rank
