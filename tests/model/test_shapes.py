"""Shapes of com.microsoft operators and of what comes behind them: ONNX infers neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.load import load

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
S, Z = np.float32(0.1), np.uint8(3)


def f(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def u(*shape: int) -> Any:
    return np.ones(shape, np.uint8)


ROWS: list[tuple[str, int, tuple[int, ...], tuple[Any, ...], dict[str, Any], str, tuple[int, ...]]] = [
    ("Gelu", FLOAT, (2, 5, 8), (), {}, "float32", (2, 5, 8)),
    ("BiasGelu", FLOAT, (2, 5, 8), (f(8),), {}, "float32", (2, 5, 8)),
    ("SkipLayerNormalization", FLOAT, (2, 5, 8), (f(2, 5, 8), f(8), f(8)), {}, "float32", (2, 5, 8)),
    ("FusedConv", FLOAT, (1, 3, 8, 8), (f(6, 3, 3, 3), f(6)), {"activation": "Relu"}, "float32", (1, 6, 6, 6)),
    ("FusedGemm", FLOAT, (2, 8), (f(8, 3), f(3)), {"activation": "Relu"}, "float32", (2, 3)),
    ("FusedMatMul", FLOAT, (2, 5, 8), (f(2, 7, 8),), {"transB": 1}, "float32", (2, 5, 7)),
    ("FusedMatMul", FLOAT, (2, 8, 5), (f(2, 8, 7),), {"transA": 1}, "float32", (2, 5, 7)),
    ("DynamicQuantizeMatMul", FLOAT, (2, 5, 8), (u(8, 3), S, Z), {}, "float32", (2, 5, 3)),
    ("MatMulIntegerToFloat", UINT8, (5, 8), (u(8, 3), S, S, Z, Z), {}, "float32", (5, 3)),
    ("MatMulNBits", FLOAT, (2, 5, 8), (u(3, 1, 8), f(3)), {"K": 8, "N": 3, "bits": 4, "block_size": 16},
     "float32", (2, 5, 3)),
    ("Attention", FLOAT, (2, 5, 8), (f(8, 24), f(24)), {"num_heads": 2}, "float32", (2, 5, 8)),
    ("QLinearReduceMean", UINT8, (2, 5, 8), (S, Z, S, Z), {"axes": [1], "keepdims": 0}, "uint8", (2, 8)),
    ("QLinearReduceMean", UINT8, (2, 5, 8), (S, Z, S, Z), {"axes": [-1], "keepdims": 1}, "uint8", (2, 5, 1)),
    ("QLinearReduceMean", UINT8, (2, 5, 8), (S, Z, S, Z), {"keepdims": 1}, "uint8", (1, 1, 1)),
    ("QLinearSoftmax", UINT8, (2, 8), (S, Z, S, Z), {"axis": 1, "opset": 13}, "uint8", (2, 8)),
    ("QGemm", UINT8, (2, 8), (S, Z, u(8, 3), S, Z, np.zeros(3, np.int32), S, Z), {}, "uint8", (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize("behind", [False, True], ids=["first", "behind another"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}{row[6]}")
def test_com_microsoft(row: tuple[Any, ...], behind: bool, tmp_path: Path) -> None:
    op, kind, shape, constants, attributes, dtype, expected = row
    initializers = [numpy_helper.from_array(np.asarray(value), f"c{i}") for i, value in enumerate(constants)]
    nodes = []
    if behind:
        nodes.append(helper.make_node("QuickGelu" if kind == FLOAT else "Identity", ["x"], ["x1"],
                                      domain="com.microsoft" if kind == FLOAT else ""))  # fmt: skip
    nodes.append(helper.make_node(op, ["x1" if behind else "x", *(t.name for t in initializers[: len(constants)])], ["y"],
                                  domain="com.microsoft", **attributes))  # fmt: skip
    nodes.append(helper.make_node("Identity", ["y"], ["z"]))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_empty_tensor_value_info("z")], initializers,
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "m.onnx")
    network = load(tmp_path / "m.onnx").graph
    assert (network.type("y").dims, network.type("y").dtype) == (expected, dtype)
    assert network.type("z").dims == expected


UNSAID = [
    ("FusedMatMul", (2, 5, 8), (f(2, 8, 7),), {"transBatchA": 1}),
    ("MatMulNBits", (2, 5, 8), (u(3, 1, 8), f(3)), {"K": 8, "N": 0, "bits": 4, "block_size": 16}),
    ("Attention", (5, 8), (f(8, 24), f(24)), {"num_heads": 2}),
    ("Attention", (2, 5, 8), (f(8, 24), f(24)), {"num_heads": 2, "qkv_hidden_sizes": [4, 4, 16]}),
    ("QLinearReduceMean", None, (S, Z, S, Z), {"axes": [1]}),
]


@pytest.mark.parametrize(("op", "shape", "constants", "attributes"), UNSAID)
def test_a_shape_that_nothing_says_is_unknown(
    op: str,
    shape: tuple[int, ...] | None,
    constants: tuple[Any, ...],
    attributes: dict[str, Any],
    tmp_path: Path,
) -> None:
    initializers = [numpy_helper.from_array(np.asarray(value), f"c{i}") for i, value in enumerate(constants)]
    node = helper.make_node(
        op, ["x", *(t.name for t in initializers)], ["y"], domain="com.microsoft", **attributes
    )
    kind = UINT8 if op.startswith("Q") else FLOAT
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_empty_tensor_value_info("y")], initializers,
    )  # fmt: skip
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "m.onnx")
    found = load(tmp_path / "m.onnx").graph.type("y")
    assert found.shape is None and found.dtype == ("uint8" if kind == UINT8 else "float32")
