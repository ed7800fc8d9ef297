"""Shapes, axes and numbers of scales that contradict one another, by the definition of each operator."""

from __future__ import annotations

import math

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at, product
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.layer import is_qdq
from npuscope.model.tensors import dtype_name
from npuscope.model.validity.norms import channel_norm, group_norm, last_axes_norm
from npuscope.model.validity.operands import (
    NEVER_CONTRADICTED,
    SMALL,
    SPREADING_SINCE_8,
    Check,
    as_text,
    differ,
    shape_at,
    spreads,
    unequal,
)
from npuscope.model.validity.picks import (
    gather_elements,
    gather_nd,
    grid_sample,
    scatter_elements,
    scatter_nd,
    tile,
    top_k,
)
from npuscope.model.validity.products import (
    conv,
    conv_integer,
    conv_transpose,
    einsum,
    gemm,
    global_pool,
    matmul,
    pool,
    qlinear_conv,
    qlinear_matmul,
)
from npuscope.model.validity.ranks import (
    matrix,
    one_axis,
    one_hot,
    several_axes,
    suppression,
)
from npuscope.model.validity.recurrent import recurrent

BOTH_SINCE = 11
"""Opset from which a Resize has a region before its scales, and may have sizes instead."""


def shape_fault(graph: Graph, node: Node) -> str:
    """What of the node's shapes cannot be; '' where nothing is known."""
    check = _CHECKS.get(node.op)
    return check(graph, node) if check is not None else ""


def checked(node: Node) -> bool:
    """One of these checks covers the operator."""
    return node.op in _CHECKS or node.op in NEVER_CONTRADICTED


def _elementwise(graph: Graph, node: Node) -> str:
    shape = shape_at(graph, node, 0)
    for i in range(1, len(node.inputs)):
        other = shape_at(graph, node, i)
        if shape is None or other is None:
            return ""
        if node.op in SPREADING_SINCE_8 and graph.opset < 8 and unequal(shape, other):
            return (
                f"{node.op} reads {as_text(shape)} and {as_text(other)}, which must be equal before opset 8"
            )
        both = broadcast(shape, other)
        if both is None:
            return f"{node.op} reads {as_text(shape)} and {as_text(other)}, which do not broadcast"
        shape = both
    return ""


def _prelu(graph: Graph, node: Node) -> str:
    data, slope = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None or slope is None or spreads(slope, data):
        return ""
    return f"PRelu has slopes of {as_text(slope)} for data of {as_text(data)}"


def _dropout(graph: Graph, node: Node) -> str:
    for i, what in ((1, "ratio"), (2, "training_mode")):
        shape = shape_at(graph, node, i)
        if shape:
            return f"Dropout has a {what} of {as_text(shape)}; it must be a scalar"
    return ""


def _concat(graph: Graph, node: Node) -> str:
    shapes = [shape for i in range(len(node.inputs)) if (shape := shape_at(graph, node, i)) is not None]
    if len(shapes) < 1:
        return ""
    first = shapes[0]
    axis = axis_at(node.integer("axis", 1), len(first))
    if axis is None:
        return f"Concat has axis {node.integer('axis', 1)} for data of {as_text(first)}"
    for shape in shapes[1:]:
        if len(shape) != len(first):
            return f"Concat joins {as_text(first)} and {as_text(shape)}, whose ranks differ"
        if any(i != axis and differ(a, b) for i, (a, b) in enumerate(zip(first, shape, strict=True))):
            return f"Concat joins {as_text(first)} and {as_text(shape)} along axis {axis}; the other sizes must be equal"
    return ""


