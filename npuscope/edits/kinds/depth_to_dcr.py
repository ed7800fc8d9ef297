"""Give a DepthToSpace mode DCR, for which the runtime has a routine, by reordering the kernels before it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.relayout import relaid
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.edits.toolkit.sizes import bounded
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import ACTIVATIONS, Layers, is_qdq
from npuscope.model.tensors import Array
from npuscope.record import dataclass

MOST_STEPS = 6
"""Nodes between the Conv and the DepthToSpace: an activation, a Q and a DQ, with room for a second pair."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,3,3] x) => (int8[1,2,6,6] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, WEIGHTS>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, wz)
  c = Conv(f, w)
  d = QuantizeLinear(c, s, z)
  e = DequantizeLinear(d, s, z)
  [op] r = DepthToSpace <blocksize = 2, mode = "CRD"> (e)
  y = QuantizeLinear(r, s, z) }""".replace("WEIGHTS", numbers("int8", "8,2,1,1", "wq"))


@dataclass(frozen=True, slots=True)
class DepthToDcr(Declared):
    """Turn a DepthToSpace of mode CRD (a PixelShuffle) after a Conv into one of mode DCR.

    The modes differ in the order of the channels they read, so the Conv writes its channels in the other order: its
    kernels, biases and their scales are exchanged. No node is added; the tensors in the other order get other names.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "depth-to-dcr",
        Exactness.BIT_EXACT,
        "Every channel keeps its values.",
        operators=("DepthToSpace",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write DepthToSpace_9 in mode DCR'."""
        return f"write {self.layer} in mode DCR"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The other mode and the other order, or why the channels cannot be exchanged."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        node = layer.core
        if node.op != "DepthToSpace" or not node.standard or node.text("mode", "DCR") != "CRD":
            return Refusal(f"{self.layer} is not a DepthToSpace of mode CRD")
        way = _way(graph, node)
        reader = layers.of_node.get(way[0].name) if way else None
        if reader is None:
            return Refusal(
                f"the input of {self.layer} has other readers, or no Conv writes it",
                "put a 1x1 Conv that exchanges the channels before it",
            )
        weighted = weighted_layer(graph, layers, reader.name, "reordered", qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        if weighted.group != 1:
            return Refusal(f"{reader.name} is not a Conv of one group, so its kernels keep their order")
        return _patch(graph, node, weighted, way[1:])


def _way(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The Conv whose output reaches a node alone, and what lies between: an activation of one number, Q/DQ of one scale.

    () where there is none.
    """
    tensor, way = node.input(0), tuple[Node, ...]()
    for _ in range(MOST_STEPS):
        maker = graph.producer(tensor)
        if maker is None or len(graph.consumers.get(tensor, ())) != 1 or tensor in graph.output_set:
            return ()
        way = (maker, *way)
        if maker.op in ("Conv", "ConvTranspose"):
            return way
        scale = graph.value(maker.input(1), 1) if is_qdq(maker) else None
        if scale is None and not (maker.standard and maker.op in ACTIVATIONS):
            return ()
        tensor = maker.input(0)
    return ()


def _patch(graph: Graph, node: Node, weighted: Weighted, between: tuple[Node, ...]) -> Patch | Refusal:
    block = node.integer("blocksize", 2)
    channels, name = weighted.out_channels, weighted.layer.name
    if block < 1 or channels % block**2:
        return Refusal(f"{channels} channels do not make blocks of {block}x{block}")
    # CRD has the channels outside, DCR the places in the block.
    bounded(channels)
    order = np.arange(channels).reshape(-1, block, block).transpose(1, 2, 0).reshape(-1)
    draft = Draft(graph, weighted.layer.core)
    axis = weighted.weight.quant.axis if weighted.weight.quant is not None else None
    place = axis % weighted.values.ndim if axis is not None else 0
    values = np.ascontiguousarray(np.take(weighted.values, order, weighted.weight_out))
    along = order if axis is not None and place == weighted.weight_out else None
    weight = relaid(draft, graph, weighted.weight, f"{name}_dcr_weight", values, place, order=along)
    fresh = {weighted.weight.seen: weight}
    bias = weighted.layer.bias
    if bias is not None and bias.constant is not None and bias.constant.size > 1:
        biases: Array = bias.constant.array()
        several = order if bias.quant is not None and bias.quant.per_channel else None
        fresh[bias.seen] = relaid(draft, graph, bias, f"{name}_dcr_bias", biases[order], 0, order=several)
    core, turned = weighted.layer.core, {}
    for step in (core, *between):
        name = step.output(0)
        fresh[name] = draft.name(f"{name}_dcr")
        draft.types[fresh[name]] = graph.type(name)
        turned[step.name] = rewired(substituted(step, fresh), outputs=(fresh[name],))
    nodes = (*draft.nodes, turned[core.name])
    removed = removed_with(graph, (core,), list(nodes)) - {core.name}
    last = rewired(substituted(node, fresh), mode="DCR")
    return Patch(
        removed, (), tuple(draft.constants), draft.types, {**turned, core.name: nodes, node.name: last}
    )
