"""Constants that nodes compute of other constants; large ones only when their values are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from npuscope.model.errors import ModelError
from npuscope.model.graph import Node
from npuscope.model.inference.evaluate import evaluate
from npuscope.model.tensors import KEPT_BYTES, Array, Constant

MOST_STEPS = 4096
"""Nodes that one folded constant may be computed through."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldedConstant(Constant):
    """Output `position` of a node that reads only constants."""

    node: Node | None = field(default=None, repr=False)
    sources: tuple[Constant | None, ...] = field(default=(), repr=False)
    position: int = 0
    opset: int = 0

    def array(self) -> Array:
        """The values, read-only. Raises ModelError where they cannot be computed."""
        if self._read is not None:
            return self._read
        value = self._computed().view()
        value.flags.writeable = False
        if value.nbytes <= KEPT_BYTES:
            object.__setattr__(self, "_read", value)
        return value

    def _computed(self) -> Array:
        done: dict[int, list[Array]] = {}  # by node: one node may make several constants
        pending: list[FoldedConstant] = [self]
        steps = 0
        while pending:
            steps += 1
            constant = pending[-1]
            missing = [
                s for s in constant.sources if isinstance(s, FoldedConstant) and id(s.node) not in done
            ]
            if missing:
                pending += missing
            else:
                pending.pop()
                if id(constant.node) not in done:
                    done[id(constant.node)] = constant._step(done)
            if steps > MOST_STEPS:
                raise ModelError(
                    f"tensor {self.name!r} is computed of constants in more than {MOST_STEPS} steps"
                )
        return done[id(self.node)][self.position]

    def _step(self, done: dict[int, list[Array]]) -> list[Array]:
        assert self.node is not None
        arrays = [
            None
            if s is None
            else done[id(s.node)][s.position]
            if isinstance(s, FoldedConstant)
            else s.array()
            for s in self.sources
        ]
        results = evaluate(self.node, arrays, self.opset)
        if results is None or len(results) <= self.position or results[self.position].shape != self.shape:
            raise ModelError(
                f"tensor {self.name!r} cannot be computed: its {self.node.op} contradicts its inputs"
            )
        return results