def _reshape(graph: Graph, node: Node) -> str:
    data, target = shape_at(graph, node, 0), graph.value(node.input(1), SMALL) if node.input(1) else None
    if data is None or target is None or target.dtype.kind not in "iu":
        return ""
    sizes = [int(d) for d in target.reshape(-1)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        return f"Reshape to {sizes}: at most one size may be -1, and none lower"
    if not node.integer("allowzero", 0):
        if any(d == 0 and i >= len(data) for i, d in enumerate(sizes)):
            return f"Reshape to {sizes} copies a size that data of {as_text(data)} does not have"
        known = [data[i] if d == 0 else d for i, d in enumerate(sizes)]
    else:
        known = list(sizes)
    before, after = product(data), product(d for d in known if d != -1)
    if before is None or after is None:
        return ""
    if (-1 in sizes and (before % after if after else before)) or (-1 not in sizes and before != after):
        return f"Reshape turns {as_text(data)} ({before} values) into {'x'.join(map(str, sizes)) or 'a single number'}"
    return ""


def _transpose(graph: Graph, node: Node) -> str:
    data, perm = shape_at(graph, node, 0), node.integers("perm")
    if data is None or perm is None or sorted(perm) == list(range(len(data))):
        return ""
    return f"Transpose has perm {list(perm[:8])} for data of rank {len(data)}"


def _split(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    axis = axis_at(node.integer("axis", 0), len(data))
    if axis is None:
        return f"Split has axis {node.integer('axis', 0)} for data of {as_text(data)}"
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    lengths = node.integers("split") if value is None else tuple(int(v) for v in value.reshape(-1))
    if lengths is not None:
        if len(lengths) != len(node.outputs):
            return f"Split has {len(lengths)} lengths for {len(node.outputs)} outputs"
        if differ(sum(lengths), data[axis]) or min(lengths, default=0) < 0:
            return f"Split divides {data[axis]} into {'+'.join(map(str, lengths[:8]))}"
    parts = node.integer("num_outputs", 0)
    if parts and (parts != len(node.outputs) or node.input(1)):
        return (
            f"Split has num_outputs of {parts} and lengths; only one of them is allowed"
            if node.input(1)
            else f"Split has num_outputs of {parts} and {len(node.outputs)} outputs"
        )
    if lengths is None and graph.opset >= 18 and not parts and not node.input(1):
        return "Split has neither lengths nor num_outputs; opset 18 requires one of them"
    if lengths is None and graph.opset < 18 and not node.input(1):
        dim = data[axis]
        if isinstance(dim, int) and node.outputs and dim % len(node.outputs):
            return f"Split divides {dim} into {len(node.outputs)} equal parts"
    return ""


def _pad(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    pads = node.integers("pads") if value is None else tuple(int(v) for v in value.reshape(-1))
    if data is None or pads is None:
        return ""
    axes = graph.type(node.input(3)).dims if node.input(3) else (len(data),)
    if axes is not None and len(pads) != 2 * (axes[0] if axes else 1):
        return f"Pad has {len(pads)} pads for data of {as_text(data)}"
    if not node.input(3):
        for i, dim in enumerate(data):
            if isinstance(dim, int) and dim + pads[i] + pads[i + len(data)] < 0:
                return f"Pad removes {-pads[i] - pads[i + len(data)]} of the {dim} values along axis {i}"
            most = max(pads[i], pads[i + len(data)])
            if isinstance(dim, int) and node.text("mode", "constant") == "reflect" and most >= max(dim, 1):
                return f"Pad reflects {most} values of an axis of {dim}; at most {max(dim - 1, 0)} can be"
    return ""


def _resize(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    absent = not node.input(2) or shape_at(graph, node, 2) == (0,)
    if graph.opset >= BOTH_SINCE and absent and not node.input(3):
        return "Resize has neither scales nor sizes; what opset 10 calls scales is input 3 since opset 11"
    count = len(node.integers("axes") or ()) or (len(data) if data is not None else 0)
    for position in (2, 3):
        shape = shape_at(graph, node, position)
        if (
            data is not None
            and shape is not None
            and len(shape) == 1
            and shape[0]
            and differ(shape[0], count)
        ):
            return (
                f"Resize has {shape[0]} {'scales' if position == 2 else 'sizes'} for data of {as_text(data)}"
            )
    if all(node.input(i) and shape_at(graph, node, i) not in (None, (0,)) for i in (2, 3)):
        return "Resize has both scales and sizes; only one of them is allowed"
    value = graph.value(node.input(2), SMALL) if node.input(2) else None
    if value is None or value.dtype.kind != "f" or not value.size:
        return ""
    if not (value > 0).all():
        return f"Resize has a scale of {min(value.reshape(-1).tolist()):g}; scales must be above 0"
    maker = graph.producer(node.input(2))
    if graph.type(node.output(0)).empty and not graph.type(node.input(0)).empty:
        scales = "x".join(f"{v:g}" for v in value.reshape(-1).tolist()[:8])
        why = ": the scales are quantized, keep them float" if maker is not None and is_qdq(maker) else ""
        return f"Resize by {scales} leaves no elements{why}"
    return ""


def _slice(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    counts = {
        shape[0] for i in range(1, 5) if (shape := shape_at(graph, node, i)) is not None and len(shape) == 1
    }
    known = {count for count in counts if isinstance(count, int)}
    if len(known) > 1:
        return f"Slice has starts, ends, axes and steps of different lengths: {sorted(known)}"
    axes = graph.value(node.input(3), SMALL) if node.input(3) else None
    if (
        data is not None
        and axes is not None
        and any(axis_at(int(a), len(data)) is None for a in axes.reshape(-1))
    ):
        return f"Slice has axes {[int(a) for a in axes.reshape(-1)[:8]]} for data of {as_text(data)}"
    if data is not None and axes is not None:
        places = [axis_at(int(a), len(data)) for a in axes.reshape(-1)]
        if len(set(places)) != len(places):
            return f"Slice names an axis twice: {[int(a) for a in axes.reshape(-1)[:8]]}"
    steps = graph.value(node.input(4), SMALL) if node.input(4) else None
    return "Slice has a step of 0" if steps is not None and steps.size and not steps.all() else ""


def _gather(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    axis = axis_at(node.integer("axis", 0), len(data))
    if axis is None:
        return f"Gather has axis {node.integer('axis', 0)} for data of {as_text(data)}"
    chosen, size = graph.value(node.input(1), SMALL) if node.input(1) else None, data[axis]
    if chosen is not None and chosen.size and chosen.dtype.kind in "iu" and isinstance(size, int):
        low, high = int(chosen.min()), int(chosen.max())
        if low < -size or high >= size:
            return f"Gather takes item {low if low < -size else high} of {size} along axis {axis}"
    return ""


def _quantization(graph: Graph, node: Node) -> str:
    """A QuantizeLinear or DequantizeLinear: its scales against the axis of its data."""
    data, scale, zero = (shape_at(graph, node, i) for i in range(3))
    if scale is None:
        return ""
    count = product(scale)
    if count == 0:
        return f"{node.op} has an empty scale"
    given = graph.type(node.input(2)).dtype if node.input(2) else ""
    asked = node.integer("output_dtype", 0) if node.op == "QuantizeLinear" else 0
    if asked and given not in ("", "unknown", dtype_name(asked)):
        return f"{node.op} has output_dtype {dtype_name(asked)} and a zero point of {given}"
    if (
        zero is not None
        and None not in (*scale, *zero)
        and scale != zero
        and not (product(zero) == count == 1)
    ):
        return f"{node.op} has {as_text(scale)} scales and {as_text(zero)} zero points"
    block = node.integer("block_size", 0)
    if data is None or block:
        return _blocks(node, data, scale, block) if block and data is not None else ""
    if not scale or (len(scale) == 1 and scale[0] == 1):
        return ""
    if len(scale) > 1:
        return f"{node.op} has scales of {as_text(scale)}, which only quantization in blocks has"
    axis = axis_at(node.integer("axis", 1), len(data))
    if axis is None:
        return f"{node.op} has {scale[0]} scales along axis {node.integer('axis', 1)}, its data has rank {len(data)}"
    if differ(scale[0], data[axis]):
        stated = "" if node.attribute("axis") is not None else " (no axis is stated: it is 1)"
        return f"{node.op} has {scale[0]} scales along axis {axis}{stated}, whose size is {data[axis]}"
    return ""


def _blocks(node: Node, data: Shape, scale: Shape, block: int) -> str:
    axis = axis_at(node.integer("axis", 1), len(data))
    if axis is None or block < 0 or len(scale) != len(data):
        return f"{node.op} has scales of {as_text(scale)} in blocks of {block} along axis {node.integer('axis', 1)}"
    size = data[axis]
    wanted = math.ceil(size / block) if isinstance(size, int) and size < 1 << 53 else None
    if differ(scale[axis], wanted):
        return f"{node.op} has {scale[axis]} scales along axis {axis}; blocks of {block} over {size} need {wanted}"
    return ""


def _depth(graph: Graph, node: Node) -> str:
    data, block = shape_at(graph, node, 0), node.integer("blocksize", 0)
    if data is None:
        return ""
    if len(data) != 4 or block < 1:
        return f"{node.op} has a block size of {block} for data of {as_text(data)}"
    if node.op == "DepthToSpace":
        uneven = isinstance(data[1], int) and data[1] % (block * block)
    else:
        uneven = any(isinstance(d, int) and d % block for d in data[2:])
    return (
        f"{node.op} has a block size of {block} for data of {as_text(data)}, which it does not divide"
        if uneven
        else ""
    )


def _expand(graph: Graph, node: Node) -> str:
    data, target = shape_at(graph, node, 0), graph.value(node.input(1), SMALL) if node.input(1) else None
    if data is None or target is None or target.dtype.kind not in "iu":
        return ""
    sizes = tuple(int(d) for d in target.reshape(-1))
    return (
        ""
        if broadcast(data, sizes) is not None
        else f"Expand changes {as_text(data)} to {as_text(sizes)}, which do not broadcast"
    )


def _lrn(graph: Graph, node: Node) -> str:
    size = node.integer("size", 1)
    return f"LRN has size {size}; it must be at least 1" if size < 1 else ""


BY_VALUES: dict[str, Check] = {
    "Reshape": _reshape,
    **dict.fromkeys(
        ("Squeeze", "Unsqueeze", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
         "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"), several_axes),
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterND": scatter_nd,
    "ScatterElements": scatter_elements,
    "Tile": tile,
    "TopK": top_k,
    "Expand": _expand,
}  # fmt: skip
"""Checks that read values of constants, or look at more than the node; all others see types and attributes alone."""

_CHECKS: dict[str, Check] = {
    **BY_VALUES,
    "Conv": conv,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "ConvTranspose": conv_transpose,
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), global_pool),
    "Gemm": gemm,
    "MatMul": matmul,
    "MatMulInteger": matmul,
    "QLinearMatMul": qlinear_matmul,
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "Less",
         "Greater", "LessOrEqual", "GreaterOrEqual", "Where", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"), _elementwise),
    "PRelu": _prelu,
    "Dropout": _dropout,
    "Concat": _concat,
    "Transpose": _transpose,
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), channel_norm),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), last_axes_norm),
    "GroupNormalization": group_norm,
    "GridSample": grid_sample,
    **dict.fromkeys(("Flatten", "Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin"), one_axis),
    "Einsum": einsum,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    "LRN": _lrn,
    "QuantizeLinear": _quantization,
    "DequantizeLinear": _quantization,
    "DepthToSpace": _depth,
    "SpaceToDepth": _depth,
    "OneHot": one_hot,
    "Trilu": matrix,
    "NonMaxSuppression": suppression,
}  # fmt: skip
