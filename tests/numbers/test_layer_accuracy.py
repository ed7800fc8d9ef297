"""Accuracy layer by layer: own error apart from what was inherited."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from builders.networks.float_networks import NETWORKS
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.cli.main import main
from npuscope.edits.kinds.int8_borders import Int8Borders
from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.model.load import Source, load, source_of
from npuscope.model.serialize import to_model
from npuscope.npu.loss_levels import BAD
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.layer_accuracy import layer_accuracy
from npuscope.numbers.quantize import Settings, quantize
from npuscope.numbers.runner import Sample
from npuscope.session import Session

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


@pytest.mark.parametrize(
    ("seed", "factor"), [*((seed, 8.0) for seed in range(20)), *((seed, 1 / 8) for seed in range(10))]
)
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
    wanted, actual = (np.concatenate(values).astype(np.float64) for values in outputs)
    plain = 10 * np.log10((wanted**2).sum() / ((wanted - actual) ** 2).sum())
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


def test_layers_are_coloured_and_told_apart(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, model, samples = quantized("gates")
    for entry in model.graph.initializer:
        if entry.name == own_scales(model)[0][1]:
            entry.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(entry) * np.float32(40), entry.name))
    onnx.save(source.proto, tmp_path / "f.onnx")
    onnx.save(model, tmp_path / "q.onnx")
    command = ["verify", str(tmp_path / "f.onnx"), str(tmp_path / "q.onnx"), "--layers"]
    assert main([*command, "--color", "always"]) == 0
    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if "\x1b[31m" in line]
    assert lines[0].startswith("Gemm_0")
    assert all(float(line.split("\x1b[31m")[1].split("\x1b")[0]) < BAD for line in lines)
    assert main(command) == 0
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    named = [line.split("  ")[0] for line in plain.splitlines() if line.startswith("Split")]
    assert len(named) == len(set(named)) > 1
    assert samples


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


# -- branching networks and Gemms


def quantized(name: str) -> tuple[Source, ModelProto, tuple[Sample, ...]]:
    source = source_of(Path(f"{name}.onnx"), NETWORKS[name]())
    samples = random_samples(source, 3, 0)
    made = quantize(source, samples, Settings())
    return source, ModelProto.FromString(made.proto.SerializeToString()), samples


def own_scales(model: ModelProto) -> list[tuple[str, str]]:
    """(tensor, scale) of every Q whose scale no other Q has: MaxPool and its like share theirs."""
    quantizers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    users = Counter(node.input[1] for node in quantizers)
    inputs = {value.name for value in model.graph.input}
    return [
        (node.input[0], node.input[1])
        for node in quantizers
        if users[node.input[1]] == 1 and node.input[0] not in inputs
    ]


@pytest.mark.parametrize("name", ["residual", "unet", "gates", "detector", "attention", "squeezed"])
def test_a_wrong_scale_ranks_first_in_branching_networks(name: str) -> None:
    source, model, samples = quantized(name)
    exceptions = []
    right = layer_accuracy(source, source_of(Path("right.onnx"), model), samples[:2])
    places = own_scales(model)
    picked = places[:: max(1, len(places) // 4)]
    for tensor, scale in picked:
        wrong = source_of(Path("wrong.onnx"), scaled(model, scale, 8))
        accuracy = layer_accuracy(source, wrong, samples[:2])
        wanted = tensor.removesuffix("_QuantizeLinear_Input")
        if accuracy.layers[0].tensor != wanted:
            exceptions.append(wanted)
            own = next(layer.own_sqnr_db for layer in accuracy.layers if layer.tensor == wanted)
            first = next(layer for layer in right.layers if layer.tensor == accuracy.layers[0].tensor)
            # What ranks before it is as bad in the model that nobody touched.
            assert first.own_sqnr_db is not None
            assert own is not None
            assert first.own_sqnr_db < own
    assert len(picked) >= 4
    assert exceptions == EXCEPTIONS.get(name, [])


EXCEPTIONS = {"squeezed": ["GlobalAveragePool_2_out", "Relu_4_out", "HardSigmoid_6_out"]}
"""Its AveragePool has the scale of its input, of which averages use little: it loses more than a scale 8 times too large."""


# -- against other computations


def ratio(wanted: np.ndarray, actual: np.ndarray) -> float:
    wanted, actual = wanted.astype(np.float64), actual.astype(np.float64)
    return float(10 * np.log10((wanted**2).sum() / ((wanted - actual) ** 2).sum()))


def test_own_error_is_that_of_a_plain_numpy_computation() -> None:
    """Of the Gemms of a gated cell: reference values in, int8 weights and bias, the output on its grid."""
    source, model, samples = quantized("gates")
    initializers = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    by_name = {
        layer.name: layer
        for layer in layer_accuracy(source, source_of(Path("q.onnx"), model), samples).layers
    }
    checked = 0
    for node in source.proto.graph.node:
        if node.op_type != "Gemm":
            continue
        watched = (node.input[0], node.output[0])
        inner = ModelProto.FromString(source.proto.SerializeToString())
        inner.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in watched
            if name not in {value.name for value in (*inner.graph.input, *inner.graph.output)}
        )
        session = onnxruntime.InferenceSession(inner.SerializeToString())
        wanted, actual = [], []
        for sample in samples:
            x = sample["x"] if watched[0] == "x" else session.run([watched[0]], dict(sample))[0]
            wanted.append(session.run([watched[1]], dict(sample))[0])
            weight, bias = node.input[1], node.input[2]
            weights = initializers[f"{weight}_quantized"] * initializers[f"{weight}_scale"].reshape(-1, 1)
            biases = initializers[f"{bias}_quantized"] * initializers[f"{bias}_quantized_scale"].reshape(-1)
            sums = x.astype(np.float64) @ weights.T.astype(np.float64) + biases
            scale, zero = initializers[f"{watched[1]}_scale"], int(initializers[f"{watched[1]}_zero_point"])
            actual.append((np.clip(np.rint(sums / scale) + zero, -128, 127) - zero) * float(scale))
        own = by_name[node.name].own_sqnr_db
        assert own == pytest.approx(ratio(np.concatenate(wanted), np.concatenate(actual)), abs=0.1)
        checked += 1
    assert checked == 4


def scaled(model: ModelProto, scale: str, factor: float) -> ModelProto:
    """The model with one scale another."""
    wrong = ModelProto.FromString(model.SerializeToString())
    for entry in wrong.graph.initializer:
        if entry.name == scale:
            entry.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(entry) * np.float32(factor), scale))
    return wrong


def test_what_an_input_loses_is_its_own_not_of_the_layer_that_reads_it() -> None:
    source, model, samples = quantized("residual")
    right, wrong = (
        layer_accuracy(source, source_of(Path("q.onnx"), one), samples)
        for one in (model, scaled(model, "x_scale", 8))
    )
    first = wrong.layers[0]
    assert (first.name, first.tensor) == ("x_QuantizeLinear", "x")
    own = {layer.name: layer.own_sqnr_db for layer in right.layers}
    assert first.own_sqnr_db is not None and first.own_sqnr_db < own["x_QuantizeLinear"] - 15
    assert {layer.name: layer.own_sqnr_db for layer in wrong.layers[1:]} == {
        name: ratio for name, ratio in own.items() if name != "x_QuantizeLinear"
    }
    # Where the model takes integers, no layer quantizes them, and the others lose the same.
    session = Session.open(source_of(Path("q.onnx"), model), target_of(Build())).edit(Int8Borders())
    assert isinstance(session, Session)
    integers = source_of(Path("i.onnx"), to_model(session.source, session.graph))
    assert integers.graph.type("x").dtype == "int8"
    layers = layer_accuracy(source, integers, samples).layers
    assert {layer.name: layer.own_sqnr_db for layer in layers} == {
        name: ratio for name, ratio in own.items() if name in {layer.name for layer in layers}
    }


def test_a_dequantizer_for_each_reader_changes_no_figure() -> None:
    source, model, samples = quantized("residual")
    several = ModelProto.FromString(model.SerializeToString())
    readers = Counter(name for node in several.graph.node for name in node.input)
    for node in list(several.graph.node):
        for place, name in enumerate(node.input):
            writer = next((one for one in several.graph.node if name in one.output), None)
            if writer is None or writer.op_type != "DequantizeLinear" or readers[name] < 2:
                continue
            readers[name] -= 1
            again = helper.make_node("DequantizeLinear", writer.input, [f"{name}_{node.name}_{place}"])
            several.graph.node.insert(list(several.graph.node).index(writer), again)
            node.input[place] = again.output[0]
    assert len(several.graph.node) > len(model.graph.node)
    one, other = (
        layer_accuracy(source, source_of(Path("q.onnx"), made), samples).layers for made in (model, several)
    )
    assert one == other


@pytest.mark.parametrize("name", ["gates", "residual", "attention"])
def test_inherited_error_is_that_of_qdq_loss_debug(name: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import qdq_loss_debug as debug

    source, model, samples = quantized(name)
    places = {"float": tmp_path / "float.onnx", "int8": tmp_path / "int8.onnx"}
    onnx.save(source.proto, places["float"])
    onnx.save(model, places["int8"])
    seen = {}
    for kind, place in places.items():
        watched = tmp_path / f"{kind}_watched.onnx"
        debug.modify_model_output_intermediate_tensors(str(place), str(watched))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        seen[kind] = debug.collect_activations(
            str(watched), [dict(sample) for sample in samples], session_options=options
        )
    matched = debug.compute_activation_error(debug.create_activation_matching(seen["int8"], seen["float"]))
    layers = layer_accuracy(source, source_of(Path("q.onnx"), model), samples).layers
    compared = [
        (layer.tensor, layer.sqnr_db, float(matched[layer.tensor]["xmodel_err"]))
        for layer in layers
        if layer.tensor in matched and layer.sqnr_db is not None
    ]
    assert len(compared) > len(layers) // 2
    assert [c for c in compared if abs(c[1] - c[2]) > 0.1] == []


def test_one_weight_that_sets_the_scale_of_its_channel_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = NETWORKS["residual"]()
    name = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    for entry in model.graph.initializer:
        if entry.name == name:
            values = numpy_helper.to_array(entry).copy()
            values[3, 0, 0, 0] = 20 * np.abs(values[3]).max()
            entry.CopyFrom(numpy_helper.from_array(values, name))
    source = source_of(tmp_path / "f.onnx", model)
    onnx.save(model, tmp_path / "f.onnx")
    made = quantize(source, random_samples(source, 2), Settings())
    onnx.save(made.proto, tmp_path / "q.onnx")
    arguments = ["verify", str(tmp_path / "f.onnx"), str(tmp_path / "q.onnx"), "--layers"]
    assert main([*arguments, "--json"]) == 0
    layers = {layer["name"]: layer for layer in json.loads(capsys.readouterr().out)["layers"]}
    outliers = {name: layer["weight_outlier"] for name, layer in layers.items() if layer["weight_outlier"]}
    assert list(outliers) == ["Conv_0"]
    assert outliers["Conv_0"]["channel"] == 3
    assert outliers["Conv_0"]["times_the_next"] == pytest.approx(20, rel=0.2)
    assert main(arguments) == 0
    assert "Conv_0: channel 3" in capsys.readouterr().out
