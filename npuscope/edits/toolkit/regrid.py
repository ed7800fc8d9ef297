"""A result that stays on the grid of what is read: a Q and DQ behind it, where none follows."""

from __future__ import annotations

from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of
from npuscope.model.graph import Graph
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, is_qdq
from npuscope.model.quant import of_node


def grid_read(graph: Graph, tensor: str) -> Grid | None:
    """The grid of the DQ that writes a tensor; None where something else does, or where its scales lie along an axis.

    What moves values turns such an axis.
    """
    node = graph.producer(tensor)
    if node is None or not is_qdq(node) or node.op != DEQUANTIZE:
        return None
    quant = of_node(graph, node)
    return None if quant is not None and quant.per_channel else grid_of(graph, node)


def is_quantized_next(graph: Graph, tensor: str) -> bool:
    """Nothing but QuantizeLinear reads a tensor, which is no output."""
    readers = [graph.nodes[i] for i in graph.consumers.get(tensor, ())]
    alone = tensor not in graph.output_set
    return alone and bool(readers) and all(is_qdq(node) and node.op == QUANTIZE for node in readers)


def result_name(draft: Draft, tensor: str, grid: Grid | None) -> str:
    """What an operator put in the place of a mover writes: the mover's result, or what `on_grid` brings onto the grid."""
    named_so = grid is None or is_quantized_next(draft.graph, tensor)
    return tensor if named_so else draft.name(f"{tensor}_moved")


def on_grid(draft: Draft, written: str, tensor: str, grid: Grid | None) -> None:
    """Bring what `result_name` named onto the grid, under the mover's name for its result."""
    if written != tensor and grid is not None:
        draft.quantized(written, draft.graph.type(tensor), grid, into=tensor)
