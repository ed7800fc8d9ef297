"""Heads, sizes and caches of an Attention and of a RotaryEmbedding, which contradict one another."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape
from npuscope.model.tensors import Dim
from npuscope.model.validity.operands import as_text, differ, shape_at

MASKS_OF_KEYS = 25
"""Opset from which a mask may have one dimension, that of the keys."""

QUERY_HEADS, KEY_HEADS = "q_num_heads", "kv_num_heads"


def attention(graph: Graph, node: Node) -> str:
    """Query, key and value are batch x heads x length x size, or batch x length x heads * size with the heads stated."""
    query, key, value = (shape_at(graph, node, i) for i in range(3))
    if bool(node.input(4)) != bool(node.input(5)):
        return "Attention has one of past key and past value; it takes both or neither"
    mask = shape_at(graph, node, 3)
    least = 2 if graph.opset < MASKS_OF_KEYS else 1
    if mask is not None and not least <= len(mask) <= 4:
        return f"Attention has a mask of {as_text(mask)}; it must have a rank from {least} to 4"
    if query is None or key is None or value is None:
        return ""
    ranks = {len(query), len(key), len(value)}
    if len(ranks) > 1 or not ranks <= {3, 4}:
        return f"Attention reads {as_text(query)}, {as_text(key)} and {as_text(value)}; all must have rank 3, or all rank 4"
    if any(differ(query[0], other[0]) for other in (key, value)):
        return f"Attention reads batches of {query[0]}, {key[0]} and {value[0]}, which must be equal"
    if len(query) == 3:
        return _of_rows(node, query, key, value)
    for what, one, other in (
        ("heads", key[1], value[1]),
        ("places", key[2], value[2]),
        ("size", query[3], key[3]),
    ):
        if differ(one, other):
            return f"Attention has {what} of {one} and {other}, which must be equal"
    return _grouped(query[1], key[1])


def _of_rows(node: Node, query: Shape, key: Shape, value: Shape) -> str:
    heads, others = node.integer(QUERY_HEADS, 0), node.integer(KEY_HEADS, 0)
    if heads < 1 or others < 1:
        return f"Attention of rank 3 needs {QUERY_HEADS} and {KEY_HEADS} of at least 1"
    for what, width, count in (
        ("query", query[2], heads),
        ("key", key[2], others),
        ("value", value[2], others),
    ):
        if isinstance(width, int) and width % count:
            return f"Attention has a {what} of {width}, which {count} heads do not divide"
    if isinstance(query[2], int) and isinstance(key[2], int) and query[2] // heads != key[2] // others:
        return f"Attention has heads of {query[2] // heads} in its query and of {key[2] // others} in its key"
    if differ(key[1], value[1]):
        return f"Attention has {key[1]} keys and {value[1]} values, which must be equal"
    return _grouped(heads, others)


def _grouped(heads: Dim, others: Dim) -> str:
    if isinstance(heads, int) and isinstance(others, int) and others and heads % others:
        return f"Attention has {heads} heads of queries, which {others} of keys do not divide"
    return ""


def rotary(graph: Graph, node: Node) -> str:
    """Data as of an Attention; sines and cosines for half of what is turned."""
    data, cosines, sines = (shape_at(graph, node, i) for i in range(3))
    if data is None:
        return ""
    if len(data) not in (3, 4):
        return f"RotaryEmbedding reads data of {as_text(data)}; it needs rank 3 or 4"
    heads = node.integer("num_heads", 0)
    if len(data) == 3 and heads < 1:
        return "RotaryEmbedding of rank 3 needs num_heads of at least 1"
    width = data[-1]
    if len(data) == 3 and isinstance(width, int):
        if width % heads:
            return f"RotaryEmbedding has data of {width}, which {heads} heads do not divide"
        width //= heads
    turned = node.integer("rotary_embedding_dim", 0) or width
    if isinstance(turned, int) and isinstance(width, int) and (turned % 2 or turned > width or turned < 0):
        return f"RotaryEmbedding turns {turned} of {width}; it must be even and no more than there are"
    for name, shape in (("cosines", cosines), ("sines", sines)):
        if shape is None:
            continue
        rank = 3 if not node.input(3) else 2
        if len(shape) != rank:
            return f"RotaryEmbedding has {name} of {as_text(shape)}; rank {rank} is needed"
        if isinstance(turned, int) and differ(shape[-1], turned // 2):
            return (
                f"RotaryEmbedding has {name} of {as_text(shape)} to turn {turned}; {turned // 2} are needed"
            )
    return ""
