"""Write quantization by arithmetic as QuantizeLinear and DequantizeLinear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Edit, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft
from npuscope.edits.toolkit.rewiring import AXIS_SINCE, only_reader
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers
from npuscope.model.tensors import Array, TensorType
from npuscope.record import dataclass

MOST_STEPS = 6
"""Nodes behind a Round that are looked at: a zero point added and taken off, a Clip, the scale."""

MOST_SCALES = 1 << 16
"""Scales of a tensor, one a channel."""

SHIFTS = {(-128.0, 127.0): 0, (-127.0, 127.0): 0, (0.0, 255.0): 128}
"""Ends of the integers -> what int8 lies below them."""

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4] x) => (float[1,4] y)
<float k = {8.0}, float z = {3.0}, float lo = {-128.0}, float hi = {127.0}, float s = {0.125}>
{ m = Mul(x, k)
  [op] r = Round(m)
  a = Add(r, z)
  c = Clip(a, lo, hi)
  t = Sub(c, z)
  d = Mul(t, s)
  y = Relu(d) }"""


@dataclass(frozen=True, slots=True)
class Chain:
    """Nodes from a scaling through a Round to a scaling back, and the quantization they compute."""

    nodes: tuple[Node, ...]
    source: str
    scale: Array
    axis: int | None
    zero_point: int

    @property
    def last(self) -> Node:
        """The node that writes real numbers again."""
        return self.nodes[-1]


@dataclass(frozen=True, slots=True)
class ArithmeticToQdq(Declared):
    """Write every Mul, Round, Add, Clip, Sub, Mul that quantizes to 8 bits as a QuantizeLinear and a DequantizeLinear.

    1. Scales and zero points are those of the arithmetic; unsigned integers become int8, 128 lower.
    2. Integers from -127 on get one more value below, which is one step from theirs.
    3. Of the whole model at once: a layer is in integers when all of its tensors are.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "arithmetic-to-qdq",
        Exactness.ROUNDING,
        "A quotient and a product with the reciprocal can lie on two sides of a half.",
        operators=("Round",),
        answers=("N101", "N301"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    @property
    def layer(self) -> str:
        """'': the whole model."""
        return ""

    @classmethod
    def for_layer(cls, layer: Layer) -> Iterator[Edit]:
        """It is the same for every layer; of one kind, so that it is not tried for each."""
        if layer.kind == "Round":
            yield cls()

    def describe(self) -> str:
        """'write quantization by arithmetic as Q/DQ'."""
        return "write quantization by arithmetic as QuantizeLinear and DequantizeLinear"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The pairs in the place of the arithmetic, or why there is none."""
        if graph.opset < AXIS_SINCE:
            return Refusal(f"opset {graph.opset} has no scales for channels; {AXIS_SINCE} or later has")
        chains = [chain for node in graph.nodes if (chain := _chain(graph, node)) is not None]
        if not chains:
            return Refusal("the model has no arithmetic that quantizes to 8 bits")
        draft = Draft(graph, chains[0].last)
        removed: set[str] = set()
        replace: dict[str, Node | tuple[Node, ...]] = {}
        for chain in chains:
            begin = len(draft.nodes)
            _pair(draft, chain)
            replace[chain.last.name] = tuple(draft.nodes[begin:])
            removed |= {node.name for node in chain.nodes[:-1]}
        return Patch(frozenset(removed), (), tuple(draft.constants), draft.types, replace)


def _pair(draft: Draft, chain: Chain) -> None:
    graph, result = draft.graph, chain.last.output(0)
    real = graph.type(result)
    scale = draft.constant(f"{result}_scale", chain.scale.astype(np.float32))
    zero = draft.constant(f"{result}_zero_point", np.full(chain.scale.shape, chain.zero_point, np.int8))
    stored = draft.name(f"{result}_{QUANTIZE}_Output")
    attributes = {} if chain.axis is None else {"axis": chain.axis}
    integers = ((stored, TensorType("int8", real.shape)),)
    draft.node(QUANTIZE, f"{result}_{QUANTIZE}", (chain.source, scale, zero), integers, "", **attributes)
    draft.node(
        DEQUANTIZE, f"{result}_{DEQUANTIZE}", (stored, scale, zero), ((result, real),), "", **attributes
    )


