"""Constants that are computed of other constants; large ones only when their values are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import field

from npuscope.model.budget import tick
from npuscope.model.errors import ModelError
from npuscope.model.graph import Node
from npuscope.model.inference.evaluate import evaluate
from npuscope.model.tensors import KEPT_BYTES, Array, Constant
from npuscope.record import record

MOST_STEPS = 4096
"""Steps that the values of one constant may be computed in."""

DEEPEST = 64
"""Steps one behind the other: as each constant on the way may be asked for, more would be taken again and again."""

MOST_COMPUTED = 1 << 28
"""Elements that steps one behind the other may make on the way to a folded constant."""


@record(eq=False)
class ComputedConstant(Constant):
    """A constant made of others. `compute` is given their values in order."""

    sources: tuple[Constant | None, ...] = field(default=(), repr=False)
    made: int = 0
    """Elements that steps one behind the other make on the way to it."""

    def array(self) -> Array:
        """The values, read-only. Raises ModelError where they cannot be computed."""
        if self._read is not None:
            return self._read
        value = _values(self).view()
        value.flags.writeable = False
        if value.nbytes <= KEPT_BYTES:
            object.__setattr__(self, "_read", value)
        return value

    @property
    def step(self) -> int:
        """Equal for constants that one step makes."""
        return id(self)

    def compute(self, arrays: Sequence[Array | None]) -> list[Array]:
        """What the step makes. Raises ModelError where it cannot."""
        raise NotImplementedError

    def picked(self, made: list[Array]) -> Array:
        """This constant, of what its step makes."""
        if made[0].shape != self.shape:
            raise ModelError(f"tensor {self.name!r} cannot be computed: its node contradicts its inputs")
        return made[0]


@record(eq=False)
class FoldedConstant(ComputedConstant):
    """Output `position` of a node that reads only constants."""

    node: Node | None = field(default=None, repr=False)
    shared: list[list[Array]] | None = field(default=None, repr=False)
    """Of a node with many outputs: what it made, kept for the others."""
    position: int = 0
    opset: int = 0

    @property
    def step(self) -> int:
        """One node may make several constants."""
        return id(self.node)

    def compute(self, arrays: Sequence[Array | None]) -> list[Array]:
        """All outputs of the node."""
        assert self.node is not None
        if self.shared:
            return self.shared[0]
        results = evaluate(self.node, list(arrays), self.opset)
        if results is None:
            raise self._contradiction()
        if self.shared is not None:
            self.shared.append(results)
        return results

    def picked(self, made: list[Array]) -> Array:
        """The output that this constant is."""
        if len(made) <= self.position or made[self.position].shape != self.shape:
            raise self._contradiction()
        return made[self.position]

    def _contradiction(self) -> ModelError:
        assert self.node is not None
        return ModelError(
            f"tensor {self.name!r} cannot be computed: its {self.node.op} contradicts its inputs"
        )


def _values(wanted: ComputedConstant) -> Array:
    """Each step is taken once, however many read what it makes, and what it made is kept no longer than needed."""
    order = _in_order(wanted)
    reads = Counter(s.step for constant in order for s in constant.sources if isinstance(s, ComputedConstant))
    made: dict[int, list[Array]] = {}
    for constant in order:
        tick()
        arrays = [
            None if s is None else s.picked(made[s.step]) if isinstance(s, ComputedConstant) else s.array()
            for s in constant.sources
        ]
        made[constant.step] = constant.compute(arrays)
        for source in constant.sources:
            if isinstance(source, ComputedConstant):
                reads[source.step] -= 1
                if not reads[source.step]:
                    del made[source.step]
    return wanted.picked(made[wanted.step])


def _in_order(wanted: ComputedConstant) -> list[ComputedConstant]:
    """One constant for each step up to the one that is wanted, each behind those that it reads."""
    order: list[ComputedConstant] = []
    seen: set[int] = set()
    pending = [(wanted, False)]
    while pending:
        constant, ready = pending.pop()
        if ready:
            order.append(constant)
            continue
        if constant.step in seen:
            continue
        seen.add(constant.step)
        if len(seen) > MOST_STEPS:
            raise ModelError(f"tensor {wanted.name!r} is computed in more than {MOST_STEPS} steps")
        pending.append((constant, True))
        pending += [
            (s, False)
            for s in dict.fromkeys(constant.sources)
            if isinstance(s, ComputedConstant) and s.step not in seen
        ]
    return order


def made_by(sources: Sequence[Constant | None]) -> int:
    """Elements that steps one behind the other have made of these."""
    return max([s.made for s in sources if isinstance(s, ComputedConstant)], default=0)
