"""Make the inputs and outputs of the graph integers: the application quantizes and dequantizes, or need not."""

from __future__ import annotations

from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import layer_named
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.model.quant import Quant, of_node
from npuscope.model.tensors import TensorType
from npuscope.record import dataclass

HALVES = frozenset({"float16", "bfloat16"})
"""Floats that do not hold scale x integer exactly enough for the same numbers to come out."""


@dataclass(frozen=True, slots=True)
class Border:
    """A float graph input with the Qs that read it, or a float graph output with the DQ that writes it."""

    tensor: str
    is_input: bool
    nodes: tuple[Node, ...]
    quant: Quant


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4] x) => (float[1,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}>
{ [op] q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  [relu] r = Relu(f)
  t = QuantizeLinear(r, s, z)
  y = DequantizeLinear(t, s, z) }"""


@dataclass(frozen=True, slots=True)
class Int8Borders(Declared):
    """Turn float graph inputs and outputs into the integers they are quantized to, under the same names.

    1. `layer` is the QuantizeLinear at an input or the DequantizeLinear at an output; '' takes every border that
       can be made an integer.
    2. The application then feeds round(value / scale) + zero point, and reads (integer - zero point) * scale.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "int8-borders",
        Exactness.BIT_EXACT,
        "The integers inside are the same; only the place of their conversion changes.",
        answers=("N601",),
        example=EXAMPLE,
    )

    layer: str = ""

    def describe(self) -> str:
        """'make graph inputs and outputs int8'."""
        where = f"the graph border at {self.layer}" if self.layer else "all graph inputs and outputs"
        return f"make {where} int8: the application converts"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The graph with integer borders, or why a border has to stay float."""
        if not self.layer:
            outcomes = [border(graph, name, is_input) for name, is_input in _all(graph)]
            borders = [b for b in outcomes if isinstance(b, Border)]
            refused = [b for b in outcomes if isinstance(b, Refusal)]
            if not borders:
                half = next(
                    (n for n in (*graph.inputs, *graph.outputs) if graph.type(n).dtype in HALVES), None
                )
                if half is not None and not refused:
                    return Refusal(
                        f"graph input or output {half!r} is {graph.type(half).dtype}, which rounds what the integers stand for",
                        "export the model with float32 borders",
                    )
                return refused[0] if refused else Refusal("the model has no float inputs or outputs")
            return _patch(graph, borders)
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        node = layer.core
        tensor = node.input(0) if node.op == QUANTIZE else node.output(0)
        if not is_qdq(node) or (tensor not in graph.inputs and tensor not in graph.output_set):
            return Refusal(f"{self.layer} is {with_article(node.op)} inside the graph, not at its border")
        one = border(graph, tensor, node.op == QUANTIZE)
        return one if isinstance(one, Refusal) else _patch(graph, [one])


def _all(graph: Graph) -> list[tuple[str, bool]]:
    names = [(name, True) for name in graph.inputs] + [(name, False) for name in graph.outputs]
    return [(name, is_input) for name, is_input in names if graph.type(name).dtype == "float32"]


def border(graph: Graph, tensor: str, is_input: bool) -> Border | Refusal:
    """What quantizes a graph input or dequantizes a graph output, or why it has to stay float."""
    side = "input" if is_input else "output"
    readers = [graph.nodes[i] for i in graph.consumers.get(tensor, ())]
    if is_input:
        nodes = readers
        wanted = QUANTIZE
        if tensor in graph.output_set:
            return Refusal(f"graph input {tensor!r} is a graph output as well")
    else:
        maker = graph.producer(tensor)
        nodes, wanted = [maker] if maker is not None else [], DEQUANTIZE
        if readers:
            return Refusal(
                f"graph output {tensor!r} is also read by {readers[0].op} {readers[0].name}, in float"
            )
    if not nodes or not all(is_qdq(n) and n.op == wanted for n in nodes):
        other = next((n for n in nodes if not is_qdq(n)), None)
        by = f": {other.op} {other.name} {'reads' if is_input else 'writes'} it" if other is not None else ""
        return Refusal(f"graph {side} {tensor!r} is not quantized{by}", "quantize that layer first")
    if graph.type(tensor).dtype in HALVES:
        return Refusal(
            f"graph {side} {tensor!r} is {graph.type(tensor).dtype}, which rounds what the integers stand for",
            "export the model with float32 borders",
        )
    quants = [of_node(graph, node) for node in nodes]
    first = quants[0]
    if first is None or first.per_channel or first.dtype not in ("int8", "uint8"):
        return Refusal(f"graph {side} {tensor!r} has no single 8-bit scale")
    if not all(first.same_as(quant) for quant in quants):
        return Refusal(f"graph input {tensor!r} is quantized on {len(quants)} different grids")
    return Border(tensor, is_input, tuple(nodes), first)


def _patch(graph: Graph, borders: list[Border]) -> Patch | Refusal:
    removed: set[str] = set()
    swapped: dict[str, str] = {}
    written: dict[str, str] = {}
    types: dict[str, TensorType] = {}
    for one in borders:
        types[one.tensor] = TensorType(one.quant.dtype, graph.type(one.tensor).shape)
        removed |= {node.name for node in one.nodes}
        if one.is_input:
            swapped |= {node.output(0): one.tensor for node in one.nodes}
            continue
        stored = one.nodes[0].input(0)
        maker = graph.producer(stored)
        if maker is None or stored in graph.output_set or stored in written or maker.name in removed:
            return Refusal(
                f"the integers of graph output {one.tensor!r} are a graph input or output of their own"
            )
        written[stored] = swapped[stored] = one.tensor
    if any(stored in graph.output_set for stored in swapped):
        return Refusal("a graph output would be a graph input as it is")
    touched = {graph.nodes[i].name for name in swapped for i in graph.consumers.get(name, ())}
    touched |= {graph.nodes[graph.producers[name]].name for name in written}
    replace = {}
    for name in touched - removed:
        node = graph.nodes[graph.node_index[name]]
        if node.op in CONTROL_FLOW:
            return Refusal(f"{node.op} {name} reads a border tensor inside its body")
        outputs = tuple(written.get(output, output) for output in node.outputs)
        replace[name] = rewired(substituted(node, swapped), outputs=outputs)
    return Patch(frozenset(removed), (), types=types, replace=replace)
