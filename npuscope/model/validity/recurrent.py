"""Weights of LSTM, GRU and RNN against their data and their hidden size."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape
from npuscope.model.validity.operands import as_text, differ, shape_at

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(graph: Graph, node: Node) -> str:
    """W is directions x gates*hidden x input, R the same with hidden, B has both biases in a row."""
    data, w, r, b = (shape_at(graph, node, i) for i in range(4))
    if data is not None and len(data) != 3:
        return f"{node.op} reads data of {as_text(data)}; it needs rank 3"
    directions = 2 if node.text("direction", "forward") == "bidirectional" else 1
    hidden = node.integer("hidden_size", 0) or _last(r)
    if not hidden:
        return ""
    rows = _GATES[node.op] * hidden
    wanted: tuple[tuple[str, Shape | None, Shape], ...] = (
        ("W", w, (directions, rows, data[2] if data is not None else None)),
        ("R", r, (directions, rows, hidden)),
        ("B", b, (directions, 2 * rows)),
    )
    for name, shape, right in wanted:
        if shape is None or (not shape and name == "B"):
            continue
        if len(shape) != len(right) or any(differ(a, c) for a, c in zip(shape, right, strict=True)):
            return f"{node.op} of {hidden} hidden units has {name} of {as_text(shape)}, not {as_text(right)}"
    return ""


def _last(shape: Shape | None) -> int:
    last = shape[-1] if shape else None
    return last if isinstance(last, int) else 0
