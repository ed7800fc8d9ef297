"""Write a row of Reshapes and Transposes as the one thing it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, layer_named, removed_with
from npuscope.edits.toolkit.regrid import grid_read, is_quantized_next, on_grid, result_name
from npuscope.edits.toolkit.relayout import REORDERING, View, before, behind, in_order
from npuscope.edits.toolkit.rewiring import QDQ_SINCE, behind_dequantize, substituted
from npuscope.edits.toolkit.sizes import bounded
from npuscope.model.graph import CONTROL_FLOW, Graph, Node
from npuscope.model.layers import FLOATS, Layer, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.model.quant import of_node
from npuscope.model.tensors import Array
from npuscope.record import dataclass

LARGEST_BLOCK = 8
"""Block sizes that are tried."""

MOST_CHANNELS = 1024
"""Channels that a Conv of ones exchanges: its weights are their square."""

BYTES_SINCE = 13
"""Opset from which onnxruntime has a DepthToSpace and a SpaceToDepth of int8 and uint8; a Reshape and a Transpose it has of all types."""

MODE_SINCE = 11
"""Opset from which a DepthToSpace has a mode; before, it is DCR."""

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,12,3,5] x) => (int8[1,3,6,10] y)
<float s = {0.1}, int8 z = {5}, int64[6] a = {1, 3, 2, 2, 3, 5}, int64[4] b = {1, 3, 6, 10}>
{ f = DequantizeLinear(x, s, z)
  p = Reshape(f, a)
  [op] t = Transpose <perm = [0, 1, 4, 2, 5, 3]> (p)
  r = Reshape(t, b)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class PlainMoves(Declared):
    """Write Reshapes and Transposes in a row as what they come to: nothing, one operator, or an exchange of channels.

    1. Nothing: they undo one another, and what reads the last reads what the first read.
    2. A DepthToSpace (as PixelShuffle is exported over six dimensions) or a SpaceToDepth.
    3. An exchange of channels (a channel shuffle): a 1x1 Conv whose weights are 0 and 1, with scale 1.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "plain-moves",
        Exactness.BIT_EXACT,
        "Every value is where it was.",
        operators=("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze"),
        answers=("N108", "N503"),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write the moves around Transpose_3 as one'."""
        return f"write the moves around {self.layer} as one"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The one operator, or why the moves come to none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if layer.core.op not in REORDERING or not layer.core.standard or not layer.inputs:
            return Refusal(
                f"{self.layer} is {with_article(layer.op)}; only Reshapes and Transposes are taken"
            )
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        for end, view in _rows(graph, layer):
            patch = _written(graph, end, view, layer.inputs[0].quant is None)
            if patch is not None:
                return patch
        return Refusal(
            f"the moves around {self.layer} come to no DepthToSpace, SpaceToDepth or exchange of channels, and do "
            "not undo one another"
        )


def _rows(graph: Graph, layer: Layer) -> Iterator[tuple[str, View]]:
    """Where a row with the layer in it can end, and what lies before: the longest rows first."""
    result = layer.core.output(0)
    quant = layer.inputs[0].quant
    ends = [result, *(view.tensor for view in behind(graph, result, quant))]
    for end in reversed(ends):
        views = list(before(graph, end, quant))
        if (
            quant is not None
        ):  # without a pair between them, the values are the same whatever grid the first reads
            known = {view.tensor for view in views}
            views += [view for view in before(graph, end, None) if view.tensor not in known]
        views.sort(key=lambda view: len(view.through))
        for view in reversed(views):
            if any(node.name == layer.core.name for node in view.through):
                yield end, view


def _written(graph: Graph, end: str, view: View, real: bool) -> Patch | None:
    """The one operator. `real`: the values are not quantized."""
    source, result = graph.type(view.tensor).dims, graph.type(end).dims
    if source is None or result is None or graph.type(view.tensor).dtype != graph.type(end).dtype:
        return None
    if source == result and in_order(view.order):
        return _left_out(graph, end, view)
    if sum(not is_qdq(node) for node in view.through) < 2:
        return None
    block = _block(source, result, view.order, graph.opset)
    if block is not None and _is_run(graph, end):
        op, attributes = block
        draft, grid, written = _started(graph, end, view)
        draft.node(
            op, f"{view.through[0].name}_{op}", (view.tensor,), ((written, graph.type(end)),), **attributes
        )
        return _finished(draft, end, view, grid, written)
    order = _exchange(source, result, view.order)
    if not real and grid_read(graph, view.tensor) is None:
        return None  # a Conv whose weights are float would leave the NPU
    return None if order is None else _conv(graph, end, view, order)


def _is_run(graph: Graph, tensor: str) -> bool:
    dtype = graph.type(tensor).dtype
    return dtype in FLOATS or (dtype in ("int8", "uint8") and graph.opset >= BYTES_SINCE)


