"""Sums over integers in onnxruntime are exact on every CPU, whatever the signs of activations and weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.load import load
from npuscope.numbers.runner import Runner

TYPES: dict[str, tuple[int, type[Any], tuple[int, int]]] = {
    "u": (TensorProto.UINT8, np.uint8, (0, 255)),
    "s": (TensorProto.INT8, np.int8, (-128, 127)),
}
STEP = 4096.0
"""Of outputs in 8 bits."""


def extreme(rng: np.random.Generator, sign: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values at the ends of the type, where sums of two products are largest."""
    _, dtype, ends = TYPES[sign]
    return rng.choice(ends, shape).astype(dtype)


def convolved(x: np.ndarray, w: np.ndarray, group: int) -> np.ndarray:
    """A 3x3 Conv without padding, in int64."""
    rows, columns = x.shape[2] - 2, x.shape[3] - 2
    out = np.zeros((1, len(w), rows, columns), np.int64)
    each_in, each_out = x.shape[1] // group, len(w) // group
    for o in range(len(w)):
        first = o // each_out * each_in
        for i in range(3):
            for j in range(3):
                seen = x[0, first : first + each_in, i : i + rows, j : j + columns]
                out[0, o] += np.tensordot(w[o, :, i, j], seen, 1)
    return out


def run(
    folder: Path, nodes: list[onnx.NodeProto], x: np.ndarray, output: int, constants: dict[str, Any]
) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    source = load(path)
    return Runner(source, source.graph).run({"x": x})[0]


NODES: dict[str, tuple[list[str], str]] = {
    "ConvInteger": (["x", "w", "xz", "wz"], ""),
    "MatMulInteger": (["x", "w", "xz", "wz"], ""),
    "QLinearConv": (["x", "one", "xz", "w", "one", "wz", "step", "yz"], ""),
    "QLinearMatMul": (["x", "one", "xz", "w", "one", "wz", "step", "yz"], ""),
    "QGemm": (["x", "one", "xz", "w", "one", "wz", "", "step", "yz"], "com.microsoft"),
}


FORMS = [(op, form) for op in NODES for form in ("stored", "computed", "in a body")]
FORMS += [
    (op, "no zero points") for op in ("ConvInteger", "MatMulInteger")
]  # a QLinear operator always has them


@pytest.mark.parametrize("signs", ["uu", "us", "su", "ss"])
@pytest.mark.parametrize(("op", "form"), FORMS)
def test_sums_of_integers_are_exact(op: str, signs: str, form: str, tmp_path: Path) -> None:
    inputs, domain = NODES[op]
    integer = op.endswith("Integer")
    rng = np.random.default_rng(len(op))
    kind, dtype, (low, high) = TYPES[signs[0]]
    zeros = (0, 0) if form == "no zero points" else (low + 3, TYPES[signs[1]][2][0] + 130)
    conv = "Conv" in op
    x = extreme(rng, signs[0], (1, 6, 5, 5) if conv else (4, 37))
    w = extreme(rng, signs[1], (4, 3, 3, 3) if conv else (37, 9))
    moved_x, moved_w = x.astype(np.int64) - zeros[0], w.astype(np.int64) - zeros[1]
    wanted = convolved(moved_x, moved_w, 2) if conv else moved_x @ moved_w
    constants = {
        "w": w,
        "xz": np.array(zeros[0], dtype),
        "wz": np.array(zeros[1], TYPES[signs[1]][1]),
        "one": np.float32(1),
        "step": np.float32(STEP),
        "yz": np.array(low + 100, dtype),
    }
    if form == "no zero points":
        inputs = inputs[:2]
    nodes = [helper.make_node(op, inputs, ["y"], "n", domain=domain, **({"group": 2} if conv else {}))]
    output = TensorProto.INT32 if integer else kind
    if form == "computed":
        constants["w_before"] = np.swapaxes(constants.pop("w"), 0, 1).copy()
        order = [1, 0, 2, 3][: w.ndim]
        nodes.insert(0, helper.make_node("Transpose", ["w_before"], ["w"], "t", perm=order))
    if form == "in a body":
        constants["yes"] = np.array(True)
        body = helper.make_graph(nodes, "body", [], [helper.make_tensor_value_info("y", output, None)])
        inner = onnx.GraphProto.FromString(body.SerializeToString())
        nodes = [helper.make_node("If", ["yes"], ["y"], "if", then_branch=body, else_branch=inner)]
    y = run(tmp_path, nodes, x, output, constants)
    if not integer:
        wanted = np.clip(np.rint(wanted / STEP) + low + 100, low, high)
    np.testing.assert_array_equal(y, wanted)


def test_zero_points_may_differ_from_column_to_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x, w = extreme(rng, "u", (4, 37)), extreme(rng, "s", (37, 9))
    zeros = rng.integers(-128, 128, 9).astype(np.int8)
    node = helper.make_node("MatMulInteger", ["x", "w", "xz", "wz"], ["y"], "n")
    constants = {"w": w, "xz": np.uint8(7), "wz": zeros}
    y = run(tmp_path, [node], x, TensorProto.INT32, constants)
    np.testing.assert_array_equal(y, (x.astype(np.int64) - 7) @ (w.astype(np.int64) - zeros))


def test_weights_that_two_layers_share_change_for_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, w = extreme(rng, "u", (5, 32)), extreme(rng, "s", (32, 6))
    nodes = [
        helper.make_node("MatMulInteger", ["x", "w"], ["a"], "first"),
        helper.make_node("DequantizeLinear", ["w", "one"], ["f"], "dq"),
        helper.make_node("ReduceSum", ["f"], ["s"], "sum", keepdims=0),
        helper.make_node("Cast", ["s"], ["i"], "cast", to=TensorProto.INT32),
        helper.make_node("Add", ["a", "i"], ["y"], "add"),
    ]
    y = run(tmp_path, nodes, x, TensorProto.INT32, {"w": w, "one": np.float32(1)})
    np.testing.assert_array_equal(y, x.astype(np.int64) @ w.astype(np.int64) + int(w.astype(int).sum()))
