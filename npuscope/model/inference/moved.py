"""Constants that a Transpose, Reshape or the like brings into another shape before an operator reads them.

Exporters of trained quantization write weights as Q -> DQ -> Transpose -> MatMul, converters from TFLite as
DQ -> Transpose -> Reshape -> Conv, and PyTorch shares weights through Identity. Compilers compute all that once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.folded import DEEPEST, ComputedConstant
from npuscope.model.layer import DEQUANTIZE, QUANTIZE, RESHAPES, Operand, is_qdq
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array, TensorType
from npuscope.record import record

MOST_STEPS = 6
_FLOATS = frozenset({"float32", "float16", "float64", "bfloat16"})


@record(eq=False)
class MovedConstant(ComputedConstant):
    """A constant in another shape."""

    permutation: tuple[int, ...] | None = None

    def compute(self, arrays: Sequence[Array | None]) -> list[Array]:
        """The values of the source, in this order and shape."""
        (values,) = arrays
        assert values is not None
        moved = values if self.permutation is None else values.transpose(self.permutation)
        return [moved.reshape(self.shape)]


def moves_constant(graph: Graph, node: Node, steps: int = MOST_STEPS) -> bool:
    """The node writes a float constant in another shape, and only other nodes read it."""
    if node.op not in RESHAPES and node.op != "Transpose":
        return False
    if not node.standard or not node.inputs or not steps or node.output(0) in graph.output_set:
        return False
    if graph.type(node.output(0)).dtype not in _FLOATS:
        return False
    if any(name and graph.constant(name) is None for name in node.inputs[1:]):
        return False
    tensor = node.input(0)
    if graph.constant(tensor) is not None:
        return True
    before = graph.producer(tensor)
    if before is None:
        return False
    return _holds_constant(graph, before) if is_qdq(before) else moves_constant(graph, before, steps - 1)


def _holds_constant(graph: Graph, node: Node) -> bool:
    """A DQ of a constant, or of a Q of one."""
    if node.op != DEQUANTIZE:
        return False
    if graph.constant(node.input(0)) is not None:
        return True
    before = graph.producer(node.input(0))
    if before is None or not is_qdq(before) or before.op != QUANTIZE:
        return False
    return graph.constant(before.input(0)) is not None


def movers(graph: Graph, tensor: str) -> tuple[Node, ...]:
    """The nodes that brought a constant into its shape, the first one first."""
    path: list[Node] = []
    node = graph.producer(tensor)
    while node is not None and moves_constant(graph, node):
        path.append(node)
        node = graph.producer(node.input(0))
    return tuple(reversed(path))


def dequantize_of(graph: Graph, tensor: str) -> Node | None:
    """The node that writes a tensor, or what a constant was before it was brought into its shape."""
    moving = movers(graph, tensor)
    return graph.producer(moving[0].input(0) if moving else tensor)


def moved(graph: Graph, node: Node, operand: Operand) -> Operand | None:
    """What the node makes of a constant operand; None where its shape or the axis of its scales is lost."""
    constant, shape = operand.constant, graph.type(node.output(0)).dims
    if constant is None or shape is None or math.prod(shape) != constant.size:
        return None
    permutation = _permutation(node, len(constant.shape))
    if permutation is not None and tuple(constant.shape[i] for i in permutation) != shape:
        return None
    quant = operand.quant
    if quant is not None and quant.per_channel:
        quant = _along(quant, constant.shape, shape, permutation)
        if quant is None:
            return None
    if constant.steps >= DEEPEST:
        return None
    name = node.output(0)
    permuted = MovedConstant(
        name, constant.dtype, shape, sources=(constant,), permutation=permutation, steps=constant.steps + 1
    )
    stored = operand.tensor if operand.tensor != operand.seen else name
    return Operand(stored, name, TensorType(operand.type.dtype, shape), quant, permuted)


def _permutation(node: Node, rank: int) -> tuple[int, ...] | None:
    if node.op != "Transpose":
        return None
    perm = node.integers("perm")
    return perm if perm is not None and sorted(perm) == list(range(rank)) else tuple(reversed(range(rank)))


def _along(
    quant: Quant, before: tuple[int, ...], after: tuple[int, ...], permutation: tuple[int, ...] | None
) -> Quant | None:
    """The scales along the axis that theirs has become."""
    assert quant.axis is not None
    axis = quant.axis + len(before) if quant.axis < 0 else quant.axis
    if not 0 <= axis < len(before):
        return None
    if before == after and permutation is None:
        return quant
    if quant.block_size:
        return None
    if permutation is not None:
        return replace(quant, axis=permutation.index(axis))
    for place, size in enumerate(after):
        if size == before[axis] and math.prod(after[:place]) == math.prod(before[:axis]):
            return replace(quant, axis=place)
    return None
