"""Shapes, axes and numbers of scales that contradict one another, by the definition of each operator."""

from __future__ import annotations

import math
from collections.abc import Callable

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import at, product
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.layer import is_qdq
from npuscope.model.tensors import Dim

SMALL = 1 << 12

SCALES_SINCE = 13
"""Opset from which a QuantizeLinear has scales along an axis."""

Check = Callable[[Graph, Node], str]


def shape_fault(graph: Graph, node: Node) -> str:
    """What of the node's shapes cannot be; '' where nothing is known."""
    check = _CHECKS.get(node.op)
    return check(graph, node) if check is not None else ""


def _shape(graph: Graph, node: Node, position: int) -> Shape | None:
    return graph.type(node.input(position)).shape if node.input(position) else None


def _differ(a: Dim, b: Dim) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a != b


def _text(shape: Shape) -> str:
    return "x".join("?" if not isinstance(d, int) else str(d) for d in shape) or "a single number"


def _conv(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 1, 2)


def _conv_integer(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 1, None)


def _qlinear_conv(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 3, 8)


def _convolved(graph: Graph, node: Node, data_at: int, weight_at: int, bias_at: int | None) -> str:
    data, weight = _shape(graph, node, data_at), _shape(graph, node, weight_at)
    bias = _shape(graph, node, bias_at) if bias_at is not None else None
    if data is None or weight is None:
        return ""
    if len(data) != len(weight) or len(data) < 3:
        return f"{node.op} has {_text(weight)} weights for data of {_text(data)}: the ranks must be equal, 3 or more"
    group = node.integer("group", 1)
    if group < 1:
        return f"{node.op} has {group} groups"
    outputs, inputs = weight[0], weight[1]
    if isinstance(inputs, int) and _differ(data[1], inputs * group):
        return f"{node.op} has weights for {inputs * group} input channels, its data has {data[1]}"
    if isinstance(outputs, int) and outputs % group:
        return f"{node.op} has {outputs} output channels, which {group} groups do not divide"
    if bias is not None and (len(bias) != 1 or _differ(bias[0], outputs)):
        return f"{node.op} has a bias of {_text(bias)} for {outputs} output channels"
    return _window(node, len(data) - 2, weight[2:])


def _transposed(graph: Graph, node: Node) -> str:
    data, weight, bias = (_shape(graph, node, i) for i in range(3))
    if data is None or weight is None:
        return ""
    if len(data) != len(weight) or len(data) < 3:
        return f"{node.op} has {_text(weight)} weights for data of {_text(data)}: the ranks must be equal, 3 or more"
    group = node.integer("group", 1)
    if group < 1:
        return f"{node.op} has {group} groups"
    if _differ(data[1], weight[0]):
        return f"{node.op} has weights for {weight[0]} input channels, its data has {data[1]}"
    if isinstance(weight[0], int) and weight[0] % group:
        return f"{node.op} has {weight[0]} input channels, which {group} groups do not divide"
    outputs = weight[1] * group if isinstance(weight[1], int) else None
    if bias is not None and (len(bias) != 1 or _differ(bias[0], outputs)):
        return f"{node.op} has a bias of {_text(bias)} for {outputs} output channels"
    return _window(node, len(data) - 2, weight[2:])


def _window(node: Node, rank: int, kernel: Shape | None = None) -> str:
    """Numbers of strides, dilations, pads and sizes of a window."""
    stated = node.integers("kernel_shape")
    if stated is not None and kernel is not None and not _same(stated, kernel):
        return f"{node.op} states a kernel of {_text(stated)}, its weights have {_text(kernel)}"
    for name, count in (("kernel_shape", rank), ("strides", rank), ("dilations", rank), ("pads", 2 * rank)):
        values = node.integers(name)
        if values is None:
            continue
        if len(values) != count:
            return f"{node.op} has {len(values)} {name} where its data asks for {count}"
        if name != "pads" and any(v < 1 for v in values):
            return f"{node.op} has {name} of {min(values)}; at least 1 is allowed"
        if name == "pads" and any(v < 0 for v in values) and node.op != "ConvTranspose":
            return f"{node.op} has negative pads"
    return ""


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and not any(_differ(x, y) for x, y in zip(a, b, strict=True))


