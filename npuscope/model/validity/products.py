"""Shapes that contradict one another in windows and products: Conv, pools, Gemm, MatMul."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import product
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
    group = node.integer("group", 1)
    if fault := _ranks_and_groups(node, data, weight, group):
        return fault
    outputs, inputs = weight[0], weight[1]
    if isinstance(inputs, int) and differ(data[1], inputs * group):
        return f"{node.op} has weights for {inputs * group} input channels, its data has {data[1]}"
    if isinstance(outputs, int) and outputs % group:
        return f"{node.op} has {outputs} output channels, which {group} groups do not divide"
    if bias is not None and (len(bias) != 1 or differ(bias[0], outputs)):
        return f"{node.op} has a bias of {as_text(bias)} for {outputs} output channels"
    if node.op == "QLinearConv":
        for position, what in ((4, "scales"), (5, "zero points")):
            count = product(shape_at(graph, node, position) or ())
            if count != 1 and differ(count, outputs):
                return f"{node.op} has {count} {what} for {outputs} output channels"
    return _window(node, data, weight[2:]) or _two_paddings(node)


def _ranks_and_groups(node: Node, data: Shape, weight: Shape, group: int) -> str:
    if len(data) != len(weight) or len(data) < 3:
        return f"{node.op} has {as_text(weight)} weights for data of {as_text(data)}; their ranks must be equal and at least 3"
    return f"{node.op} has {group} groups" if group < 1 else ""


def conv_transpose(graph: Graph, node: Node) -> str:
    data, weight, bias = (shape_at(graph, node, i) for i in range(3))
    if data is None or weight is None:
        return ""
    group = node.integer("group", 1)
    if fault := _ranks_and_groups(node, data, weight, group):
        return fault
    if differ(data[1], weight[0]):
        return f"{node.op} has weights for {weight[0]} input channels, its data has {data[1]}"
    if isinstance(weight[0], int) and weight[0] % group:
        return f"{node.op} has {weight[0]} input channels, which {group} groups do not divide"
    outputs = weight[1] * group if isinstance(weight[1], int) else None
    if bias is not None and (len(bias) != 1 or differ(bias[0], outputs)):
        return f"{node.op} has a bias of {as_text(bias)} for {outputs} output channels"
    return _window(node, data, weight[2:]) or _two_paddings(node)


def _two_paddings(node: Node) -> str:
    if node.integers("pads") and node.text("auto_pad", "NOTSET") != "NOTSET":
        return f"{node.op} has pads and an auto_pad; only one of them is allowed"
    return ""


def _window(node: Node, data: Shape, kernel: Shape | None = None) -> str:
    """Numbers of strides, dilations, pads and sizes of a window, and whether it fits into its data."""
    rank = len(data) - 2
    stated = node.integers("kernel_shape")
    if stated is not None and kernel is not None and not _same(stated, kernel):
        return f"{node.op} states a kernel of {as_text(stated)}, its weights have {as_text(kernel)}"
    counts = (
        ("kernel_shape", rank),
        ("strides", rank),
        ("dilations", rank),
        ("output_padding", rank),
        ("output_shape", rank),
        ("pads", 2 * rank),
    )
    for name, count in counts:
        values = node.integers(name)
        if values is None:
            continue
        if len(values) != count:
            return f"{node.op} has {len(values)} {name} for data that needs {count}"
        low = 0 if name == "output_padding" else 1
        if name != "pads" and any(v < low for v in values):
            return f"{node.op} has {name} of {min(values)}; they must be at least {low}"
        if name == "pads" and any(v < 0 for v in values) and node.op != "ConvTranspose":
            return f"{node.op} has negative pads"
    if node.op == "ConvTranspose":
        return _beyond(node, rank)
    if node.text("auto_pad", "NOTSET").startswith("SAME"):
        return ""
    return _too_large(node, data, stated if kernel is None else kernel)


def _beyond(node: Node, rank: int) -> str:
    """Rows that a transposed convolution adds after its output, as far as a stride or a dilation reaches."""
    steps, spread = (node.integers(name) or (1,) * rank for name in ("strides", "dilations"))
    for added, step, gap in zip(node.integers("output_padding") or (), steps, spread, strict=False):
        if added >= max(step, gap):
            return f"{node.op} has output_padding of {added}; it must be below its stride or dilation, {max(step, gap)}"
    return ""


def _too_large(node: Node, data: Shape, kernel: Shape | None) -> str:
    """A window that is larger than the padded data, or that a pool's padding alone would fill."""
    rank = len(data) - 2
    if kernel is None or len(kernel) != rank:
        return ""
    pads = node.integers("pads") or (0,) * (2 * rank)
    if node.text("auto_pad", "NOTSET") == "VALID":
        pads = (0,) * (2 * rank)
    dilations = node.integers("dilations") or (1,) * rank
    for i, (taps, size) in enumerate(zip(kernel, data[2:], strict=True)):
        if not isinstance(taps, int) or not isinstance(size, int) or not size:
            continue
        extent, room = (taps - 1) * dilations[i] + 1, size + pads[i] + pads[i + rank]
        if extent > room:
            return (
                f"{node.op} has a window of {extent} for data of {room}, padding included, along axis {i + 2}"
            )
        if node.op in _POOLS and max(pads[i], pads[i + rank]) >= taps:
            return f"{node.op} pads a window of {taps} by {max(pads[i], pads[i + rank])}; pads must be smaller than the window"
    return ""


_POOLS = frozenset({"AveragePool", "MaxPool", "LpPool"})


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and not any(differ(x, y) for x, y in zip(a, b, strict=True))


def pool(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    if len(data) < 3:
        return f"{node.op} reads data of {as_text(data)}; it needs a batch, channels and at least one more dimension"
    return _window(node, data)


def global_pool(graph: Graph, node: Node) -> str:
    data = shape_at(graph, node, 0)
    return (
        ""
        if data is None or len(data) > 2
        else f"{node.op} reads data of {as_text(data)}; it needs at least rank 3"
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
    b, scale = shape_at(graph, node, 3), shape_at(graph, node, 4)
    count = product(scale or ())
    if b and len(b) > 1 and count != 1 and differ(count, product((*b[:-2], b[-1]))) and differ(count, b[-1]):
        return f"{node.op} has {count} scales for {b[-1]} columns"
    return _multiplied(node, shape_at(graph, node, 0), b)


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


def einsum(graph: Graph, node: Node) -> str:
    """One size for each letter of the equation."""
    left, _, right = node.text("equation", "").replace(" ", "").partition("->")
    terms = left.split(",")
    if "." in left + right or len(left) + len(right) > MOST_LETTERS:
        return ""
    if len(terms) != len(node.inputs):
        return f"Einsum has {len(node.inputs)} inputs for {len(terms)} terms of its equation"
    sizes: dict[str, int] = {}
    for i, term in enumerate(terms):
        shape = shape_at(graph, node, i)
        if shape is None:
            continue
        if len(shape) != len(term):
            return f"Einsum has {len(term)} letters for data of {as_text(shape)}"
        for letter, size in zip(term, shape, strict=True):
            if isinstance(size, int) and size != 1 and sizes.setdefault(letter, size) != size:
                return f"Einsum has sizes {sizes[letter]} and {size} for {letter!r}"
    unknown = [letter for letter in right if letter not in sizes and letter not in "".join(terms)]
    if unknown or len(set(right)) != len(right):
        return f"Einsum has output {right!r}, " + (
            "which no input has in full" if unknown else "with a letter twice"
        )
    return ""


MOST_LETTERS = 1 << 10
