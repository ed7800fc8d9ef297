"""One pass over a graph in the order of its data: types of all tensors, and values of those that are fixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

import numpy as np

from npuscope.model.budget import tick
from npuscope.model.graph import MANY, Node, in_order
from npuscope.model.inference import compute, foreign, moves
from npuscope.model.inference.call import Answer, Call, Known, Partial, Rule
from npuscope.model.inference.evaluate import COPIES_NOTHING, EVALUATORS, evaluate
from npuscope.model.inference.folded import DEEPEST, MOST_COMPUTED, FoldedConstant, made_by
from npuscope.model.inference.types import Shape, Types, merged
from npuscope.model.inference.values import MOST_ELEMENTS
from npuscope.model.inspection.extent import elements
from npuscope.model.tensors import UNKNOWN, Array, Constant, TensorType
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.record import dataclass

NODES_A_TICK = 64
"""Nodes that are visited before it is looked at the time."""

SMALL = 1024
"""Elements up to which a value is computed at once and shown to shape rules; larger ones when asked for."""

_MICROSOFT = "com.microsoft"
_STANDARD: dict[str, Rule] = {**compute.RULES, **moves.RULES}
_QUANTIZE, _DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_MOVES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose"})
_PARTIAL = frozenset(
    {
        "Gather",
        "Slice",
        "Concat",
        "Unsqueeze",
        "Squeeze",
        "Reshape",
        "Identity",
        "Add",
        "Sub",
        "Mul",
        "Cast",
        "Div",
    }
)
_BY_THE_FIRST = frozenset(EVALUATORS) - _PARTIAL - {"Shape", "Size"}
"""Operators whose results are fixed only where their first input is."""

_INTEGERS = (6, 7)
"""TensorProto numbers of int32 and int64."""


@dataclass(frozen=True, slots=True, eq=False)
class Inferred:
    """What follows from inputs and constants.

    1. `constants` are values that follow from constants alone.
    2. `derived` are values that follow from the sizes of inputs, and real numbers behind a DequantizeLinear.
    """

    types: dict[str, TensorType]
    constants: dict[str, Constant]
    derived: dict[str, Constant]


def without_rule(nodes: Iterable[Node]) -> list[Node]:
    """The nodes whose operators our own rules do not cover."""
    return [
        node for node in nodes if not (node.domain == "" and node.op in _STANDARD) and _rule(node) is None
    ]


def _rule(node: Node) -> Rule | None:
    if node.domain == _MICROSOFT:
        return foreign.RULES.get(node.op)
    rule = _STANDARD.get(node.op) if node.standard else None
    return foreign.quantizer if rule is None and foreign_quantizer(node) is not None else rule


def infer(
    nodes: Sequence[Node],
    constants: Mapping[str, Constant],
    declared: Types,
    opset: int,
    are_in_order: bool = False,
) -> Inferred:
    """Types and fixed values of all tensors. Never raises for what a model holds."""
    return _Pass(nodes if are_in_order else sorted_nodes(nodes), constants, declared, opset).run()


class _Known(NamedTuple):
    """What holds for all nodes alike: the type of their result, and whether its value may be known, only where that of the first input is."""

    type: TensorType
    fixes: bool
    by_the_first: bool


@dataclass(eq=False)
class _Pass:
    nodes: Iterable[Node]
    stated: Mapping[str, Constant]
    declared: Types
    opset: int
    partial: dict[str, Partial] = field(default_factory=dict)
    quantized: set[str] = field(default_factory=set)
    """Tensors behind the Q or DQ of a constant: the layers read them through it."""
    answers: dict[tuple[object, ...], _Known] = field(default_factory=dict)
    """What rules said of nodes and asked no value for, by all they saw."""
    seen: list[object] = field(default_factory=list)
    """The types they saw, held as long as their identities are."""
    valued: set[str] = field(default_factory=set)
    """Tensors of which the value is known."""
    asked: bool = False
    """A rule asked for a value."""
    one: dict[tuple[str, Shape | None], TensorType] = field(default_factory=dict)
    """A type for each element type and shape, so that nodes alike are told by its identity."""

    def run(self) -> Inferred:
        types = dict(self.declared)
        for name, constant in self.stated.items():
            types[name] = self.type_of(constant.dtype, constant.shape)
        self.inferred = Inferred(types, {}, {})
        self.valued.update(self.stated)
        self.types = types
        for place, node in enumerate(self.nodes):
            if not place % NODES_A_TICK:
                tick()
            self.visit(node)
        return self.inferred

    def visit(self, node: Node) -> None:
        op, inputs, outputs, types = node.op, node.inputs, node.outputs, self.types
        seen = tuple(map(types.get, inputs))
        form: tuple[object, ...] = op, node.domain, len(outputs), *map(id, seen)
        if not node.bare:
            form = *form, node.plain_attributes
        known = self.answers.get(form)
        if known is None:
            known = self.looked_at(node)
            if known is None or len(outputs) != 1 or not outputs[0]:
                return
            # What is absent and what is not known have no type either.
            if seen and None not in seen and node.plain_attributes is not None:
                self.answers[form] = known
                self.seen.append(seen)
            return
        if outputs[0] not in types:  # constants are among those
            types[outputs[0]] = known.type
        else:
            self.record(node, known.type)
        if known.fixes and (not known.by_the_first or inputs[0] in self.valued):
            self.fix(node)

    def looked_at(self, node: Node) -> _Known | None:
        """Visit a node of which no other like it was visited; what holds for all that are, None where nothing does."""
        op, inputs, standard = node.op, node.inputs, node.domain == ""
        rule = (_STANDARD.get(op) if standard else None) or _rule(node)
        if rule is None:
            return None
        answer = self.answer(node, rule)
        self.record(node, answer)
        fixes = op in EVALUATORS and (standard or node.standard)
        by_the_first = op in _BY_THE_FIRST and bool(inputs) and bool(inputs[0])
        alike = isinstance(answer, TensorType) and not self.asked
        if fixes and (not by_the_first or inputs[0] in self.valued):
            self.fix(node)
        return _Known(answer, fixes, by_the_first) if alike and isinstance(answer, TensorType) else None

    def type_of(self, dtype: str, shape: Shape | None) -> TensorType:
        known = self.one.get((dtype, shape))
        if known is None:
            known = self.one[dtype, shape] = TensorType(dtype, shape)
        return known

    def answer(self, node: Node, rule: Rule) -> Answer:
        """What a rule says of a node."""
        read = tuple([self.types.get(name, UNKNOWN) for name in node.inputs])
        self.asked = False
        try:
            answer = rule(Call(node, read, self.opset, self.known))
        except (ArithmeticError, LookupError, TypeError, ValueError):  # attributes of another type or length
            return None
        return (
            self.one.setdefault((answer.dtype, answer.shape), answer)
            if isinstance(answer, TensorType)
            else answer
        )

    def record(self, node: Node, answer: Answer) -> None:
        if answer is None:
            return
        types, stated = self.types, self.stated
        for name, type_ in zip(
            node.outputs, answer if isinstance(answer, tuple) else (answer,), strict=False
        ):
            if name and name not in stated:
                declared = types.get(name)
                types[name] = type_ if declared is None else merged(type_, declared)

    def constant(self, name: str) -> Constant | None:
        return self.stated.get(name) or self.inferred.constants.get(name) or self.inferred.derived.get(name)

    def known(self, name: str) -> Known:
        self.asked = True
        constant = self.constant(name)
        if constant is None:
            return self.partial.get(name)
        return _read(constant) if constant.size <= SMALL else None

    # Values

    def fix(self, node: Node) -> None:
        """Record the values of a node's outputs where they follow from what is known."""
        if node.op in ("Shape", "Size"):
            self.fix_sizes(node)
            return
        for name in node.inputs:
            if name and name not in self.valued:
                if self.partial and node.op in _PARTIAL and not self.partial.keys().isdisjoint(node.inputs):
                    self.fix_partly(node)
                return
        if not node.inputs or not self.stated.keys().isdisjoint(node.outputs):
            return
        into = self.table(node)
        sources = tuple([self.constant(name) if name else None for name in node.inputs])
        for constant in self.folded(node, sources):
            into[constant.name] = constant
            self.valued.add(constant.name)
            self.types[constant.name] = self.type_of(constant.dtype, constant.shape)

    def table(self, node: Node) -> dict[str, Constant]:
        """Where the outputs belong: derived where a size of an input is in them, or they are quantized weights."""
        stored = node.op == _DEQUANTIZE or (node.op == _QUANTIZE and node.input(0) in self.stated)
        if stored or (
            node.op in _MOVES and not self.quantized.isdisjoint(node.inputs) and self.is_real(node.output(0))
        ):
            self.quantized.update(node.outputs)
            return self.inferred.derived
        sized = any(name in self.inferred.derived and name not in self.quantized for name in node.inputs)
        return self.inferred.derived if sized else self.inferred.constants

    def is_real(self, tensor: str) -> bool:
        return self.types.get(tensor, UNKNOWN).dtype in ("float32", "float16", "float64", "bfloat16")

    def folded(self, node: Node, sources: tuple[Constant | None, ...]) -> Iterator[Constant]:
        small = node.op not in (_QUANTIZE, _DEQUANTIZE) and all(s is None or s.size <= SMALL for s in sources)
        sizes = [elements(d) if (d := self.types.get(n, UNKNOWN).shape_if_known) is not None else None
                 for n in node.outputs]  # fmt: skip
        if small and (
            node.op in COPIES_NOTHING
            or node.op == "ConstantOfShape"
            or all(n is not None and n <= SMALL for n in sizes)
        ):
            results = evaluate(node, [None if s is None else _read(s) for s in sources], self.opset)
            for name, value in zip(node.outputs, results or (), strict=False):
                if name:
                    yield Constant.of(name, value)
            return
        steps, made = 1 + max([s.steps for s in sources if s is not None], default=0), made_by(sources)
        shared: list[list[Array]] | None = [] if len(node.outputs) > MANY else None
        for i, (name, count) in enumerate(zip(node.outputs, sizes, strict=True)):
            type_ = self.types.get(name, UNKNOWN)
            shape = type_.shape_if_known
            if (
                not name
                or shape is None
                or count is None
                or count > MOST_ELEMENTS
                or steps > DEEPEST
                or made + count > MOST_COMPUTED
                or type_.dtype == "unknown"
            ):
                continue
            yield FoldedConstant(
                name,
                type_.dtype,
                shape,
                node=node,
                sources=sources,
                position=i,
                opset=self.opset,
                steps=steps,
                made=made + count,
                shared=shared,
            )

    def fix_sizes(self, node: Node) -> None:
        name, shape = node.output(0), self.types.get(node.input(0), UNKNOWN).shape
        if shape is None or not name or name in self.stated:
            return
        table = self.inferred.derived if self.constant(node.input(0)) is None else self.inferred.constants
        if node.op == "Size":
            if all(isinstance(d, int) for d in shape) and (count := elements(shape)) < 1 << 62:  # type: ignore[arg-type]
                table[name] = Constant.of(name, np.array(count, np.int64))
                self.valued.add(name)
            return
        rank = len(shape)
        wanted = shape[slice(node.integer("start", 0), node.integer("end", rank))]
        if all(isinstance(d, int) and 0 <= d < 1 << 63 for d in wanted):
            table[name] = Constant.of(name, np.array(wanted, np.int64))
            self.valued.add(name)
        else:
            values = [float(d) if isinstance(d, int) else np.nan for d in wanted]
            self.partial[name] = Partial(np.array(values, np.float64))

    def fix_partly(self, node: Node) -> None:
        """Follow integers of which some are not known."""
        if node.op == "Cast" and node.integer("to", 0) not in _INTEGERS:
            return
        arrays: list[Array | None] = []
        for name in node.inputs:
            value = self.partial[name].values if name in self.partial else self.known(name) if name else None
            if name and (value is None or isinstance(value, Partial)):
                return
            arrays.append(value)  # type: ignore[arg-type]
        if node.op in ("Add", "Sub", "Mul", "Div"):
            arrays = [None if a is None else a.astype(np.float64) for a in arrays]
        if node.op in ("Cast", "Identity"):
            results: list[Array] | None = [a for a in arrays[:1] if a is not None]
        else:
            results = evaluate(node, arrays, self.opset)
        if results and results[0].size <= SMALL:
            value = np.asarray(results[0], np.float64)
            self.partial[node.output(0)] = Partial(np.trunc(value) if node.op == "Div" else value)


def _read(constant: Constant) -> Array | None:
    from npuscope.model.errors import ModelError

    try:
        return constant.array()
    except ModelError:
        return None


def sorted_nodes(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes, each behind those that make its inputs; as they lie where that holds, without those in a cycle."""
    if in_order(nodes):
        yield from nodes
        return
    made_at = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
    waiting = [len({made_at[name] for name in node.inputs if name in made_at}) for node in nodes]
    readers: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        for maker in {made_at[name] for name in node.inputs if name in made_at}:
            readers.setdefault(maker, []).append(i)
    ready = [i for i, count in enumerate(waiting) if not count]
    for i in ready:  # grows while it is read
        yield nodes[i]
        for reader in readers.get(i, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
