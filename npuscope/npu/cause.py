"""Why a step runs where it does: a word of a fixed list, the placement, and the numbers behind it."""

from __future__ import annotations

from enum import Enum

from npuscope.npu.verdict import Placement
from npuscope.record import record

Number = int | float | str | tuple[int, ...]


@record()
class Cause:
    """What the choice of a kernel rests on.

    1. `why` is a member of the list that the NPU's own room keeps.
    2. `numbers` are the layer's figures that decided: ('axis', 2), ('parts', (512, 384)).
    """

    why: Enum
    placement: Placement
    numbers: tuple[tuple[str, Number], ...] = ()

    def __getitem__(self, name: str) -> Number:
        """One of the numbers. Raises KeyError."""
        for key, value in self.numbers:
            if key == name:
                return value
        raise KeyError(name)

    def count(self, name: str) -> int:
        """One of the numbers that is a count. Raises KeyError."""
        value = self[name]
        return int(value) if isinstance(value, int | float) else 0

    def sizes(self, name: str) -> tuple[int, ...]:
        """One of the numbers that is a list of sizes; () where it is not among them."""
        value = next((value for key, value in self.numbers if key == name), ())
        return value if isinstance(value, tuple) else ()


def worst(causes: tuple[Cause, ...], default: Placement) -> Placement:
    """The placement that a layer's causes lead to."""
    if not causes:
        return default
    return max([cause.placement for cause in causes], key=lambda p: p.rank)
