"""Quantized constants behind operators that pick, join, convert or scale them: their quantization goes on with them.

A DequantizeLinear of a constant and then a Slice, Split, Gather, Concat, Cast, Pad with zeros, or a Mul or Div by positive constants is
still int8 weights with known scales: exporters of grouped heads, of float16 models and of weight norms write it so, and
a compiler that folds constants meets integers and scales.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, replace

import numpy as np

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at
from npuscope.model.inference.evaluate import evaluate
from npuscope.model.inference.folded import DEEPEST, ComputedConstant
from npuscope.model.inspection.extent import elements
from npuscope.model.layer import Operand
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array, Constant, TensorType
from npuscope.record import record

MOST_ELEMENTS = 1 << 26
MOST_PARTS = 1024
"""Outputs of a Split up to which its parts are weights of groups: to read one is to make all of them."""
MOST_SCALES = 1 << 20
MOST_FACTORS = 1 << 20
_FOLDED = frozenset({"Slice", "Split", "Gather", "Cast", "Concat", "Pad", "Mul", "Div"})
_FLOATS = frozenset({"float32", "float16", "float64", "bfloat16"})


@record(eq=False)
class CombinedConstant(ComputedConstant):
    """What a node makes of constants."""

    function: Callable[[Sequence[Array]], Array] | None = field(default=None, repr=False)

    def compute(self, arrays: Sequence[Array | None]) -> list[Array]:
        """What the node makes of the values of the sources."""
        assert self.function is not None
        return [self.function([array for array in arrays if array is not None])]


def combines(graph: Graph, node: Node) -> bool:
    """The node may make a quantized constant of quantized ones."""
    return (
        node.op in _FOLDED
        and node.standard
        and len(node.outputs) <= MOST_PARTS
        and graph.is_fixed(node)
        and not graph.gives_out(node)
    )


def combined(graph: Graph, node: Node, tensor: str, operand: Callable[[str], Operand]) -> Operand | None:
    """The constant that a node makes of quantized ones; None where it is another node or the scales are lost."""
    if not combines(graph, node):
        return None
    type_ = graph.type(tensor)
    if type_.dims is None or type_.dtype not in _FLOATS or elements(type_.dims) > MOST_ELEMENTS:
        return None
    if node.op == "Concat":
        source = _joined(node, [operand(name) for name in node.inputs])
    elif node.op in ("Mul", "Div"):
        source = _scaled(graph, node, operand)
    else:
        source = _picked(graph, node, operand(node.input(0)), node.outputs.index(tensor))
    if source is None or source[1].steps > DEEPEST:
        return None
    quant, joined = source
    constant = replace(joined, name=tensor, shape=type_.dims)
    return Operand(f"{tensor}_quantized", tensor, TensorType(quant.dtype, type_.dims), quant, constant)


def _dequantized_constant(operand: Operand) -> tuple[Quant, Constant] | None:
    """Quantization and values of a constant behind a DequantizeLinear."""
    quant, constant = operand.quant, operand.constant
    if quant is None or constant is None or quant.block_size or operand.tensor == operand.seen:
        return None
    return quant, constant


def _picked(graph: Graph, node: Node, operand: Operand, position: int) -> tuple[Quant, Constant] | None:
    stored = _dequantized_constant(operand)
    if stored is None:
        return None
    quant, constant = stored
    if node.op == "Cast":
        return quant, _lazy(lambda values: values[0], constant)
    others = [graph.value(name) if name else None for name in node.inputs[1:]]
    if any(value is None and name for value, name in zip(others, node.inputs[1:], strict=True)):
        return None
    if node.op == "Pad":
        if quant.zero_point.any() or not _zeros_around(node, others):
            return None
        others = others[:1]  # the 0 is one of integers here

    def run(values: Array) -> Array | None:
        made = evaluate(node, [values, *others], graph.opset)
        return made[position] if made is not None and position < len(made) else None

    def compute(values: Sequence[Array]) -> Array:
        made = run(values[0])
        if made is None:
            raise ModelError(f"tensor {constant.name!r} cannot be read as {node.name!r} picks from it")
        return made

    if quant.per_channel:
        axis = axis_at(quant.axis or 0, len(constant.shape))
        if axis is None or constant.shape[axis] != quant.scale.size:
            return None
        row = [-1 if i == axis else 1 for i in range(len(constant.shape))]
        channels = run(np.broadcast_to(np.arange(quant.scale.size).reshape(row), constant.shape))
        if channels is None or channels.ndim != len(constant.shape) or not channels.size:
            return None
        kept = channels.max(axis=tuple(i for i in range(channels.ndim) if i != axis))  # a pad holds 0
        quant = replace(quant, scale=quant.scale[kept], zero_point=quant.zero_point[kept])
    return quant, _lazy(compute, constant)


def _zeros_around(node: Node, others: Sequence[Array | None]) -> bool:
    """A Pad adds zeros, and only adds; `others` are its pads, value and axes."""
    pads, *more = others or [None]
    return (
        pads is not None
        and not (pads < 0).any()
        and node.text("mode", "constant") == "constant"
        and not any(given is not None and (given.any() or at) for at, given in enumerate(more))
    )


def _joined(node: Node, operands: list[Operand]) -> tuple[Quant, Constant] | None:
    parts = [_dequantized_constant(operand) for operand in operands]
    if not parts or None in parts:
        return None
    stored = [part for part in parts if part is not None]
    first, constant = stored[0]
    rank = len(constant.shape)
    axis = axis_at(node.integer("axis", 0), rank)
    if axis is None or any(q.dtype != first.dtype or c.dtype != constant.dtype for q, c in stored):
        return None
    if any(len(c.shape) != rank for _, c in stored):
        return None
    if any(not q.same_as(first) for q, _ in stored) or (
        first.per_channel and axis_at(first.axis or 0, rank) == axis
    ):
        if sum(c.shape[axis] for _, c in stored) > MOST_SCALES:
            return None
        along = [_spread(q, c, axis) for q, c in stored]
        if any(part is None for part in along):
            return None
        known = [part for part in along if part is not None]
        scale, zero = (np.concatenate([part[i] for part in known]) for i in range(2))
        first = Quant(first.dtype, scale, zero, axis)

    def compute(values: Sequence[Array]) -> Array:
        return np.concatenate(list(values), axis)

    return first, _lazy(compute, *(c for _, c in stored))


def _spread(quant: Quant, constant: Constant, axis: int) -> tuple[Array, Array] | None:
    """A scale and a zero point for each place along the axis."""
    size = constant.shape[axis]
    if not quant.per_channel:
        return np.repeat(quant.scale, size), np.repeat(quant.zero_point, size)
    if axis_at(quant.axis or 0, len(constant.shape)) != axis or quant.scale.size != size:
        return None
    return quant.scale, quant.zero_point


def _scaled(graph: Graph, node: Node, operand: Callable[[str], Operand]) -> tuple[Quant, Constant] | None:
    """Weights times positive constants: the scales take them in."""
    for at_weights, at_factors in ((0, 1), (1, 0)):
        if node.op == "Div" and at_weights:
            return None
        stored = _dequantized_constant(operand(node.input(at_weights)))
        factors = graph.value(node.input(at_factors), MOST_FACTORS) if node.input(at_factors) else None
        if stored is not None and factors is not None and factors.dtype.kind == "f":
            return _times(node, *stored, np.asarray(factors, np.float32))
    return None


def _times(node: Node, quant: Quant, constant: Constant, factors: Array) -> tuple[Quant, Constant] | None:
    rank = len(constant.shape)
    if not (np.isfinite(factors) & (factors > 0)).all() or factors.ndim > rank or not factors.size:
        return None
    factors = factors.reshape((1,) * (rank - factors.ndim) + factors.shape)
    wide = [i for i, size in enumerate(factors.shape) if size != 1]
    if len(wide) > 1 or any(factors.shape[i] != constant.shape[i] for i in wide):
        return None
    if quant.per_channel and wide and axis_at(quant.axis or 0, rank) != wide[0]:
        return None
    flat = factors.reshape(-1) if node.op == "Mul" else 1 / factors.reshape(-1)
    scale = (quant.scale * flat).astype(np.float32)
    zero = np.broadcast_to(quant.zero_point, scale.shape)
    axis = wide[0] if wide else quant.axis
    real = constant.dtype in _FLOATS  # weights kept in float before a Q

    def compute(values: Sequence[Array]) -> Array:
        weights = values[0]
        if not real:
            return weights
        return np.asarray(weights * factors if node.op == "Mul" else weights / factors)

    return replace(quant, scale=scale, zero_point=zero, axis=axis), _lazy(compute, constant)


def _lazy(function: Callable[[Sequence[Array]], Array], *sources: Constant) -> CombinedConstant:
    like = sources[0]
    steps = 1 + max(source.steps for source in sources)
    return CombinedConstant(
        like.name, like.dtype, like.shape, sources=sources, function=function, steps=steps
    )
