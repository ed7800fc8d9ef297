"""Move a quantization before the operators that only move values, so that the layer before them has its own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.relayout import REORDERING
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import ACTIVATIONS, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] x) => (int8[4,16] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, int64[2] t = {4, 16}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Sigmoid(f)
  m = Reshape(r, t)
  y = QuantizeLinear(m, s, z) }"""


@dataclass(frozen=True, slots=True)
class MoveQuantize(Declared):
    """Give a layer whose QuantizeLinear comes only after a Reshape or the like its own Q/DQ pair, on the same grid.

    1. Between layer and Q there may be a Relu or Clip, and then Reshape, Flatten, Squeeze, Unsqueeze, Identity and
       Transpose. All readers of what lies between must end in a Q, all on one grid.
    2. The Q after them stays, as onnxruntime's quantizer writes one on either side; on values that lie on its grid
       it changes nothing.
    3. A Reshape or the like that reads a float graph input and has a Q gets the pair before itself: the input can then
       become an integer (int8-borders).
    """

    declaration: ClassVar[Declaration] = Declaration(
        "move-quantize",
        Exactness.BIT_EXACT,
        "Values are only moved.",
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'quantize the output of node_mean before its Reshape'."""
        return f"quantize the output of {self.layer} before it is reshaped"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer with its own Q/DQ, or why there is none to move."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if is_qdq(layer.core) or len(layer.core.outputs) != 1 or len(layer.outputs) != 1:
            return Refusal(
                f"{self.layer} is {with_article(layer.op)}, behind which no QuantizeLinear can be put"
            )
        if layer.outputs[0].quant is not None:
            return _before(graph, layer)
        nodes = _with_activation(graph, layer)
        grid = _grid_behind(graph, nodes[-1])
        if isinstance(grid, Refusal):
            return grid
        return _patch(graph, nodes, grid)


def _before(graph: Graph, layer: Layer) -> Patch | Refusal:
    """A mover of a float graph input, with its grid before it as well."""
    core, tensor = layer.core, layer.core.input(0)
    if (
        core.op not in REORDERING
        or not core.standard
        or tensor not in graph.inputs
        or graph.type(tensor).dtype != "float32"
    ):
        return Refusal(f"the output of {layer.name} is quantized already")
    grid = _grid_behind(graph, core)
    if isinstance(grid, Refusal):
        return grid
    draft = Draft(graph, core)
    stored = draft.quantized(tensor, graph.type(tensor), grid)
    draft.nodes.append(rewired(core, (stored, *core.inputs[1:])))
    return draft.patch(frozenset({core.name}))


def _with_activation(graph: Graph, layer: Layer) -> tuple[Node, ...]:
    """The operator, and the Relu or Clip that alone reads it: a Q behind that serves both."""
    core = layer.core
    readers = graph.consumers.get(core.output(0), ())
    if len(readers) == 1 and core.op not in ACTIVATIONS and core.output(0) not in graph.output_set:
        after = graph.nodes[readers[0]]
        if after.op in ACTIVATIONS and after.standard and after.input(0) == core.output(0):
            return core, after
    return (core,)


def _grid_behind(graph: Graph, last: Node) -> Grid | Refusal:
    """The grid of the Qs that all readers of a tensor end in."""
    grids: dict[tuple[str, str], Grid] = {}
    pending = [last.output(0)]
    seen = set(pending)  # in a damaged model a tensor may depend on itself
    moved = last.op in REORDERING
    while pending:
        tensor = pending.pop()
        if tensor in graph.output_set:
            return Refusal(
                f"{tensor!r} is a graph output in float; no QuantizeLinear follows", "quantize the layer"
            )
        readers = graph.consumers.get(tensor, ())
        if not readers:
            return Refusal(f"nothing reads {tensor!r}")
        for reader in (graph.nodes[i] for i in readers):
            if is_qdq(reader) and reader.op == QUANTIZE and reader.input(0) == tensor:
                grids[reader.input(1), reader.input(2)] = grid_of(graph, reader)
            elif reader.standard and reader.op in REORDERING and reader.input(0) == tensor:
                moved = True
                pending += [name for name in reader.outputs if name not in seen]
                seen.update(reader.outputs)
            else:
                return Refusal(
                    f"{reader.op} {reader.name} reads what {last.name} writes in float",
                    "quantize the layer instead",
                )
    if not moved:
        return Refusal(f"{last.name} has its QuantizeLinear right behind it")
    if len(grids) > 1:
        return Refusal(f"the output of {last.name} is quantized on {len(grids)} different grids")
    (grid,) = grids.values()
    scale = graph.constant(grid.scale)
    if scale is None or scale.size != 1:
        return Refusal(f"the output of {last.name} is quantized per channel or by a computed scale")
    if not 0 < float(scale.array().reshape(-1)[0]) < np.inf:
        return Refusal(f"the output of {last.name} is quantized with a scale that is not a positive number")
    return grid


def _patch(graph: Graph, nodes: tuple[Node, ...], grid: Grid) -> Patch:
    draft = Draft(graph, nodes[0])
    tensor = nodes[-1].output(0)
    written = draft.name(f"{tensor}_{QUANTIZE}_Input")
    draft.types[written] = graph.type(tensor)
    draft.nodes += [*nodes[:-1], rewired(nodes[-1], outputs=(written,))]
    draft.quantized(written, graph.type(tensor), grid, wanted=tensor, into=tensor)
    removed = removed_with(graph, nodes, draft.nodes)
    return draft.patch(removed)
