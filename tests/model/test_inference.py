"""Shapes by our own rules are those of onnx's inference, and values that follow from constants are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.shape_rows import ROWS, graph_of, real
from corpus.case import model, node
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from npuscope.model.budget import Budget, budget_of
from npuscope.model.errors import ModelError
from npuscope.model.inference.child import inferred_by_onnx
from npuscope.model.inference.complete import ENDLESS, expanded
from npuscope.model.inference.infer import infer, sorted_nodes, without_rule
from npuscope.model.inference.types import tensor_type
from npuscope.model.load import index, load
from npuscope.model.tensors import Constant, TensorType


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]} {row[3]}")
def test_our_shapes_are_those_of_onnx(row: tuple[Any, ...], tmp_path: Path) -> None:
    made = graph_of(row)
    expected = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
    graph = index(made, {}, {}, {"": row[4]})
    assert not without_rule(graph.nodes)
    constants = {
        t.name: Constant.of(t.name, np.asarray(onnx.numpy_helper.to_array(t))) for t in made.graph.initializer
    }
    declared = {value.name: tensor_type(value.type) for value in made.graph.input}
    types = infer(graph.nodes, constants, declared, row[4]).types
    for value in expected.graph.output:
        wanted, inferred = tensor_type(value.type), types[value.name]
        assert inferred.dtype == wanted.dtype
        assert inferred.shape is not None and len(inferred.shape) == len(wanted.shape or ())
        for own, expected_size in zip(inferred.shape, wanted.shape or (), strict=True):
            assert own == expected_size or not isinstance(expected_size, int)


HEAD = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,4,6,6] x) => (float[1,4,a,b] y) <float s = {0.1}, int8 z = {0}, float two = {2}, int64[1] one = {1},
 int8[1] low = {-7}, int8[1] high = {7}> {"""
TAIL = " c = Conv (x, wf) y = Identity (c) }"
FOLDED: dict[str, str] = {
    "Clip of integers": "q = QuantizeLinear (w, s, z) l = Squeeze (low) h = Squeeze (high) k = Clip (q, l, h)",
    "a Mul before the Q": "m = Mul (w, two) k = QuantizeLinear (m, s, z)",
    "a scale that is computed": "t = Mul (s, two) k = QuantizeLinear (w, t, z)",
    "a Cast of the zero point": "f = Cast <to = 1> (z) zz = Cast <to = 3> (f) k = QuantizeLinear (w, s, zz)",
    "a Reshape of integers": "q = QuantizeLinear (w, s, z) n = Shape (q) k = Reshape (q, n)",
    "an Identity": "i = Identity (w) k = QuantizeLinear (i, s, z)",
    "Q and DQ twice": "q = QuantizeLinear (w, s, z) d = DequantizeLinear (q, s, z) k = QuantizeLinear (d, s, z)",
}


@pytest.mark.parametrize("name", FOLDED)
def test_weights_that_nodes_compute_of_constants_are_weights(name: str, tmp_path: Path) -> None:
    weight = (
        "w = Constant <value = float[4,4,1,1] {1, 0.5, -1, 2, 0, 0, 9, 0, 0.1, 0.2, 0, 0, 0, 0, 0, -3}> () "
    )
    dequantize = (
        " wf = DequantizeLinear (k, s, z)" if "computed" not in name else " wf = DequantizeLinear (k, t, z)"
    )
    text = HEAD + weight + FOLDED[name] + dequantize + TAIL
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    from npuscope.model.layers import fold

    source = load(path)
    layers = fold(source.graph)
    (layer,) = [one for one in layers.layers if one.kind == "Conv"]
    assert layer.weight is not None and layer.weight.quant is not None and layer.weight.constant is not None
    assert {one.kind for one in layers.layers} == {"Conv", "Identity"}
    from onnxruntime import InferenceSession

    wanted = InferenceSession(path.read_bytes()).run(["y"], {"x": real(1, 4, 6, 6)})[0]
    values = layer.weight.constant.array()
    if values.dtype != np.int8:  # a float constant behind Q and DQ is shown as it is stored
        values = np.clip(np.rint(values / layer.weight.quant.scale[0]), -128, 127)
    sums = layer.weight.quant.scale[0] * values.astype(np.float32).sum((1, 2, 3))
    assert np.allclose(sums, wanted[0, :, 0, 0], atol=1e-4)


