"""Inputs that say what to do: how many dimensions and values each may have, by the definition of its operator."""

from __future__ import annotations

from collections.abc import Mapping

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import product
from npuscope.model.inference.types import Shape
from npuscope.model.validity.operands import as_text, shape_at

ROW, SCALAR, ONE, ONE_OR_ROW = "a vector", "a scalar", "a single value", "a single value or a vector"

_RANKS: Mapping[str, tuple[int, ...]] = {ROW: (1,), SCALAR: (0,), ONE: (0, 1), ONE_OR_ROW: (0, 1)}

_REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSumSquare",
)  # fmt: skip

_PARAMETERS: Mapping[str, tuple[int, Mapping[int, tuple[str, str]]]] = {
    "Reshape": (5, {1: ("shape", ROW)}),
    "Expand": (8, {1: ("shape", ROW)}),
    "Tile": (6, {1: ("repeats", ROW)}),
    "ConstantOfShape": (9, {0: ("shape", ROW)}),
    "CenterCropPad": (18, {1: ("shape", ROW)}),
    "AffineGrid": (20, {1: ("size", ROW)}),
    "Resize": (11, {1: ("roi", ROW), 2: ("scales", ROW), 3: ("sizes", ROW)}),
    "Upsample": (9, {1: ("scales", ROW)}),
    "Slice": (10, {1: ("starts", ROW), 2: ("ends", ROW), 3: ("axes", ROW), 4: ("steps", ROW)}),
    "Split": (13, {1: ("split", ROW)}),
    "TopK": (10, {1: ("K", ONE)}),
    "Squeeze": (13, {1: ("axes", ONE_OR_ROW)}),
    "Unsqueeze": (13, {1: ("axes", ONE_OR_ROW)}),
    **dict.fromkeys(_REDUCTIONS, (18, {1: ("axes", ROW)})),
    "ReduceSum": (13, {1: ("axes", ROW)}),
    "CumSum": (11, {1: ("axis", ONE)}),
    "CumProd": (26, {1: ("axis", ONE)}),
    "Trilu": (14, {1: ("k", ONE)}),
    "OneHot": (9, {1: ("depth", ONE), 2: ("values", ROW)}),
    "Range": (11, {0: ("start", ONE), 1: ("limit", ONE), 2: ("delta", ONE)}),
    "Clip": (11, {1: ("min", ONE), 2: ("max", ONE)}),
    "Compress": (9, {1: ("condition", ROW)}),
    "NonMaxSuppression": (
        10,
        {2: ("max_output_boxes_per_class", ONE), 3: ("iou_threshold", ONE), 4: ("score_threshold", ONE)},
    ),
    "QLinearConv": (10, dict.fromkeys((1, 2, 6, 7), ("scale or zero point", ONE))),
    "BlackmanWindow": (17, {0: ("size", SCALAR)}),
    "HannWindow": (17, {0: ("size", SCALAR)}),
    "HammingWindow": (17, {0: ("size", SCALAR)}),
}
"""Operator -> (opset from which these are inputs, position -> (name, what it must be))."""


def parameter_fault(graph: Graph, node: Node) -> str:
    """An input that has other dimensions than its operator reads there; '' where there is none."""
    since, wanted = _PARAMETERS.get(node.op, (0, {}))
    if graph.opset < since:
        return ""
    for position, (name, form) in wanted.items():
        shape = shape_at(graph, node, position)
        if shape is not None and not _allowed(shape, form):
            return f"{node.op} has {name} of {as_text(shape)}; it must be {form}"
    return ""


def _allowed(shape: Shape, form: str) -> bool:
    return len(shape) in _RANKS[form] and (form != ONE or product(shape) in (1, None))
