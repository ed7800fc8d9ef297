"""Pad the channels of a stream of tensors that many layers share, with zeros added once where it begins."""

from __future__ import annotations

from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.channel_region import AddedChannels, NotClosedError, Region
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.padding import added_zeros, first_channels, grid_before, wide_type, widened
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.sizes import machine_limits
from npuscope.edits.toolkit.stream_region import Stream, stream
from npuscope.edits.toolkit.weighted import weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layers, is_qdq
from npuscope.record import dataclass

LEAST_LAYERS = 2
"""Layers that must gain input channels; for one, `PadChannels` does."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] x) => (int8[1,4,4,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, FIRST, LAST>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, wz)
  v = DequantizeLinear(vq, ws, wz)
  [op] r = Conv(f, w)
  t = QuantizeLinear(r, s, z)
  u = DequantizeLinear(t, s, z)
  [sum] a = Add(f, u)
  k = QuantizeLinear(a, s, z)
  m = DequantizeLinear(k, s, z)
  [last] o = Conv(m, v)
  y = QuantizeLinear(o, s, z) }""".replace("FIRST", numbers("int8", "4,4,1,1", "wq")).replace(
    "LAST", numbers("int8", "4,4,1,1", "vq")
)


@dataclass(frozen=True, slots=True)
class PadStream(Declared):
    """Pad the input channels of a Conv, Gemm or MatMul to `channels`, together with all layers that share them.

    1. Residual sums tie tensors together: summands must have the same number of channels. All of them get zeros, and the
       layers that make or read them zero weights.
    2. Where the stream begins at something that cannot make them, a graph input for one, a Pad does, once; where it
       ends at something that cannot take them, a Slice takes them away. Both stand between Q/DQ of the tensor's grid.
    3. Inputs and outputs of the model keep their shapes.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "pad-stream",
        Exactness.BIT_EXACT,
        "Zeros are added to each sum.",
        operators=("Conv", "Gemm", "MatMul"),
        example=EXAMPLE,
        fields={"channels": 8},
    )

    layer: str
    channels: int

    def describe(self) -> str:
        """'pad the stream of Conv_3 to 264 channels'."""
        return f"pad the stream of {self.layer} to {self.channels} channels"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The zeros, or why they cannot be added."""
        weighted = weighted_layer(graph, layers, self.layer, "padded")
        if isinstance(weighted, Refusal):
            return weighted
        present = weighted.in_channels
        if weighted.group > 1:
            return Refusal(f"{self.layer} has {weighted.group} groups")
        if not present < self.channels <= machine_limits().dimension:
            return Refusal(
                f"{self.layer} has {present} input channels, which cannot be padded to {self.channels}",
                f"give {present + 1} to {machine_limits().dimension}",
            )
        try:
            widened_stream = stream(
                graph,
                layers,
                weighted.input.seen,
                AddedChannels(weighted.input_axis, self.channels - present),
            )
        except NotClosedError as error:
            return Refusal(f"the stream into {self.layer} cannot be padded: {error}")
        if sum(into > 0 for _, into, _ in widened_stream.region.layers.values()) < LEAST_LAYERS:
            return Refusal(f"no other layer shares the input channels of {self.layer}", "pad the layer alone")
        if not widened_stream.padded and not widened_stream.cut:
            return Refusal(
                f"the stream into {self.layer} has no borders", "pad the layer: that does the same"
            )
        return _patch(Draft(graph, weighted.layer.core), widened_stream)


def _patch(draft: Draft, widened_stream: Stream) -> Patch | Refusal:
    graph, region = draft.graph, widened_stream.region
    inside = widened(draft, region)
    borders = (*widened_stream.padded, *widened_stream.cut)
    wide_names = {name: draft.name(f"{name}_wide") for name in borders}
    types = {**inside.types}
    for name in borders:
        types[wide_names[name]] = wide_type(graph.type(name), region.tensors[name])
        types[name] = graph.type(name)
    replace: dict[str, tuple[Node, ...]] = {}
    for name in inside.replace:
        replace[name] = tuple(
            rewired(
                node,
                tuple(wide_names.get(one, one) for one in node.inputs),
                tuple(wide_names.get(one, one) for one in node.outputs),
            )
            for node in inside.at(graph.nodes[graph.node_index[name]])
        )
    for name in borders:
        maker, wide = graph.producer(name), region.tensors[name]
        assert maker is not None, "borders are outputs of DQs"
        behind = is_qdq(maker)
        grid = grid_before(graph, name) if behind else _grid_behind(graph, name, region)
        if grid is None:
            return Refusal(f"{name} has no scale of its own")
        draft.pattern, start = maker, len(draft.nodes)
        base = maker.input(0) or name
        if name in widened_stream.padded:
            added_zeros(draft, name, graph.type(name), wide, f"{base}_pad", grid, into=wide_names[name])
        else:
            dims = graph.type(name).dims
            assert dims is not None, "the region has looked at it"
            source, part = wide_names[name], name
            if behind:
                part = draft.name(f"{base}_slice_output")
            else:
                source = draft.quantized(source, types[source], grid)
            first_channels(draft, source, wide.axis, dims[wide.axis], f"{base}_slice", part, graph.type(name))
            if behind:
                draft.quantized(part, graph.type(name), grid, into=name)
        replace[maker.name] = (*replace.get(maker.name, (maker,)), *draft.nodes[start:])
    return Patch(inside.remove, (), tuple(draft.constants), {**draft.types, **types}, replace)


def _grid_behind(graph: Graph, tensor: str, region: Region) -> Grid | None:
    """The grid of the Q outside the region that reads a tensor."""
    for index in graph.consumers.get(tensor, ()):
        node = graph.nodes[index]
        if is_qdq(node) and node.name not in region.nodes and graph.value(node.input(1), 1) is not None:
            return grid_of(graph, node)
    return None
