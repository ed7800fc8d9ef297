"""Functions of one tensor that a model writes in several elementwise operators: found by their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from npuscope.edits.toolkit.ranges import dequantized
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, Operand, is_qdq
from npuscope.model.quant import of_node
from npuscope.model.tensors import Array
from npuscope.record import dataclass

MOST_NODES = 8
"""Operators a function is looked for in, Q and DQ not counted."""

NEAR = np.linspace(-8.0, 8.0, 513)
"""Where functions are always compared."""

TAILS = np.outer((-1.0, 1.0), 2.0 ** np.arange(4, 11)).reshape(-1)
"""Where they are compared as well if nothing says how far their values reach."""

Function = Callable[[Array], Array]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A function of one tensor, and the nodes that compute it."""

    source: str
    """What the operators read: a float tensor, behind its DQ where it has one."""
    nodes: tuple[Node, ...]
    """From the one that writes the result back to the first; Q and DQ between them are among them."""
    operators: int
    """How many of them compute."""


def written_as(graph: Graph, node: Node, function: Function, tolerance: float) -> Written | None:
    """The operators up to a node that compute this function of one tensor, the fewest; None where none do.

    `tolerance` holds between -8 and 8, and grows in proportion outside.
    """
    for depth in range(2, MOST_NODES + 1):
        for cone in _cones(graph, node, depth):
            if _same(graph, node.output(0), cone, function, tolerance):
                return cone
    return None


@np.errstate(all="ignore")
def _same(graph: Graph, result: str, cone: Written, function: Function, tolerance: float) -> bool:
    samples = _samples(graph, cone.source)
    values = _value(graph, result, {_stored(graph, cone.source): samples}, cone.operators * 4, set())
    if values is None:
        return False
    allowed = tolerance * np.maximum(1, np.abs(samples) / NEAR[-1])
    return bool(np.all(np.abs(values - function(samples)) <= allowed))


def _samples(graph: Graph, source: str) -> Array:
    """Values to compare at: around 0, and as far as a tensor's quantization reaches, or far."""
    maker = graph.producer(source)
    quant = of_node(graph, maker) if maker is not None and is_qdq(maker) else None
    far = TAILS if quant is None else np.linspace(*quant.range, NEAR.size)
    return np.concatenate((NEAR, far))


def _cones(graph: Graph, node: Node, depth: int) -> Iterator[Written]:
    """The operators before a node up to each tensor that all of them come from."""
    seen: dict[str, None] = {}
    pending = [(name, 1) for name in node.inputs]
    while pending:
        name, steps = pending.pop(0)
        stored = _stored(graph, name)
        if not name or stored in seen or graph.constant(stored) is not None:
            continue
        seen[stored] = None
        maker = graph.producer(_origin(graph, stored))
        if maker is not None and steps < depth and maker.op in FUNCTIONS and maker.standard:
            pending += [(before, steps + 1) for before in maker.inputs]
    for stored in seen:
        nodes = _between(graph, node, stored)
        if nodes is not None:
            computing = [n for n in nodes if not is_qdq(n)]
            read = [t for n in computing for t in n.inputs if _stored(graph, t) == stored]
            if read and len(computing) == depth:
                yield Written(read[0], tuple(nodes), len(computing))


def _between(graph: Graph, node: Node, stored: str) -> list[Node] | None:
    """All nodes from a tensor to a node; None where something else comes in."""
    nodes: dict[str, Node] = {node.name: node}
    pending = list(node.inputs)
    while pending:
        name = pending.pop()
        if not name or _stored(graph, name) == stored or graph.constant(_stored(graph, name)) is not None:
            continue
        maker = graph.producer(name)
        if maker is None or not (is_qdq(maker) or (maker.standard and maker.op in FUNCTIONS)):
            return None
        if maker.name in nodes:
            continue
        nodes[maker.name] = maker
        pending += maker.inputs[:1] if is_qdq(maker) else maker.inputs
        if len(nodes) > 4 * MOST_NODES:
            return None
    return list(nodes.values())