def _pool(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    if data is None:
        return ""
    if len(data) < 3:
        return f"{node.op} reads data of {_text(data)}; it needs a batch, channels and at least one more dimension"
    return _window(node, len(data) - 2)


def _global_pool(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    return (
        ""
        if data is None or len(data) > 2
        else f"{node.op} reads data of {_text(data)}; it needs rank 3 or more"
    )


def _gemm(graph: Graph, node: Node) -> str:
    a, b, c = (_shape(graph, node, i) for i in range(3))
    if a is None or b is None:
        return ""
    if len(a) != 2 or len(b) != 2:
        return f"Gemm multiplies {_text(a)} by {_text(b)}; both must be matrices"
    if node.integer("transA", 0):
        a = (a[1], a[0])
    if node.integer("transB", 0):
        b = (b[1], b[0])
    if _differ(a[1], b[0]):
        return f"Gemm multiplies {_text(a)} by {_text(b)}: {a[1]} and {b[0]} must be equal"
    if c is not None and not _spreads(c, (a[0], b[1])):
        return f"Gemm adds {_text(c)} to {_text((a[0], b[1]))}"
    return ""


def _spreads(shape: Shape, to: Shape) -> bool:
    """The shape broadcasts to the other, which stays as it is."""
    if len(shape) > len(to):
        return False
    return not any(_differ(d, t) and d != 1 for d, t in zip(reversed(shape), reversed(to), strict=False))


def _matmul(graph: Graph, node: Node) -> str:
    return _multiplied(node, _shape(graph, node, 0), _shape(graph, node, 1))


def _qlinear_matmul(graph: Graph, node: Node) -> str:
    return _multiplied(node, _shape(graph, node, 0), _shape(graph, node, 3))


def _multiplied(node: Node, a: Shape | None, b: Shape | None) -> str:
    if a is None or b is None:
        return ""
    if not a or not b:
        return f"{node.op} multiplies a single number"
    inner = b[0] if len(b) == 1 else b[-2]
    if _differ(a[-1], inner):
        return f"{node.op} multiplies {_text(a)} by {_text(b)}: {a[-1]} and {inner} must be equal"
    if broadcast(a[:-2], b[:-2]) is None:
        return f"{node.op} multiplies {_text(a)} by {_text(b)}, whose batches do not broadcast"
    return ""


def _elementwise(graph: Graph, node: Node) -> str:
    shape = _shape(graph, node, 0)
    for i in range(1, len(node.inputs)):
        other = _shape(graph, node, i)
        if shape is None or other is None:
            return ""
        both = broadcast(shape, other)
        if both is None:
            return f"{node.op} reads {_text(shape)} and {_text(other)}, which do not broadcast"
        shape = both
    return ""


def _prelu(graph: Graph, node: Node) -> str:
    data, slope = _shape(graph, node, 0), _shape(graph, node, 1)
    if data is None or slope is None or _spreads(slope, data):
        return ""
    return f"PRelu has slopes of {_text(slope)} for data of {_text(data)}"


def _concat(graph: Graph, node: Node) -> str:
    shapes = [shape for i in range(len(node.inputs)) if (shape := _shape(graph, node, i)) is not None]
    if len(shapes) < 1:
        return ""
    first = shapes[0]
    axis = at(node.integer("axis", 1), len(first))
    if axis is None:
        return f"Concat joins along axis {node.integer('axis', 1)} of data of {_text(first)}"
    for shape in shapes[1:]:
        if len(shape) != len(first):
            return f"Concat joins {_text(first)} and {_text(shape)}, whose ranks differ"
        if any(i != axis and _differ(a, b) for i, (a, b) in enumerate(zip(first, shape, strict=True))):
            return f"Concat joins {_text(first)} and {_text(shape)} along axis {axis}; the other sizes must be equal"
    return ""


def _reshape(graph: Graph, node: Node) -> str:
    data, target = _shape(graph, node, 0), graph.value(node.input(1), SMALL) if node.input(1) else None
    if data is None or target is None or target.dtype.kind not in "iu":
        return ""
    sizes = [int(d) for d in target.reshape(-1)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        return f"Reshape to {sizes}: at most one size may be -1, none below"
    if not node.integer("allowzero", 0):
        if any(d == 0 and i >= len(data) for i, d in enumerate(sizes)):
            return f"Reshape to {sizes} takes over a size that data of {_text(data)} does not have"
        known = [data[i] if d == 0 else d for i, d in enumerate(sizes)]
    else:
        known = list(sizes)
    before, after = product(data), product(d for d in known if d != -1)
    if before is None or after is None:
        return ""
    if (-1 in sizes and (before % after if after else before)) or (-1 not in sizes and before != after):
        return (
            f"Reshape of {_text(data)} ({before} values) to {'x'.join(map(str, sizes)) or 'a single number'}"
        )
    return ""


def _transpose(graph: Graph, node: Node) -> str:
    data, perm = _shape(graph, node, 0), node.integers("perm")
    if data is None or perm is None or sorted(perm) == list(range(len(data))):
        return ""
    return f"Transpose by {list(perm[:8])} of data of rank {len(data)}"


def _norm(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    if data is None or len(data) < 2:
        return ""
    for i in range(1, len(node.inputs)):
        shape = _shape(graph, node, i)
        if shape is not None and (len(shape) != 1 or _differ(shape[0], data[1])):
            return f"{node.op} has parameters of {_text(shape)} for {data[1]} channels"
    return ""


def _axis(graph: Graph, node: Node) -> str:
    data, axis = _shape(graph, node, 0), node.attribute("axis")
    if data is None or not isinstance(axis, int):
        return ""
    most = len(data) if node.op == "Flatten" else len(data) - 1
    return (
        ""
        if -len(data) <= axis <= most or not data
        else f"{node.op} along axis {axis} of data of {_text(data)}"
    )


def _axes(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    axes = node.integers("axes") if value is None else tuple(int(v) for v in value.reshape(-1))
    if data is None or axes is None:
        return ""
    rank = len(data) + (len(axes) if node.op == "Unsqueeze" else 0)
    places = [at(axis, rank) for axis in axes]
    if None in places:
        return f"{node.op} of axes {list(axes[:8])} of data of {_text(data)}"
    if len(set(places)) != len(places):
        return f"{node.op} names an axis twice: {list(axes[:8])}"
    if node.op == "Squeeze":
        for place in places:
            dim = data[place]  # type: ignore[index]
            if isinstance(dim, int) and dim != 1:
                return f"Squeeze of axis {place} of data of {_text(data)}, whose size is not 1"
    return ""


def _split(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    if data is None:
        return ""
    axis = at(node.integer("axis", 0), len(data))
    if axis is None:
        return f"Split along axis {node.integer('axis', 0)} of data of {_text(data)}"
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    lengths = node.integers("split") if value is None else tuple(int(v) for v in value.reshape(-1))
    if lengths is not None:
        if len(lengths) != len(node.outputs):
            return f"Split has {len(lengths)} lengths for {len(node.outputs)} outputs"
        if _differ(sum(lengths), data[axis]) or min(lengths, default=0) < 0:
            return f"Split of {data[axis]} into {'+'.join(map(str, lengths[:8]))}"
    elif graph.opset < 18 and not node.input(1):
        dim = data[axis]
        if isinstance(dim, int) and node.outputs and dim % len(node.outputs):
            return f"Split of {dim} into {len(node.outputs)} equal parts"
    return ""


def _pad(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    pads = node.integers("pads") if value is None else tuple(int(v) for v in value.reshape(-1))
    if data is None or pads is None:
        return ""
    axes = graph.type(node.input(3)).dims if node.input(3) else (len(data),)
    if axes is not None and len(pads) != 2 * (axes[0] if axes else 1):
        return f"Pad has {len(pads)} pads for data of {_text(data)}"
    if not node.input(3):
        for i, dim in enumerate(data):
            if isinstance(dim, int) and dim + pads[i] + pads[i + len(data)] < 0:
                return f"Pad takes {-pads[i] - pads[i + len(data)]} of the {dim} along axis {i}"
    return ""


def _resize(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    count = len(node.integers("axes") or ()) or (len(data) if data is not None else 0)
    for position in (2, 3):
        shape = _shape(graph, node, position)
        if (
            data is not None
            and shape is not None
            and len(shape) == 1
            and shape[0]
            and _differ(shape[0], count)
        ):
            return f"Resize has {shape[0]} {'scales' if position == 2 else 'sizes'} for data of {_text(data)}"
    value = graph.value(node.input(2), SMALL) if node.input(2) else None
    if value is None or value.dtype.kind != "f" or not value.size:
        return ""
    if not (value > 0).all():
        return f"Resize by {min(value.reshape(-1).tolist()):g}; scales must be above 0"
    maker = graph.producer(node.input(2))
    if graph.type(node.output(0)).empty and not graph.type(node.input(0)).empty:
        scales = "x".join(f"{v:g}" for v in value.reshape(-1).tolist()[:8])
        why = ": the scales are quantized, keep them float" if maker is not None and is_qdq(maker) else ""
        return f"Resize by {scales} leaves no elements{why}"
    return ""


def _slice(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    counts = {
        shape[0] for i in range(1, 5) if (shape := _shape(graph, node, i)) is not None and len(shape) == 1
    }
    known = {count for count in counts if isinstance(count, int)}
    if len(known) > 1:
        return f"Slice has starts, ends, axes and steps of different lengths: {sorted(known)}"
    axes = graph.value(node.input(3), SMALL) if node.input(3) else None
    if data is not None and axes is not None and any(at(int(a), len(data)) is None for a in axes.reshape(-1)):
        return f"Slice of axes {[int(a) for a in axes.reshape(-1)[:8]]} of data of {_text(data)}"
    steps = graph.value(node.input(4), SMALL) if node.input(4) else None
    return "Slice has a step of 0" if steps is not None and steps.size and not steps.all() else ""


def _gather(graph: Graph, node: Node) -> str:
    data = _shape(graph, node, 0)
    if data is None:
        return ""
    axis = at(node.integer("axis", 0), len(data))
    if axis is None:
        return f"Gather along axis {node.integer('axis', 0)} of data of {_text(data)}"
    chosen, size = graph.value(node.input(1), SMALL) if node.input(1) else None, data[axis]
    if chosen is not None and chosen.size and chosen.dtype.kind in "iu" and isinstance(size, int):
        low, high = int(chosen.min()), int(chosen.max())
        if low < -size or high >= size:
            return f"Gather takes item {low if low < -size else high} of {size} along axis {axis}"
    return ""


def _quantization(graph: Graph, node: Node) -> str:
    """A QuantizeLinear or DequantizeLinear: its scales against the axis of its data."""
    data, scale, zero = (_shape(graph, node, i) for i in range(3))
    if scale is None:
        return ""
    count = product(scale)
    if count == 0:
        return f"{node.op} has no scale: a tensor without elements"
    if (
        zero is not None
        and None not in (*scale, *zero)
        and scale != zero
        and not (product(zero) == count == 1)
    ):
        return f"{node.op} has {_text(scale)} scales and {_text(zero)} zero points"
    block = node.integer("block_size", 0)
    if data is None or block:
        return _blocks(node, data, scale, block) if block and data is not None else ""
    if not scale or (len(scale) == 1 and scale[0] == 1):
        return ""
    if len(scale) > 1:
        return f"{node.op} has scales of {_text(scale)}, which only blocks have"
    axis = at(node.integer("axis", 1), len(data))
    if axis is None:
        return f"{node.op} has {scale[0]} scales along axis {node.integer('axis', 1)}, its data has rank {len(data)}"
    if _differ(scale[0], data[axis]):
        stated = "" if node.attribute("axis") is not None else " (no axis is stated: it is 1)"
        return f"{node.op} has {scale[0]} scales along axis {axis}{stated}, whose size is {data[axis]}"
    return ""


def _blocks(node: Node, data: Shape, scale: Shape, block: int) -> str:
    axis = at(node.integer("axis", 1), len(data))
    if axis is None or block < 0 or len(scale) != len(data):
        return f"{node.op} has scales of {_text(scale)} in blocks of {block} along axis {node.integer('axis', 1)}"
    size = data[axis]
    wanted = math.ceil(size / block) if isinstance(size, int) and size < 1 << 53 else None
    if _differ(scale[axis], wanted):
        return (
            f"{node.op} has {scale[axis]} scales along axis {axis}; blocks of {block} of {size} make {wanted}"
        )
    return ""


def _depth(graph: Graph, node: Node) -> str:
    data, block = _shape(graph, node, 0), node.integer("blocksize", 0)
    if data is None:
        return ""
    if len(data) != 4 or block < 1:
        return f"{node.op} with blocks of {block} of data of {_text(data)}"
    if node.op == "DepthToSpace":
        uneven = isinstance(data[1], int) and data[1] % (block * block)
    else:
        uneven = any(isinstance(d, int) and d % block for d in data[2:])
    return (
        f"{node.op} with blocks of {block} of data of {_text(data)}, which they do not divide"
        if uneven
        else ""
    )


def _expand(graph: Graph, node: Node) -> str:
    data, target = _shape(graph, node, 0), graph.value(node.input(1), SMALL) if node.input(1) else None
    if data is None or target is None or target.dtype.kind not in "iu":
        return ""
    sizes = tuple(int(d) for d in target.reshape(-1))
    return "" if broadcast(data, sizes) is not None else f"Expand of {_text(data)} to {_text(sizes)}"


_CHECKS: dict[str, Check] = {
    "Conv": _conv,
    "ConvInteger": _conv_integer,
    "QLinearConv": _qlinear_conv,
    "ConvTranspose": _transposed,
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _global_pool),
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _qlinear_matmul,
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor", "Equal", "Less",
         "Greater", "LessOrEqual", "GreaterOrEqual", "Where"), _elementwise),
    "PRelu": _prelu,
    "Concat": _concat,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "BatchNormalization": _norm,
    "InstanceNormalization": _norm,
    **dict.fromkeys(("Flatten", "Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin", "LayerNormalization"), _axis),
    **dict.fromkeys(
        ("Squeeze", "Unsqueeze", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
         "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"), _axes),
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "Gather": _gather,
    "Expand": _expand,
    "QuantizeLinear": _quantization,
    "DequantizeLinear": _quantization,
    "DepthToSpace": _depth,
    "SpaceToDepth": _depth,
}  # fmt: skip
