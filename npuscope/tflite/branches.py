"""IF and WHILE whose condition is constant: the branch that is taken in place of the operator.

Converters write them where a model asks for its mode (training or not), or for a size that was fixed since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from npuscope.tflite.context import Context
from npuscope.tflite.folding import folded
from npuscope.tflite.schema import Operator, Subgraph, Tensor

MOST_LEVELS = 8
"""Branches within branches that are followed."""
MOST_OPERATORS = 1 << 16
"""Operators of all branches together."""


def branches_taken(graph: Subgraph) -> Subgraph:
    """The graph with the operators of the branch for each IF and WHILE whose condition is known; others stay."""
    for _ in range(MOST_LEVELS):
        if not any(op.kind in ("IF", "WHILE") and not op.custom for op in graph.operators):
            break
        taken = _Inlined(graph)
        if not taken.changed:
            break
        graph = taken.graph()
    return graph


MOST_FOLDED = 16 << 20
"""Bytes of the constants that conditions are worked out of."""


class _Inlined:
    """One level of branches, written out."""

    def __init__(self, graph: Subgraph) -> None:
        self.before = graph
        self.tensors = list(graph.tensors)
        self.names = {tensor.name for tensor in graph.tensors}
        self.operators: list[Operator] = []
        self.instead: dict[int, int] = {}
        """What is to be read in place of a tensor."""
        self.scratch: Context | None = None
        """What is constant in the graph; worked out where a condition asks for it."""
        self.changed = False
        for operator in graph.operators:
            operator = replace(operator, inputs=self.renamed(operator.inputs))
            if operator.custom or not self.take(operator):
                self.operators.append(operator)

    def graph(self) -> Subgraph:
        """What came of it, its operators counted anew."""
        operators = tuple(replace(op, index=i) for i, op in enumerate(self.operators))
        return replace(
            self.before,
            tensors=tuple(self.tensors),
            operators=operators,
            outputs=self.renamed(self.before.outputs),
        )

    def renamed(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Tensors as they are called now."""
        return tuple(self.instead.get(number, number) for number in numbers)

    def take(self, operator: Operator) -> bool:
        """Write out an operator of a known condition. Tells whether it was done."""
        if operator.kind == "WHILE":
            condition = self.before.body(operator.integer(0))
            if condition is None or len(condition.outputs) != 1:
                return False
            known = _truth(condition.tensors[condition.outputs[0]])
            if known is not False or len(operator.inputs) != len(operator.outputs):
                return False  # a loop that is entered
            self.instead.update(zip(operator.outputs, operator.inputs, strict=True))
            self.changed = True
            return True
        if operator.kind != "IF" or operator.input(0) < 0:
            return False
        known = self.condition(operator.input(0))
        body = self.before.body(operator.integer(0 if known else 1)) if known is not None else None
        arguments = operator.inputs[1:]
        if body is None or len(body.inputs) != len(arguments) or len(body.outputs) != len(operator.outputs):
            return False
        if len(self.operators) + len(body.operators) > MOST_OPERATORS:
            return False
        self.write(body, arguments, operator.outputs)
        self.changed = True
        return True

    def condition(self, number: int) -> bool | None:
        """The value of a condition, of constants alone or of the sizes of tensors; None where it is not known."""
        known = _truth(self.tensors[number])
        if known is not None:
            return known
        if self.scratch is None:
            self.scratch = Context(self.before, MOST_FOLDED)
            for operator in self.before.operators:
                if not operator.custom:
                    folded(self.scratch, operator)
        if number >= len(self.before.tensors):
            return None
        constant = self.scratch.constant(number)
        array = None if constant is None else constant.array
        return (
            bool(array.reshape(-1)[0])
            if array is not None and array.dtype == bool and array.size == 1
            else None
        )

    def write(self, body: Subgraph, arguments: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """The operators of a body, which read what is given and write the outputs."""
        place = dict(zip(body.inputs, arguments, strict=True))
        made = {number for operator in body.operators for number in operator.outputs}
        for inner, outer in zip(body.outputs, outputs, strict=True):
            if inner in made and inner not in place:
                place[inner] = outer
        for operator in body.operators:
            numbers = {n for n in (*operator.inputs, *operator.outputs) if n >= 0 and n not in place}
            place.update((number, self.add(body.tensors[number])) for number in sorted(numbers))
            self.operators.append(
                replace(
                    operator,
                    inputs=tuple(place.get(n, -1) for n in operator.inputs),
                    outputs=tuple(place[n] for n in operator.outputs),
                )
            )
        for inner, outer in zip(body.outputs, outputs, strict=True):
            if place.get(inner) != outer:  # an input, a constant, or an output named twice
                if inner not in place:
                    place[inner] = self.add(body.tensors[inner])
                self.instead[outer] = place[inner]

    def add(self, tensor: Tensor) -> int:
        """A tensor of a body among those of the graph, under a name of its own; its number."""
        name = tensor.name
        while name in self.names:
            name = f"{name}_{len(self.tensors)}"
        self.names.add(name)
        self.tensors.append(replace(tensor, index=len(self.tensors), name=name))
        return len(self.tensors) - 1


def _truth(tensor: Tensor) -> bool | None:
    """A condition's value; None where it is computed."""
    values = tensor.array() if tensor.dtype == "bool" and tensor.data is not None else None
    return bool(values.reshape(-1)[0]) if values is not None and values.size == 1 else None
