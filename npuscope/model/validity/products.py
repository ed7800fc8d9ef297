"""Shapes that contradict one another in windows and products: Conv, pools, Gemm, MatMul."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.validity.operands import as_text, differ, shape_at, spreads


def conv(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 1, 2)


def conv_integer(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 1, None)


def qlinear_conv(graph: Graph, node: Node) -> str:
    return _convolved(graph, node, 0, 3, 8)


def _convolved(graph: Graph, node: Node, data_at: int, weight_at: int, bias_at: int | None) -> str:
    data, weight = shape_at(graph, node, data_at), shape_at(graph, node, weight_at)
    bias = shape_at(graph, node, bias_at) if bias_at is not None else None
    if data is None or weight is None:
        return ""
    if len(data) != len(weight) or len(data) < 3:
        return f"{node.op} has {as_text(weight)} weights for data of {as_text(data)}: the ranks must be equal, 3 or more"
    group = node.integer("group", 1)
    if group < 1:
        return f"{node.op} has {group} groups"
    outputs, inputs = weight[0], weight[1]
    if isinstance(inputs, int) and differ(data[1], inputs * group):
        return f"{node.op} has weights for {inputs * group} input channels, its data has {data[1]}"
    if isinstance(outputs, int) and outputs % group:
        return f"{node.op} has {outputs} output channels, which {group} groups do not divide"
    if bias is not None and (len(bias) != 1 or differ(bias[0], outputs)):
        return f"{node.op} has a bias of {as_text(bias)} for {outputs} output channels"
    return _window(node, len(data) - 2, weight[2:])


def conv_transpose(graph: Graph, node: Node) -> str:
    data, weight, bias = (shape_at(graph, node, i) for i in range(3))
    if data is None or weight is None:
        return ""
    if len(data) != len(weight) or len(data) < 3:
        return f"{node.op} has {as_text(weight)} weights for data of {as_text(data)}: the ranks must be equal, 3 or more"
    group = node.integer("group", 1)
    if group < 1:
        return f"{node.op} has {group} groups"
    if differ(data[1], weight[0]):
        return f"{node.op} has weights for {weight[0]} input channels, its data has {data[1]}"
    if isinstance(weight[0], int) and weight[0] % group:
        return f"{node.op} has {weight[0]} input channels, which {group} groups do not divide"
    outputs = weight[1] * group if isinstance(weight[1], int) else None
    if bias is not None and (len(bias) != 1 or differ(bias[0], outputs)):
        return f"{node.op} has a bias of {as_text(bias)} for {outputs} output channels"
    return _window(node, len(data) - 2, weight[2:])


def _window(node: Node, rank: int, kernel: Shape | None = None) -> str:
    """Numbers of strides, dilations, pads and sizes of a window."""
    stated = node.integers("kernel_shape")
    if stated is not None and kernel is not None and not _same(stated, kernel):
        return f"{node.op} states a kernel of {as_text(stated)}, its weights have {as_text(kernel)}"
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
    return len(a) == len(b) and not any(differ(x, y) for x, y in zip(a, b, strict=True))


def pool(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    if len(data) < 3:
        return f"{node.op} reads data of {as_text(data)}; it needs a batch, channels and at least one more dimension"
    return _window(node, len(data) - 2)


def global_pool(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    return (
        ""
        if data is None or len(data) > 2
        else f"{node.op} reads data of {as_text(data)}; it needs rank 3 or more"
    )


def gemm(graph: Graph, node: Node) -> str:
    a, b, c = (shape_at(graph, node, i) for i in range(3))
    if a is None or b is None:
        return ""
    if len(a) != 2 or len(b) != 2:
        return f"Gemm multiplies {as_text(a)} by {as_text(b)}; both must be matrices"
    if node.integer("transA", 0):
        a = (a[1], a[0])
    if node.integer("transB", 0):
        b = (b[1], b[0])
    if differ(a[1], b[0]):
        return f"Gemm multiplies {as_text(a)} by {as_text(b)}: {a[1]} and {b[0]} must be equal"
    if c is not None and not spreads(c, (a[0], b[1])):
        return f"Gemm adds {as_text(c)} to {as_text((a[0], b[1]))}"
    return ""


def matmul(graph: Graph, node: Node) -> str:
    return _multiplied(node, shape_at(graph, node, 0), shape_at(graph, node, 1))


def qlinear_matmul(graph: Graph, node: Node) -> str:
    return _multiplied(node, shape_at(graph, node, 0), shape_at(graph, node, 3))


def _multiplied(node: Node, a: Shape | None, b: Shape | None) -> str:
    if a is None or b is None:
        return ""
    if not a or not b:
        return f"{node.op} multiplies a single number"
    inner = b[0] if len(b) == 1 else b[-2]
    if differ(a[-1], inner):
        return f"{node.op} multiplies {as_text(a)} by {as_text(b)}: {a[-1]} and {inner} must be equal"
    if broadcast(a[:-2], b[:-2]) is None:
        return f"{node.op} multiplies {as_text(a)} by {as_text(b)}, whose batches do not broadcast"
    return ""
