"""What the checks of shapes read of a node, and how a message writes a shape."""

from __future__ import annotations

from collections.abc import Callable

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import Dim

SMALL = 1 << 12


Check = Callable[[Graph, Node], str]


def shape_at(graph: Graph, node: Node, position: int) -> Shape | None:
    """Shape of an input; None where it is absent or not known."""
    return graph.type(node.input(position)).shape if node.input(position) else None


def differ(a: Dim, b: Dim) -> bool:
    """Both sizes are known, and not equal."""
    return isinstance(a, int) and isinstance(b, int) and a != b


def unequal(a: Shape, b: Shape) -> bool:
    """Ranks differ, or sizes that are known."""
    return len(a) != len(b) or any(map(differ, a, b))


def as_text(shape: Shape) -> str:
    """'1x3x?x8'."""
    return "x".join("?" if not isinstance(d, int) else str(d) for d in shape) or "a single number"


def spreads(shape: Shape, to: Shape) -> bool:
    """The shape broadcasts to the other, which stays as it is."""
    if len(shape) > len(to):
        return False
    return not any(differ(d, t) and d != 1 for d, t in zip(reversed(shape), reversed(to), strict=False))


NEVER_CONTRADICTED = frozenset(
    {"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "CastLike", "Ceil",
     "Celu", "Clip", "Constant", "ConstantOfShape", "Cos", "Cosh", "CumProd", "CumSum", "DynamicQuantizeLinear", "Elu", "Erf",
     "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log",
     "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "NonZero", "Not", "Range", "Reciprocal", "Relu",
     "Round", "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Softplus", "Softsign",
     "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"}
)  # fmt: skip
"""Operators which no shape contradicts, also by onnx's own inference, but for those of parameters."""

SPREADING_SINCE_8 = frozenset({"Max", "Mean", "Min", "Sum"})
"""Operators whose operands must be of one shape before opset 8."""
