"""What the quantizer is given, so that what it makes is a model: names it may take, an old form, ranges of single tensors."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from npuscope.jobs import Job
from npuscope.model.errors import ModelError
from npuscope.model.load import load
from npuscope.numbers.quantize import FOLDERS, Settings, quantize
from npuscope.numbers.runner import Runner, Sample

SAMPLES: list[Sample] = [{"x": np.random.default_rng(3).normal(size=(1, 4, 6, 6)).astype(np.float32)}]

PLAIN = Settings()


def two_convolutions(bias: str = "b", middle: str = "m") -> ModelProto:
    """Two convolutions of one bias."""
    rng = np.random.default_rng(4)
    constants = {f"w{i}": rng.normal(size=(4, 4, 1, 1)).astype(np.float32) for i in range(2)}
    constants[bias] = rng.normal(size=4).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w0", bias], [middle]),
            helper.make_node("Conv", [middle, "w1", bias], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4, 6, 6])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4, 6, 6])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def made_of(model: ModelProto, folder: Path, settings: Settings = PLAIN) -> ModelProto:
    """The int8 model, which onnx and onnxruntime take."""
    path = folder / "float.onnx"
    onnx.save(model, path)
    made = quantize(load(path), SAMPLES, settings)
    onnx.checker.check_model(made.proto)
    (result,) = Runner(made, made.graph).run(SAMPLES[0])
    assert np.isfinite(result).all()
    return made.proto


@pytest.mark.parametrize("middle", ["bias2", "bias23", "bias0"])
def test_copies_of_a_bias_take_no_name_that_is_taken(middle: str, tmp_path: Path) -> None:
    """TensorFlow numbers its tensors; the quantizer calls the copy of a shared bias by its name and a number."""
    made_of(two_convolutions("bias", middle), tmp_path)


def test_a_model_whose_initializers_are_inputs(tmp_path: Path) -> None:
    model = two_convolutions()
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    made = made_of(model, tmp_path)
    assert [value.name for value in made.graph.input] == ["x"]


def test_a_tensor_has_the_range_it_is_given(tmp_path: Path) -> None:
    scales = []
    for ranges in ((), (("m", -0.5, 0.5),)):
        made = made_of(two_convolutions(), tmp_path, replace(PLAIN, ranges=ranges))
        scales.append(next(numpy_helper.to_array(t) for t in made.graph.initializer if t.name == "m_scale"))
    assert scales[1] == pytest.approx(1 / 255, rel=1e-3)
    assert scales[0] > 2 * scales[1]


def test_a_model_without_operators_of_onnx_is_refused_in_words(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["ai.onnx.ml" : 3]>
    g (float[1, 4] x) => (float[1, 4] y) { y = ai.onnx.ml.Normalizer(x) }"""
    path = tmp_path / "m.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    with pytest.raises(ModelError, match="imports no opset of ONNX's own"):
        quantize(load(path), [], PLAIN)


def test_all_that_it_writes_on_its_way_lies_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which the name says whose it is, so that what a killed process leaves can be cleared away."""
    source = tmp_path / "float.onnx"
    onnx.save(two_convolutions(), source)
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    seen: set[str] = set()
    job = Job(lambda *_: seen.update(str(path.relative_to(place)) for path in place.rglob("*")))
    quantize(load(source), SAMPLES, PLAIN, job=job)
    folders = {name.split("/")[0] for name in seen}
    assert len(folders) == 1 and folders.pop().startswith(f"{FOLDERS}{os.getpid()}-")
    assert any("ort.quant" in name for name in seen) and not list(place.iterdir())


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_a_softmax_of_an_old_opset_stays_one_layer(op: str, tmp_path: Path) -> None:
    """Its shape follows from a size that the file computes, as Paddle's exporter leaves it."""
    text = f"""<ir_version: 7, opset_import: ["" : 11]>
    g (float[1,4,6,6] x) => (float[1,3] y)
      <int64[1] start = {{0}}, int64[1] end = {{1}}, int64[1] rest = {{144}}> {{
      sizes = Shape(x)
      batch = Slice(sizes, start, end)
      form = Concat<axis = 0>(batch, rest)
      flat = Reshape(x, form)
      product = MatMul(flat, w)
      y = {op}<axis = 1>(product)
    }}"""
    model = onnx.parser.parse_model(text)
    weights = np.random.default_rng(5).normal(size=(144, 3)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    operators = [node.op_type for node in made_of(model, tmp_path).graph.node]
    assert operators.count(op) == 1 and operators.count("Reshape") == 1 and "Flatten" not in operators


def test_a_softmax_of_nothing_is_refused_in_words(tmp_path: Path) -> None:
    text = """<ir_version: 7, opset_import: ["" : 11]>
    g (float[1,4] x) => (float[1,4] y) { y = Softmax() }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="opset 11 cannot be raised"):
        quantize(load(tmp_path / "m.onnx"), [], PLAIN)