def _block(
    source: tuple[int, ...], result: tuple[int, ...], order: Array, opset: int
) -> tuple[str, dict[str, Any]] | None:
    """The DepthToSpace or SpaceToDepth that moves values so, and its attributes."""
    if len(source) != 4 or len(result) != 4 or source[0] != result[0]:
        return None
    places = np.arange(order.size, dtype=order.dtype).reshape(source)
    for size in range(2, LARGEST_BLOCK + 1):
        for mode in ("DCR", "CRD"):
            if result == (source[0], source[1] // size**2, source[2] * size, source[3] * size):
                if mode == "CRD" and opset < MODE_SINCE:
                    continue
                if np.array_equal(_spread(places, size, mode), order):
                    return "DepthToSpace", {
                        "blocksize": size,
                        **({"mode": mode} if opset >= MODE_SINCE else {}),
                    }
        if source == (result[0], result[1] // size**2, result[2] * size, result[3] * size):
            folded = np.arange(order.size, dtype=order.dtype).reshape(result)
            if np.array_equal(
                _spread(folded, size, "DCR").reshape(-1)[order.reshape(-1)], folded.reshape(-1)
            ):
                return "SpaceToDepth", {"blocksize": size}
    return None


def _spread(places: Array, size: int, mode: str) -> Array:
    """DepthToSpace of an array."""
    batch, channels, rows, columns = places.shape
    fewer = channels // size**2
    if fewer * size**2 != channels:
        return places
    if mode == "DCR":
        blocks = places.reshape(batch, size, size, fewer, rows, columns).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = places.reshape(batch, fewer, size, size, rows, columns).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(batch, fewer, rows * size, columns * size)


def _exchange(source: tuple[int, ...], result: tuple[int, ...], order: Array) -> Array | None:
    """The channel that each channel of the result was, where whole channels change places."""
    if source != result or len(source) not in (3, 4) or source[0] != 1 or not 1 < source[1] <= MOST_CHANNELS:
        return None
    rows = order.reshape(source[1], -1)
    size = rows.shape[1]
    channels = rows[:, 0] // max(size, 1)
    expected = channels[:, None] * size + np.arange(size, dtype=order.dtype)
    return channels if size and np.array_equal(rows, expected) else None


def _conv(graph: Graph, end: str, view: View, order: Array) -> Patch | None:
    draft, grid, written = _started(graph, end, view)
    type_, name = graph.type(end), view.through[0].name
    dims = type_.dims
    if dims is None or (grid is None and type_.dtype != "float32"):
        return None
    bounded(len(order), len(order))
    kernel = [1] * (len(dims) - 2)
    weights = np.zeros((len(order), len(order), *kernel), np.int8)
    weights[np.arange(len(order)), order] = 1
    if grid is not None:
        weight = behind_dequantize(
            draft, f"{name}_weight", weights, np.ones(()), np.zeros(()), None, type_.dtype
        )
    else:
        weight = draft.constant(f"{name}_weight", weights.astype(np.float32))
    draft.node("Conv", f"{name}_conv", (view.tensor, weight), ((written, type_),), kernel_shape=kernel)
    return _finished(draft, end, view, grid, written)


def _started(graph: Graph, end: str, view: View) -> tuple[Draft, Grid | None, str]:
    draft, grid = Draft(graph, view.through[0]), grid_read(graph, view.tensor)
    return draft, grid, result_name(draft, end, grid)


def _finished(draft: Draft, end: str, view: View, grid: Grid | None, written: str) -> Patch:
    on_grid(draft, written, end, grid)
    return draft.patch(removed_with(draft.graph, _unread(draft.graph, view), draft.nodes))


def _unread(graph: Graph, view: View) -> tuple[Node, ...]:
    """The nodes of a row that nothing reads once its last is gone."""
    gone = [view.through[0]]
    for node in view.through[1:]:
        readers = {graph.nodes[i].name for name in node.outputs for i in graph.consumers.get(name, ())}
        if not readers <= {one.name for one in gone} or not graph.output_set.isdisjoint(node.outputs):
            break
        gone.append(node)
    return tuple(gone)


def _left_out(graph: Graph, end: str, view: View) -> Patch | None:
    """What reads the end of the row reads its begin: its integers, where both are on one grid."""
    gone = list(_unread(graph, view))
    if end in graph.output_set:
        draft = Draft(graph, view.through[0])
        draft.node("Identity", f"{view.through[0].name}_same", (view.tensor,), ((end, graph.type(end)),))
        return draft.patch(removed_with(graph, tuple(gone), draft.nodes))
    replace: dict[str, Node] = {}
    readers = [graph.nodes[i] for i in graph.consumers.get(end, ())]
    source = graph.producer(view.tensor)
    joins = (
        source is not None
        and is_qdq(source)
        and is_quantized_next(graph, end)
        and all(_same(graph, source, node) and node.output(0) not in graph.output_set for node in readers)
    )
    renamed = (
        {node.output(0): source.input(0) for node in readers}
        if joins and source is not None
        else {end: view.tensor}
    )
    if joins and source is not None:
        gone += readers
        if {graph.nodes[i].name for i in graph.consumers.get(view.tensor, ())} <= {
            node.name for node in gone
        }:
            gone.append(source)
        readers = [graph.nodes[i] for node in readers for i in graph.consumers.get(node.output(0), ())]
    for node in {node.name: node for node in readers}.values():
        if node.op in CONTROL_FLOW:
            return None
        replace[node.name] = substituted(node, renamed)
    removed = removed_with(graph, tuple(gone), list(replace.values()))
    return Patch(removed - replace.keys(), (), (), {}, replace)


def _same(graph: Graph, one: Node, other: Node) -> bool:
    first, second = of_node(graph, one), of_node(graph, other)
    return first is not None and first.same_as(second)