def _chain(graph: Graph, node: Node) -> Chain | None:
    """The quantization around a Round; None where something else reads between, or the numbers are of no 8 bits."""
    if node.op != "Round" or not node.standard or graph.type(node.output(0)).dtype != "float32":
        return None
    first = graph.producer(node.input(0))
    if first is None or only_reader(graph, first.output(0)) is not node:
        return None
    nodes, offset, ends, zero = [first, node], 0.0, None, 0.0
    if first.op == "Clip":
        ends = _ends(graph, first)
        scaling = graph.producer(first.input(0))
        if ends is None or scaling is None or only_reader(graph, scaling.output(0)) is not first:
            return None
        nodes.insert(0, scaling)
    factor = _factor(graph, nodes[0])
    current = only_reader(graph, node.output(0))
    for _ in range(MOST_STEPS):
        if current is None or factor is None:
            return None
        nodes.append(current)
        if current.op in ("Add", "Sub") and current.standard:
            added = _constant(graph, current.input(1))
            if added is None or added.size != 1:
                return None
            offset += float(added.reshape(-1)[0]) * (1 if current.op == "Add" else -1)
        elif current.op == "Clip" and current.standard and ends is None:
            ends, zero = _ends(graph, current), offset
        else:
            back = _factor(graph, current)
            return (
                None
                if back is None or offset or ends is None
                else _made(graph, nodes, factor, back, ends, zero)
            )
        current = only_reader(graph, current.output(0))
    return None


def _made(
    graph: Graph, nodes: list[Node], factor: Array, back: Array, ends: tuple[float, float], zero: float
) -> Chain | None:
    shift = SHIFTS.get(ends)
    scale = back.astype(np.float64)
    same = _along(factor) == _along(back) and np.allclose(
        factor.reshape(-1) * scale.reshape(-1), 1, rtol=1e-4, atol=0
    )
    usable = bool((scale > 0).all() and np.isfinite(scale).all())
    if shift is None or not same or not usable or zero != int(zero) or not ends[0] <= zero <= ends[1]:
        return None
    rank = len(graph.type(nodes[-1].output(0)).dims or ())
    axis = None
    if scale.size > 1:
        wide = (*(1,) * (rank - scale.ndim), *scale.shape)
        axes = [i for i, size in enumerate(wide) if size != 1]
        if len(axes) != 1 or len(wide) != rank:
            return None
        axis = axes[0]
    source = next((name for name in nodes[0].inputs if name != _scaled_by(graph, nodes[0])), None)
    if source is None or graph.type(source).dims != graph.type(nodes[-1].output(0)).dims:
        return None
    return Chain(
        tuple(nodes),
        source,
        scale.reshape(-1) if axis is not None else scale.reshape(()),
        axis,
        int(zero) - shift,
    )


def _along(values: Array) -> tuple[int, ...]:
    """The shape without the ones in front, which broadcasting adds."""
    ones = next((i for i, size in enumerate(values.shape) if size != 1), values.ndim)
    return values.shape[ones:]


def _constant(graph: Graph, name: str) -> Array | None:
    constant = graph.constant(name) if name else None
    return constant.array() if constant is not None and 0 < constant.size <= MOST_SCALES else None


def _scaled_by(graph: Graph, node: Node) -> str:
    """The operand of a Mul or Div that is its scale: of two constants the second, as a weight comes first."""
    known = [name for name in node.inputs if _constant(graph, name) is not None]
    return known[-1] if known else ""


def _factor(graph: Graph, node: Node) -> Array | None:
    """What a Mul or Div by a constant multiplies by."""
    if node.op not in ("Mul", "Div") or not node.standard:
        return None
    name = _scaled_by(graph, node)
    values = _constant(graph, name)
    if values is None or (node.op == "Div" and name != node.input(1)):
        return None
    with np.errstate(all="ignore"):
        return np.asarray(values, np.float64) if node.op == "Mul" else 1 / np.asarray(values, np.float64)


def _ends(graph: Graph, node: Node) -> tuple[float, float] | None:
    low, high = _constant(graph, node.input(1)), _constant(graph, node.input(2))
    if low is None or high is None or low.size != 1 or high.size != 1:
        return None
    return float(low.reshape(-1)[0]), float(high.reshape(-1)[0])
