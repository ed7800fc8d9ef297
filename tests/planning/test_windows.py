"""Windows: small models around a layer, and what is found in one for the next."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import onnx
import pytest
from builders import models
from builders.edit_checks import opened
from builders.layer_chains import Chain, ChainSpec
from builders.weighted_layers import saved
from onnx import TensorProto, helper

from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.model.load import load
from npuscope.planning.repeats import EditsOfWindow, signature
from npuscope.planning.window import window
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.fixture(scope="module")
def denoiser() -> Session:
    return opened(load(models.DENOISER))


def test_a_window_is_a_small_model_around_a_layer(denoiser: Session) -> None:
    near = window(denoiser, denoiser.layers.by_name["Gemm_74"].nodes, hops=4)
    assert 0 < len(near.graph.nodes) < len(denoiser.graph.nodes) / 2
    made = {name for node in near.graph.nodes for name in node.outputs}
    for node in near.graph.nodes:
        assert all(
            not n or n in made or n in near.graph.constants or n in near.graph.inputs for n in node.inputs
        )
    alone, in_model = analyse(near).by_name["Gemm_74"], analyse(denoiser).by_name["Gemm_74"]
    assert (alone.placement, alone.cost) == (in_model.placement, in_model.cost)
    assert [f.code for f in alone.findings] == [f.code for f in in_model.findings]


def repeated(path: Path, zero_points: tuple[int, ...]) -> Session:
    """One chain of Conv after another with their own names and weights."""
    build = Chain(ChainSpec(channels=6))
    at = build.node("DequantizeLinear", "x_dq", ["x", *build.grid("x", 0.03, 3)], "x_f")
    for number, zero_point in enumerate(zero_points):
        name = f"block{number}/Conv"
        weight = build.weights(f"w{number}", (6, 6, 1, 1), 0)
        build.node("Conv", name, [at, weight], f"o{number}", kernel_shape=[1, 1])
        at = build.pair(f"o{number}", 0.04 + number / 1000, zero_point)
    build.node("QuantizeLinear", "y_q", [at, *build.grid("y", 0.05, 2)], "y")
    graph = helper.make_graph(
        build.nodes, "blocks",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 6, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 6, 4, 4])],
        build.initializers,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return opened(saved(onnx.shape_inference.infer_shapes(made), path))


def test_layers_alike_have_one_signature(tmp_path: Path) -> None:
    session = repeated(tmp_path, (3,) * 7 + (-128,) + (3,) * 7)
    alike: dict[Hashable, list[str]] = {}
    for layer in session.layers.layers:
        if layer.op == "Conv":
            near = window(session, layer.nodes, hops=4)
            alike.setdefault(signature(near, layer.name), []).append(layer.name)
    counts = sorted(len(names) for names in alike.values())
    assert counts[-1] >= 8, counts
    same = next(names for names in alike.values() if len(names) == counts[-1])
    assert "block7/Conv" not in same and "block8/Conv" not in same


def test_what_was_found_in_a_window_is_renamed_for_the_next() -> None:
    edits = EditsOfWindow(("a", "ab"), (SplitOutput("a", (1, 2)), SplitOutput("ab_part1", (1, 1))))
    assert edits.on(("x", "y")) == (SplitOutput("x", (1, 2)), SplitOutput("y_part1", (1, 1)))
    assert EditsOfWindow(("a",), (SplitOutput("b", (1, 2)),)).on(("x",)) is None
    assert EditsOfWindow(("a",), (Int8Borders("a"),)).on(("x",)) is None
