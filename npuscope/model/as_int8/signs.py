"""Which tensors hold no negative value, from the operators that write them: their zero point will be -128."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from npuscope.model.graph import Graph, Node

NEVER_NEGATIVE = frozenset(
    {
        "Abs", "Exp", "HardSigmoid", "LpPool", "ReduceL1", "ReduceL2", "ReduceSumSquare", "Relu",
        "Sigmoid", "Softmax", "Softplus", "Sqrt",
    }
)  # fmt: skip
"""Operators that write no negative value whatever they read."""

KEEP_THE_SIGN = frozenset(
    {
        "AveragePool", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "GlobalAveragePool",
        "GlobalMaxPool", "Identity", "LeakyRelu", "MaxPool", "PRelu", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze", "HardSwish", "Ceil", "Floor", "Round", "Erf", "Tanh", "Sign", "TopK", "Reciprocal", "CumSum",
    }
)  # fmt: skip
"""Operators that write no negative value where their first input has none."""

KEEP_THE_SIGN_OF_ALL = frozenset({"Add", "Concat", "Div", "Mean", "Min", "Sum"})

MOST_READ = 64
"""Values of a constant that are looked at, at most: scalars and the like, not weights."""


def never_negative(graph: Graph) -> frozenset[str]:
    """Names of the tensors that no negative value can be in."""
    tensors: set[str] = set()

    def good(name: str) -> bool:
        return name in tensors or _constant(graph, name)

    for node in graph.nodes:
        if _writes_none(graph, node, good):
            tensors.update(name for name in node.outputs if name)
    return frozenset(tensors)


def _writes_none(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    if not node.standard:
        return False
    if node.op in NEVER_NEGATIVE:
        return True
    rule = _OTHERS.get(node.op)
    if rule is not None:
        return rule(graph, node, good)
    if node.op in KEEP_THE_SIGN:
        return good(node.input(0))
    return node.op in KEEP_THE_SIGN_OF_ALL and bool(node.inputs) and all(good(n) for n in node.inputs if n)


def _constant(graph: Graph, name: str) -> bool:
    constant = graph.constants.get(name)
    if (
        constant is None
        or constant.size > MOST_READ
        or not constant.dtype.startswith(("float", "int", "uint"))
    ):
        return False
    return bool(np.all(np.asarray(constant.array(), np.float64) >= 0))


def _clip(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    low = node.attribute("min")
    if isinstance(low, float):
        return low >= 0
    return (bool(node.input(1)) and _constant(graph, node.input(1))) or good(node.input(0))


def _multiplied(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    return node.input(0) == node.input(1) or (good(node.input(0)) and good(node.input(1)))


def _largest(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    return any(good(name) for name in node.inputs if name)


def _pad(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    return good(node.input(0)) and (not node.input(2) or good(node.input(2)))


def _resize(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    return node.text("mode", "nearest") != "cubic" and good(node.input(0))


def _where(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    return good(node.input(1)) and good(node.input(2))


def _power(graph: Graph, node: Node, good: Callable[[str], bool]) -> bool:
    exponent = graph.value(node.input(1), 1)
    even = exponent is not None and exponent.size == 1 and float(exponent.reshape(-1)[0]) % 2 == 0
    return even or good(node.input(0))


_OTHERS: Mapping[str, Callable[[Graph, Node, Callable[[str], bool]], bool]] = {
    "Clip": _clip,
    "Max": _largest,
    "Mul": _multiplied,
    "Pad": _pad,
    "Pow": _power,
    "Resize": _resize,
    "Upsample": _resize,
    "Where": _where,
}
