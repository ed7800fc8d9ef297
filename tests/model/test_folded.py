"""Constants that many nodes make of constants: each node once, and only so many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.inference import folded
from npuscope.model.inference.folded import DEEPEST
from npuscope.model.layers import fold
from npuscope.model.load import load

WEIGHTS = np.arange(48 * 48, dtype=np.float32).reshape(48, 48)
CHAINS = {
    "Identity": lambda n: [helper.make_node("Identity", [f"c{n}"], [f"c{n + 1}"])],
    "Transpose": lambda n: [helper.make_node("Transpose", [f"c{n}"], [f"c{n + 1}"], perm=[0, 1])],
    "Add that doubles": lambda n: [helper.make_node("Mul", [f"c{n}", "one"], [f"c{n + 1}"])],
    "Slice of a Concat": lambda n: [
        helper.make_node("Concat", [f"c{n}", f"c{n}"], [f"a{n}"], axis=0),
        helper.make_node("Slice", [f"a{n}", "begin", "end"], [f"c{n + 1}"]),
    ],
}


def _model(folder: Path, chain: str, steps: int) -> Path:
    nodes = [node for n in range(steps) for node in CHAINS[chain](n)]
    nodes.append(helper.make_node("MatMul", ["x", f"c{steps}"], ["y"]))
    folded_parts = {"c0": WEIGHTS, "one": np.float32(1), "begin": np.array([0]), "end": np.array([48])}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 48))],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(value, name) for name, value in folded_parts.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (folder / "m.onnx").write_bytes(made.SerializeToString())
    return folder / "m.onnx"


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("steps", [1, 24, 1_500])
def test_weights_behind_a_chain(chain: str, steps: int, tmp_path: Path) -> None:
    """A few steps are taken when the values are asked for; thousands are left to the model."""
    layers = fold(load(_model(tmp_path, chain, steps)).graph).layers
    last = layers[-1]
    assert last.op == "MatMul"
    if steps > DEEPEST:
        assert last.weight is None or last.weight.constant is not None
    else:
        assert last.weight is not None and last.weight.constant is not None
    if last.weight is not None and last.weight.constant is not None:
        assert np.array_equal(last.weight.constant.array(), WEIGHTS)


def test_weights_too_large_to_be_computed_are_left_to_the_model(tmp_path: Path) -> None:
    """Each step would make 16 million values anew."""
    nodes = [helper.make_node("ConstantOfShape", ["size"], ["c0"])]
    nodes += [helper.make_node("Neg", [f"c{n}"], [f"c{n + 1}"]) for n in range(40)]
    nodes.append(helper.make_node("MatMul", ["x", "c40"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4096))],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.array([4096, 4096]), "size")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, tmp_path / "m.onnx")
    layers = fold(load(tmp_path / "m.onnx").graph).layers
    assert layers[-1].op == "MatMul" and len(layers) > 1
    assert layers[-1].weight is None


def test_a_split_into_many_is_made_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of 300 groups, each read by its own layer."""
    parts, size = [f"w{i}" for i in range(300)], 16 * 100
    nodes = [helper.make_node("Split", ["w"], parts, axis=0)]
    nodes += [helper.make_node("Mul", ["x", part], [f"y{part}"]) for part in parts]
    values = np.arange(300 * size, dtype=np.float32).reshape(300, size)
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, size))],
        [helper.make_empty_tensor_value_info(f"y{part}") for part in parts],
        [numpy_helper.from_array(values, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, tmp_path / "m.onnx")
    opened = load(tmp_path / "m.onnx").graph
    asked = []
    evaluate = folded.evaluate
    monkeypatch.setattr(folded, "evaluate", lambda node, *rest: asked.append(node) or evaluate(node, *rest))
    folded_parts = [opened.constants[part].array() for part in parts]
    assert np.array_equal(np.concatenate(folded_parts), values) and len(asked) == 1
    split = opened.nodes[0]
    assert opened.is_fixed(split) and not opened.gives_out(split) and not opened.is_fixed(opened.nodes[1])