def test_nodes_that_nobody_reads_are_no_layers(tmp_path: Path) -> None:
    from npuscope.model.layers import fold

    text = HEAD + " d = Relu (x) e = Softmax (d) n = Shape (d) y = Identity (x) }"
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    layers = fold(load(path).graph)
    assert [layer.kind for layer in layers.layers] == ["Identity"] and len(layers.unattached) == 3


@given(st.permutations(range(12)))
def test_nodes_are_visited_behind_what_makes_their_inputs(order: list[int]) -> None:
    nodes = [node("Relu", [f"t{i}"], [f"t{i + 1}"]) for i in order]
    circle = [node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["a"])]
    graph = index(model([*nodes, *circle], {"t0": ("float", (3, 4))}, ["t12"]), {}, {}, {"": 13})
    assert [one.output(0) for one in sorted_nodes(graph.nodes)] == [f"t{i + 1}" for i in range(12)]
    inferred = infer(graph.nodes, {}, {"t0": TensorType("float32", (3, 4))}, 13)
    assert inferred.types["t12"].dims == (3, 4) and "a" not in inferred.types


def test_onnx_is_asked_in_a_process_with_limits() -> None:
    branch = helper.make_graph(
        [node("Relu", ["x"], ["r"])], "b", [], [helper.make_empty_tensor_value_info("r")]
    )
    made = model(
        [node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        {"c": ("bool", ()), "x": ("float", (3, 4))},
    )
    inferred, problem = inferred_by_onnx(made.SerializeToString(), Budget())
    assert not problem and inferred["y"].dims == (3, 4)
    assert inferred_by_onnx(b"\xff" * 99, Budget())[1].startswith("onnx's shape inference failed")
    assert "took more than" in inferred_by_onnx(made.SerializeToString(), Budget(seconds=0.001))[1]


def test_a_note_says_what_could_not_be_found_out(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("Relu", ["x"], ["r"])], "b", [], [helper.make_empty_tensor_value_info("r")]
    )
    made = model(
        [node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)],
        {"c": ("bool", ()), "x": ("float", (3, 4))},
    )
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    assert load(path).graph.type("y").dims == (3, 4) and not load(path).notes
    (note,) = load(path, budget=Budget(seconds=0.001)).notes
    assert "took more than 0.001 s" in note and "If_0" in note


def test_functions_are_counted_before_they_are_written_out() -> None:
    from corpus.graphs import functions

    assert expanded(functions(2, 3)) == 9 and expanded(functions(12, 8)) == 8**12
    assert expanded(functions(1, 1, itself=True)) == ENDLESS


@pytest.mark.parametrize(
    ("memory", "time", "expected"),
    [
        ("800M", "20", Budget(800 << 20, 20)),
        ("1.5GB", "90s", Budget(3 << 29, 90)),
        ("134217728", "2min", Budget(128 << 20, 120)),
        ("1 GiB", "0.5", Budget(1 << 30, 0.5)),
    ],
)
def test_limits_as_users_write_them(memory: str, time: str, expected: Budget) -> None:
    made = budget_of(memory, time)
    assert (made.memory, made.seconds) == (expected.memory, expected.seconds)
    assert made.stated_memory and made.stated_seconds


@pytest.mark.parametrize("text", ["", "much", "-1", "1TB", "1M", "9" * 400, "1e9", "nan"])
def test_limits_that_are_none(text: str) -> None:
    with pytest.raises(ModelError, match="--memory-limit"):
        budget_of(text, None)
    with pytest.raises(ModelError, match="--time-limit"):
        budget_of(None, text if text not in ("1M", "1TB") else "x")
