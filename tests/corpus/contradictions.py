"""Models whose nodes contradict what they read or each other, and data that is no quantized number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, helper, numpy_helper

from corpus.case import OPENS, Case, model, node, quantized, saved

MAP = (1, 16, 8, 8)
ONES = np.ones(16, np.float32)


def _beside(
    op: str, *more: Any, opset: int = 13, shape: tuple[int, ...] = MAP, **attributes: Any
) -> ModelProto:
    """An operator in int8 with these further inputs; '' for an absent one."""
    constants = {f"k{i}": value for i, value in enumerate(more) if not isinstance(value, str)}
    names = [value if isinstance(value, str) else f"k{i}" for i, value in enumerate(more)]
    return quantized(op, shape, *names, constants=constants, opset=opset, **attributes)


def longs(*values: int) -> Any:
    return np.array(values, np.int64)


INVALID: dict[str, ModelProto] = {
    "Resize with its scales where opset 10 has them": _beside("Resize", np.float32([1, 1, 2, 2])),
    "Resize with neither": _beside("Resize", "", ""),
    "Pad that reflects more than there is": _beside("Pad", longs(0, 0, 8, 0, 0, 0, 0, 0), mode="reflect"),
    "LayerNormalization of other parameters": _beside("LayerNormalization", ONES[:5], opset=17),
    "LayerNormalization along no axis": _beside("LayerNormalization", ONES[:8], opset=17, axis=4),
    "RMSNormalization of other parameters": _beside("RMSNormalization", ONES[:5], opset=23),
    "GroupNormalization of groups that do not divide": _beside(
        "GroupNormalization", ONES[:3], ONES[:3], opset=18, num_groups=3
    ),
    "GroupNormalization with parameters of groups in opset 21": _beside(
        "GroupNormalization", ONES[:4], ONES[:4], opset=21, num_groups=4
    ),
    "GroupNormalization of rows": _beside(
        "GroupNormalization", ONES[:2], ONES[:2], opset=18, shape=(1, 16), num_groups=2
    ),
    "ConvTranspose that adds a whole stride": _beside(
        "ConvTranspose", np.ones((16, 8, 2, 2), np.float32), strides=[2, 2], output_padding=[0, 2]
    ),
    "Einsum of a letter that is not there": _beside("Einsum", equation="bchw->bcz"),
    "Einsum of a letter twice": _beside("Einsum", equation="bchw->bcc"),
    "GridSample of three numbers a place": _beside("GridSample", np.ones((1, 8, 8, 3), np.float32), opset=16),
    "GridSample in a mode of its own": _beside(
        "GridSample", np.ones((1, 8, 8, 2), np.float32), opset=16, mode="lanczos"
    ),
    "Split into no number of parts": _beside("Split", opset=18, outputs=2, axis=1),
    "QuantizeLinear to another type than its zero point's": model(
        [node("QuantizeLinear", ["x", "s", "z"], output_dtype=2)],
        {"x": ("float", MAP)},
        constants={"s": np.float32(0.1), "z": np.int8(0)},
        opset=21,
    ),
    "Det of rows": _beside("Det", shape=(1, 16, 8)),
    "OneHot of three values": model(
        [node("OneHot", ["x", "depth", "values"])],
        {"x": ("int64", (1, 4))},
        constants={"depth": np.int64(4), "values": np.float32([0, 1, 2])},
    ),
    "Attention without its heads": model(
        [node("Attention", ["x", "x", "x"])], {"x": ("float", (1, 4, 16))}, opset=23
    ),
    "GridSample of another batch": _beside("GridSample", np.ones((2, 8, 8, 2), np.float32), opset=16),
}


def _attention(query: tuple[int, ...], key: tuple[int, ...], past: int = 0, **heads: int) -> ModelProto:
    """Query, key and value of these shapes; with a past key, or one of both."""
    entries: dict[str, Any] = {"q": ("float", query), "k": ("float", key), "v": ("float", key)}
    entries |= dict.fromkeys(("pk", "pv")[:past], ("float", (1, 2, 3, 4)))
    caches = ("", "pk", "pv")[: 1 + past] if past else ()
    return model([node("Attention", ["q", "k", "v", *caches], **heads)], entries, opset=23)


def _turned(shape: tuple[int, ...], half: int, **attributes: int) -> ModelProto:
    """A RotaryEmbedding with so many cosines and sines for each place."""
    caches: dict[str, Any] = {name: np.ones((50, half), np.float32) for name in ("cos", "sin")}
    nodes = [node("RotaryEmbedding", ["x", "cos", "sin", "at"], **attributes)]
    return model(
        nodes, {"x": ("float", shape)}, constants=caches | {"at": np.zeros((1, 6), np.int64)}, opset=23
    )


def _two(
    op: str, first: tuple[int, ...], second: tuple[int, ...], dtype: str = "int64", **attributes: Any
) -> ModelProto:
    """An operator on two inputs."""
    return model([node(op, ["x", "t"], **attributes)], {"x": ("float", first), "t": (dtype, second)})


PARAMETERS: dict[str, tuple[Any, ...]] = {
    "Reshape": (longs(4).reshape(1, 1),),
    "Expand": (longs(16).reshape(1, 1),),
    "Tile": (longs(1, 1).reshape(2, 1),),
    "Slice": (longs(0), longs(4), np.int64(1)),
    "Unsqueeze": (longs(0, 1).reshape(1, 2),),
    "ReduceSum": (np.int64(1),),
    "Split": (longs(16).reshape(1, 1),),
    "TopK": (longs(1, 1),),
    "CumSum": (longs(1, 1),),
    "Clip": (np.zeros(2, np.float32),),
}
"""Operator -> inputs behind the data, one of which has dimensions that it must not have."""

BETWEEN_INPUTS: dict[str, ModelProto] = {
    "Attention of two ranks": _attention((1, 2, 6, 4), (1, 6, 8)),
    "Attention of heads in uneven groups": _attention((1, 3, 6, 4), (1, 2, 6, 4)),
    "Attention of heads that do not divide": _attention(
        (1, 6, 24), (1, 6, 24), q_num_heads=5, kv_num_heads=5
    ),
    "Attention of two head sizes": _attention((1, 6, 24), (1, 6, 24), q_num_heads=2, kv_num_heads=3),
    "Attention with half a cache": _attention((1, 2, 6, 4), (1, 2, 6, 4), past=1),
    "RotaryEmbedding of other cosines": _turned((1, 6, 32), 4, num_heads=2),
    "RotaryEmbedding of no heads": _turned((1, 6, 32), 16),
    "a loss of another target": _two("SoftmaxCrossEntropyLoss", (3, 5), (4,)),
    "ReverseSequence of other lengths": _two("ReverseSequence", (4, 6), (4,)),
    "MaxUnpool of other places": _two("MaxUnpool", (1, 1, 2, 2), (1, 1, 3, 2), kernel_shape=[2, 2]),
    "Mod in a mode of its own": _two("Mod", (3,), (3,), "float", fmod=2),
    "Max of an input that is absent": model([node("Max", ["x", ""])], {"x": ("float", (3,))}),
    "Concat of an input that is absent": model(
        [node("Concat", ["x", "", "x"], axis=0)], {"x": ("float", (3,))}
    ),
}

VALID_BETWEEN: dict[str, ModelProto] = {
    "Attention of groups": _attention((1, 4, 6, 4), (1, 2, 6, 4)),
    "Attention of rows": _attention((1, 6, 24), (1, 6, 12), q_num_heads=4, kv_num_heads=2),
    "Attention with a cache": _attention((1, 2, 6, 4), (1, 2, 6, 4), past=2),
    "RotaryEmbedding": _turned((1, 6, 32), 8, num_heads=2),
    "a loss": _two("SoftmaxCrossEntropyLoss", (3, 5), (3,)),
    "ReverseSequence": _two("ReverseSequence", (4, 6), (6,)),
}

VALID: dict[str, ModelProto] = {
    "Resize by scales": _beside("Resize", "", np.float32([1, 1, 2, 2])),
    "Pad that reflects all but the border": _beside("Pad", longs(0, 0, 7, 7, 0, 0, 7, 7), mode="reflect"),
    "LayerNormalization": _beside("LayerNormalization", ONES[:8], ONES[:8], opset=17),
    "LayerNormalization of one parameter for all": _beside("LayerNormalization", ONES[:1], opset=17, axis=1),
    "GroupNormalization": _beside("GroupNormalization", ONES, ONES, opset=21, num_groups=4),
    "ConvTranspose that adds a part of its stride": _beside(
        "ConvTranspose", np.ones((16, 8, 2, 2), np.float32), strides=[2, 2], output_padding=[1, 1]
    ),
    "Einsum that sums": _beside("Einsum", equation="bchw->bc"),
    "Einsum without an arrow": _beside("Einsum", equation="bchw"),
    "GridSample": _beside("GridSample", np.ones((1, 8, 8, 2), np.float32), opset=16),
}


def _wired() -> Iterator[tuple[str, ModelProto]]:
    x: dict[str, Any] = {"x": ("float", (1, 4))}
    yield "a tensor that nothing makes", model([node("Add", ["x", "ghost"])], x)
    yield (
        "a tensor made twice",
        model([node("Relu", ["x"], ["t"]), node("Tanh", ["x"], ["t"]), node("Relu", ["t"])], x),
    )
    yield (
        "an initializer made again",
        model([node("Relu", ["x"], ["k"]), node("Add", ["x", "k"])], x, constants={"k": ONES[:4]}),
    )
    yield "an input made again", model([node("Relu", ["x"], ["x"]), node("Tanh", ["x"])], x)
    circle = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Tanh", ["b"])]
    yield "two nodes that wait for each other", model(circle, x)
    yield "a node that reads itself", model([node("Add", ["x", "y"])], x)


def _sparse(indices: Any, values: int = 2, dtype: type = np.int64) -> ModelProto:
    """A Gemm with sparse weights of 8x4."""
    nodes = [
        node("QuantizeLinear", ["W", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["w"]),
        node("DequantizeLinear", ["x", "s", "z"], ["f"]),
        node("Gemm", ["f", "w"], ["r"], transB=1),
        node("QuantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    made = model(nodes, {"x": ("int8", (1, 4))}, ["y"], {"s": np.float32(0.1), "z": np.int8(0)})
    constants = numpy_helper.from_array(np.ones(values, np.float32), "W")
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(constants, numpy_helper.from_array(np.array(indices, dtype), "i"), [8, 4])
    )
    return made


def _plain(op: str, dtype: str, *more: str) -> ModelProto:
    """An operator on data that is not quantized."""
    return model(
        [node(op, ["x", *more])], {"x": (dtype, (1, 8, 4, 4))}, constants={"to": longs(1, 128)}, opset=14
    )


def _in_order_of_its_own() -> ModelProto:
    """Nodes that are not sorted: onnxruntime sorts them."""
    return model([node("Tanh", ["a"]), node("Relu", ["x"], ["a"])], {"x": ("float", (1, 4))})


def _without_outputs() -> ModelProto:
    made = model([node("Relu", ["x"])], {"x": ("float", (1, 4))})
    graph = GraphProto()
    graph.CopyFrom(made.graph)
    del graph.output[:]
    made.graph.CopyFrom(graph)
    return made


def cases() -> Iterator[Case]:
    for name, made in INVALID.items():
        yield Case(f"contradiction: {name}", saved(made), "N114")
    for op, more in PARAMETERS.items():
        made = _beside(op, *more, opset=14, shape=(1, 16), outputs=2 if op == "TopK" else 1)
        yield Case(f"contradiction: a parameter of {op}", saved(made), "N114")
    for name, made in BETWEEN_INPUTS.items():
        yield Case(f"contradiction: {name}", saved(made), "N114")
    for name, made in (*VALID.items(), *VALID_BETWEEN.items()):
        yield Case(f"none: {name}", saved(made), OPENS)
    for name, made in _wired():
        yield Case(f"contradiction: {name}", saved(made), "N114")
    yield Case("none: nodes in an order of their own", saved(_in_order_of_its_own()), OPENS)
    yield Case("none: no outputs", saved(_without_outputs()), OPENS)
    yield Case("sparse: a place outside", saved(_sparse([3, 32])), "N114")
    yield Case("sparse: a place before", saved(_sparse([-1, 3])), "N114")
    yield Case("sparse: places that are no numbers", saved(_sparse([np.nan, 3], dtype=np.float32)), "N114")
    yield Case("sparse: a row outside", saved(_sparse([[0, 0], [8, 0]])), "N114")
    yield Case("sparse: fewer places than values", saved(_sparse([3])), "N114")
    yield Case("sparse: places of rows and columns", saved(_sparse([[0, 0], [7, 3]])), OPENS)
    for op, dtype, *more in (
        ("Add", "int32", "x"), ("Neg", "int64"), ("Mul", "uint32", "x"), ("Reshape", "string", "to"),
        ("Identity", "complex64"),
    ):  # fmt: skip
        yield Case(f"plain: {op} of {dtype}", saved(_plain(op, dtype, *more)), "N104")
    yield Case("plain: Reshape of int64", saved(_plain("Reshape", "int64", "to")), OPENS)