def _stored(graph: Graph, name: str) -> str:
    """What stands for a tensor: the integers its DQ reads, or itself."""
    maker = graph.producer(name)
    return maker.input(0) if maker is not None and is_qdq(maker) and maker.op == DEQUANTIZE else name


def _origin(graph: Graph, stored: str) -> str:
    """The float tensor that a Q stored, or the tensor itself."""
    maker = graph.producer(stored)
    return maker.input(0) if maker is not None and is_qdq(maker) else stored


def _value(
    graph: Graph, name: str, known: dict[str, Array], left: int, failed: set[tuple[str, int]]
) -> Array | None:
    """What a tensor holds where the source holds the samples; rounding on the way left out.

    `known` is what others hold; `failed` are those that were asked for in vain, and with how many operators left.
    """
    stored = _stored(graph, name)
    if name in known or stored in known:
        return known[name if name in known else stored]
    number = _number(graph, name)
    if number is not None:
        return np.asarray(number)
    maker = graph.producer(_origin(graph, stored))
    if (
        maker is None
        or left <= 0
        or not maker.standard
        or maker.op not in FUNCTIONS
        or (name, left) in failed
    ):
        return None
    bounds = _bounds(graph, maker) if maker.op == "Clip" else None
    arguments: list[Array] = []
    for before in maker.inputs[:1] if maker.op == "Clip" else maker.inputs:
        value = _value(graph, before, known, left - 1, failed)
        if value is None:
            break
        arguments.append(value)
    else:
        if len(arguments) >= OPERANDS.get(maker.op, 1) and (bounds is not None or maker.op != "Clip"):
            known[name] = (
                np.clip(arguments[0], *bounds)
                if bounds is not None
                else FUNCTIONS[maker.op](maker, arguments)
            )
            return known[name]
    failed.add((name, left))
    return None


def _number(graph: Graph, name: str) -> float | None:
    """The one value of a constant, behind its DQ where it has one; None where it is none or has several."""
    maker = graph.producer(name)
    stored = _stored(graph, name)
    constant = graph.constant(stored)
    if constant is None or constant.size != 1:
        return None
    quant = of_node(graph, maker) if stored != name and maker is not None else None
    if stored != name and quant is None:
        return None
    operand = Operand(stored, name, graph.type(name), quant, constant)
    return float(dequantized(operand, constant.array()).reshape(-1)[0])


def _bounds(graph: Graph, node: Node) -> tuple[float, float] | None:
    bounds = [-np.inf, np.inf]
    for i, name in enumerate(("min", "max")):
        attribute = node.attribute(name)
        if isinstance(attribute, float):
            bounds[i] = attribute
        if node.input(i + 1):
            number = _number(graph, node.input(i + 1))
            if number is None:
                return None
            bounds[i] = number
    return bounds[0], bounds[1]


def number_of(node: Node, name: str, default: float) -> float:
    """A float attribute."""
    value = node.attribute(name)
    return float(value) if isinstance(value, float) else default


def _gate(node: Node, x: Array) -> Array:
    return np.asarray(np.clip(number_of(node, "alpha", 0.2) * x + number_of(node, "beta", 0.5), 0, 1))


FUNCTIONS: Mapping[str, Callable[[Node, list[Array]], Array]] = {
    "Add": lambda node, v: v[0] + v[1],
    "Sub": lambda node, v: v[0] - v[1],
    "Mul": lambda node, v: v[0] * v[1],
    "Div": lambda node, v: v[0] / v[1],
    "Clip": lambda node, v: v[0],
    "Relu": lambda node, v: np.maximum(v[0], 0),
    "Sigmoid": lambda node, v: 1 / (1 + np.exp(-v[0])),
    "HardSigmoid": lambda node, v: _gate(node, v[0]),
    "Max": lambda node, v: np.maximum(v[0], v[-1]),
    "Min": lambda node, v: np.minimum(v[0], v[-1]),
    "Identity": lambda node, v: v[0],
}
"""Elementwise operators a function is written in."""

OPERANDS = {"Add": 2, "Sub": 2, "Mul": 2, "Div": 2}
"""How many operands those take that take more than one."""
