"""Accuracy layer by layer: own error apart from what was inherited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.cli.main import main
from npuscope.model.load import load, source_of
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.layer_accuracy import layer_accuracy
from npuscope.numbers.quantize import Settings, quantize

LAYERS = 5


def chain(seed: int) -> ModelProto:
    """Convolutions, every second with a Relu behind it."""
    rng = np.random.default_rng(seed)
    nodes, weights, last = [], [], "x"
    for index in range(LAYERS):
        values = rng.standard_normal((8, 8, 3, 3)).astype(np.float32) / 6
        weights.append(numpy_helper.from_array(values, f"w{index}"))
        op = "Relu" if index % 2 else "Tanh"
        nodes.append(
            helper.make_node(
                "Conv", [last, f"w{index}"], [f"c{index}"], name=f"conv{index}", pads=[1, 1, 1, 1]
            )
        )
        nodes.append(helper.make_node(op, [f"c{index}"], [f"a{index}"], name=f"act{index}"))
        last = f"a{index}"
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 6, 6]) for name in ("x", last)]
    graph = helper.make_graph(nodes, "chain", values[:1], values[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def pair(seed: int, tmp_path: Path) -> tuple[Path, Path]:
    """The float model and its int8 one, as files."""
    places = tmp_path / f"float{seed}.onnx", tmp_path / f"int8_{seed}.onnx"
    onnx.save(chain(seed), places[0])
    source = load(places[0])
    made = quantize(source, random_samples(source, 4, seed), Settings())
    onnx.save(made.proto, places[1])
    return places


def activation_scales(model: ModelProto) -> list[tuple[str, str]]:
    """(tensor, scale) of every Q of a layer's output."""
    written = {
        name for node in model.graph.node if node.op_type in ("Conv", "Relu", "Tanh") for name in node.output
    }
    return [
        (node.input[0], node.input[1])
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] in written
    ]


@pytest.mark.parametrize("factor", [8.0, 1 / 8])
@pytest.mark.parametrize("seed", range(10))
def test_a_wrong_scale_ranks_first_by_own_error(seed: int, factor: float, tmp_path: Path) -> None:
    float_path, int8_path = pair(seed, tmp_path)
    model = onnx.load(int8_path)
    scales = activation_scales(model)
    tensor, scale = scales[seed % len(scales)]
    for entry in model.graph.initializer:
        if entry.name == scale:
            entry.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(entry) * np.float32(factor), scale))
    a, b = load(float_path), source_of(int8_path, model)
    result = layer_accuracy(a, b, random_samples(a, 2, seed))
    assert result.layers[0].tensor == tensor.removesuffix("_QuantizeLinear_Input")
    if factor < 1:
        assert (result.layers[0].clipped or 0) > 0.1
    else:
        assert (result.layers[0].used_range or 1) < 0.3


def test_figures_agree_with_a_plain_computation(tmp_path: Path) -> None:
    float_path, int8_path = pair(3, tmp_path)
    a, b = load(float_path), load(int8_path)
    samples = random_samples(a, 3, 1)
    by_tensor = {layer.tensor: layer for layer in layer_accuracy(a, b, samples).layers}
    last = f"a{LAYERS - 1}"
    options = onnxruntime.SessionOptions()  # fused kernels saturate sums on processors without VNNI
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = [onnxruntime.InferenceSession(str(path), options) for path in (float_path, int8_path)]
    outputs = [[session.run(None, dict(sample))[0] for sample in samples] for session in sessions]
    wanted, given = (np.concatenate(values).astype(np.float64) for values in outputs)
    plain = 10 * np.log10((wanted**2).sum() / ((wanted - given) ** 2).sum())
    assert by_tensor[last].sqnr_db == pytest.approx(plain, abs=0.1)
    own = by_tensor["c0"]
    assert own.sqnr_db is not None
    assert own.own_sqnr_db is not None
    assert own.own_sqnr_db >= own.sqnr_db - 0.1  # only its input's rounding lies before the first layer


def test_the_command_lists_the_layers_and_fails_below_a_ratio(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair(0, tmp_path)
    assert main(["verify", str(a), str(b), "--layers", "--json", "--fail-below", "10"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    own = [layer["own_sqnr_db"] for layer in layers]
    assert own == sorted(own)
    assert {"name", "sqnr_db", "own_sqnr_db", "clipped", "used_range"} <= layers[0].keys()
    assert main(["verify", str(a), str(b), "--layers", "--fail-below", "90"]) == 1
    assert "own dB" in capsys.readouterr().out
    assert main(["verify", str(a), str(b), "--fail-below", "5"]) == 0
    assert main(["verify", str(a), str(b), "--fail-below", "150"]) == 1


def test_models_without_a_common_layer_are_said_to_be_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, _ = pair(0, tmp_path)
    other = onnx.load(a)
    for node in other.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"other_{name}" if name[0] in "ac" else name for name in names]
    other.graph.output[0].name = f"other_{other.graph.output[0].name}"
    onnx.save(other, tmp_path / "other.onnx")
    assert main(["verify", str(a), str(tmp_path / "other.onnx"), "--layers"]) == 2
    assert "layer by layer" in capsys.readouterr().err
