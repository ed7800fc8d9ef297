"""Drop a DequantizeLinear and QuantizeLinear that change nothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import layer_named
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.quant import of_node
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x) => (int8[1,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}>
{ f = DequantizeLinear(x, s, z)
  [op] q = QuantizeLinear(f, s, z)
  r = DequantizeLinear(q, s, z)
  a = Relu(r)
  y = QuantizeLinear(a, s, z) }"""


@dataclass(frozen=True, slots=True)
class DropPair(Declared):
    """Remove a DQ and Q of equal scale, zero point and type; what read them reads the integers before them.

    The DQ stays where something else reads it.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "drop-pair",
        Exactness.BIT_EXACT,
        "Every integer comes back as itself.",
        operators=("QuantizeLinear",),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'drop DequantizeLinear and QuantizeLinear at x_QuantizeLinear'."""
        return f"drop the DequantizeLinear/QuantizeLinear pair {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The graph without the pair, or why it does something."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        quantize = layer.core
        before = graph.producer(quantize.input(0))
        if quantize.op != QUANTIZE or not is_qdq(quantize) or before is None or not is_qdq(before):
            return Refusal(f"{self.layer} is not a DequantizeLinear with a QuantizeLinear behind it")
        differs = _difference(graph, layer, before, quantize)
        if differs is not None:
            return differs
        return _patch(graph, before, quantize)


def _difference(graph: Graph, layer: Layer, before: Node, quantize: Node) -> Refusal | None:
    if before.op != DEQUANTIZE:
        return Refusal(f"{layer.name} has another {before.op} before it, no {DEQUANTIZE}")
    old, new = of_node(graph, before), of_node(graph, quantize)
    if old is None or new is None:
        return Refusal(f"the scales of {layer.name} are computed by the model, so they may differ")
    if not old.same_as(new) or old.block_size != new.block_size:
        if old.dtype == new.dtype and not old.per_channel and not new.per_channel:
            return Refusal(
                f"{layer.name} changes scale {old.scale[0]:g}, zero point {old.zero} "
                f"to scale {new.scale[0]:g}, zero point {new.zero}"
            )
        return Refusal(
            f"{layer.name} changes its quantization from {old.dtype} to {new.dtype} or along an axis"
        )
    if not (np.isfinite(old.scale).all() and (old.scale > 0).all()) or old.dtype not in ("int8", "uint8"):
        return Refusal(f"{layer.name} is a {old.dtype} pair, whose values need not come back as themselves")
    return None


def _patch(graph: Graph, before: Node, quantize: Node) -> Patch | Refusal:
    kept, dropped = before.input(0), quantize.output(0)
    replace: dict[str, Node] = {}
    if dropped in graph.output_set:
        # An output keeps its name, so what writes the integers writes them under that name.
        maker = graph.producer(kept)
        if maker is None or kept in graph.output_set or kept in graph.constants:
            return Refusal(
                f"{dropped!r} and {kept!r} are both tensors the model's user sees; the pair joins them"
            )
        replace[maker.name] = rewired(
            maker, outputs=tuple(dropped if o == kept else o for o in maker.outputs)
        )
        kept, dropped = dropped, kept
    removed = {quantize.name}
    others = [i for i in graph.consumers.get(before.output(0), ()) if graph.nodes[i].name != quantize.name]
    if not others and before.output(0) not in graph.output_set:
        removed.add(before.name)
    for name in {graph.nodes[i].name for i in graph.consumers.get(dropped, ())} - removed:
        node = replace.get(name, graph.nodes[graph.node_index[name]])
        if node.op in CONTROL_FLOW:
            return Refusal(f"{node.op} {name} reads {dropped!r} inside its body")
        replace[name] = substituted(node, {dropped: kept})
    return Patch(frozenset(removed), (), replace=replace)
