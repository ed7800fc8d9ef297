"""The arrays an evaluator reads, and the bound on what it may allocate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from npuscope.model.graph import Node
from npuscope.model.tensors import Array
from npuscope.record import dataclass

MOST_ELEMENTS = 1 << 27
"""A folded constant has at most this many elements; larger ones are left to the model."""


class TooLargeError(ValueError):
    """The result would be larger than what is folded."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The arrays a node reads, in order; None for an absent input."""

    node: Node
    arrays: Sequence[Array | None]
    opset: int

    def __getitem__(self, position: int) -> Array:
        value = self.arrays[position] if position < len(self.arrays) else None
        if value is None:
            raise ValueError(f"input {position} is not there")
        return value

    def get(self, position: int) -> Array | None:
        return self.arrays[position] if position < len(self.arrays) else None

    def numbers(self, position: int, name: str) -> tuple[int, ...] | None:
        """Integers from an input, or from the attribute that older opsets have."""
        value = self.get(position)
        return self.node.integers(name) if value is None else tuple(int(v) for v in value.reshape(-1))


Evaluator = Callable[[Values], Array | list[Array]]


def bounded(count: int) -> None:
    """Raise TooLargeError for more elements than are folded."""
    if count > MOST_ELEMENTS:
        raise TooLargeError
