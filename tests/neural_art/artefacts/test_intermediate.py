"""The intermediate form: a float graph and the file that says how its tensors are stored, opened as one model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from builders.longer import suite_or_long
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from npuscope.files.onnx_file import write
from npuscope.machine.machine import target
from npuscope.model.errors import ModelError
from npuscope.model.load import FRONT_END
from npuscope.neural_art.artefacts.readers.intermediate import quantized, read_quantization
from npuscope.neural_art.notes import notes
from npuscope.services.open import companion, open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

GRAPH = """<ir_version: 8, opset_import: ["" : 15], producer_name: "any">
g (float[1,3,8,8] x) => (float[1,4,8,8] y)
<float[4,3,1,1] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[4] b = {1, 2, 3, -4}>
{ c = Conv(x, w, b)
  r = Relu(c)
  y = Sigmoid(r) }"""


def form(kind: str, scales: list[float], zeros: list[int]) -> dict[str, Any]:
    return {"format": {"class": "integer", "type": kind, "params": [scales, zeros]}}


TENSORS: dict[str, Any] = {
    "x": form("S8", [0.02], [3]),
    "w": form("S8", [0.1, 0.1, 0.2, 0.2], [0, 0, 0, 0]),
    "b": form("S32", [0.002, 0.002, 0.004, 0.004], [0, 0, 0, 0]),
    "c": form("S8", [0.05], [-128]),
    "r": form("S8", [0.05], [-128]),
    "y": form("S8", [1 / 256], [-128]),
}
NAMES = {"Conv_0": {"names": ["/first/Conv", "/first/Relu"]}, "odd": 3}
TOOLS = {"tools": [{"name": "ST.EdgeAI.Core", "version": "3.0.0-20426 1"}]}


def saved(folder: Path, tensors: object = None, stem: str = "OE") -> Path:
    path = folder / f"{stem}.onnx"
    onnx.save(onnx.parser.parse_model(GRAPH), path)
    q_json = {"tensors": TENSORS if tensors is None else tensors, "nodes": NAMES, "environment": TOOLS}
    path.with_name("Q.json" if stem == "OE" else f"{stem}_Q.json").write_text(json.dumps(q_json))
    return path


def judged(path: Path) -> Snapshot:
    return analyse(Session.open(open_model(path), target("3.0")))


@pytest.mark.parametrize("stem", ["OE", "net_OE_3_3_0", "mine"])
def test_both_files_open_as_a_quantized_model(stem: str, tmp_path: Path) -> None:
    snapshot = judged(saved(tmp_path, stem=stem))
    own = {report.layer.kind: report for report in snapshot.layers if report.placement.value != "none"}
    assert {kind: report.placement.value for kind, report in own.items()} == dict.fromkeys(
        ("Conv", "Relu", "Sigmoid"), "hw"
    )
    conv = own["Conv"].layer
    assert conv.weight is not None and conv.weight.quant is not None and conv.weight.quant.scale.size == 4
    assert conv.input is not None and conv.input.quant is not None and conv.input.quant.zero == 3
    assert snapshot.graph.imported


def test_alone_it_is_a_float_model(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.with_name("Q.json").unlink()
    assert companion(path) is None
    assert {report.placement.value for report in judged(path).layers} == {"sw_float"}


def test_without_its_scales_it_is_noted_as_such(tmp_path: Path) -> None:
    """And once edited it holds them itself, whoever its producer is."""
    path = saved(tmp_path)
    proto = onnx.load(path)
    proto.producer_name = FRONT_END
    onnx.save(proto, path)
    source = open_model(path)
    assert source.intermediate and not notes(source)
    write(Session.open(source, target("3.0")), tmp_path / "out.onnx")
    assert not notes(open_model(tmp_path / "out.onnx"))
    path.with_name("Q.json").unlink()
    (note,) = notes(open_model(path))
    assert "'OE_Q.json'" in note


def test_a_bias_may_have_an_axis_before_its_channels() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 15]> g (float[1,2] x) => (float[1,3] y)
        <float[2,3] w = {1, 2, 3, 4, 5, 6}, float[1,3] b = {1, 2, 3}> { y = Gemm(x, w, b) }"""
    )
    stored = {"b": form("S32", [0.1, 0.5, 1.0], [0, 0, 0])}
    made = quantized(model, read_quantization(json.dumps({"tensors": stored})).tensors)
    got = onnxruntime.InferenceSession(made.SerializeToString()).run(
        None, {"x": np.zeros((1, 2), np.float32)}
    )
    assert np.asarray(got[0]).tolist() == [[1.0, 2.0, 3.0]]


def test_it_runs_and_its_biases_are_whole_numbers(tmp_path: Path) -> None:
    source = open_model(saved(tmp_path))
    onnx.checker.check_model(source.proto, full_check=True)
    bias = next(t for t in source.proto.graph.initializer if t.name == "b/stored")
    assert bias.data_type == TensorProto.INT32
    assert numpy_helper.to_array(bias).tolist() == [500, 1000, 750, -1000]
    values = np.linspace(-2, 2, 192, dtype=np.float32).reshape(1, 3, 8, 8)
    written = onnxruntime.InferenceSession(source.proto.SerializeToString()).run(None, {"x": values})
    q_json = onnxruntime.InferenceSession(str(source.path)).run(None, {"x": values})
    assert np.abs(np.asarray(written[0]) - np.asarray(q_json[0])).max() < 0.1


def test_a_file_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not say how tensors are stored"):
        open_model(saved(tmp_path, tensors={}))


def test_what_the_graph_says_itself_is_left_alone() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 15]> g (int8[1,4] x) => (int8[1,4] y) <float s = {0.1}, int8 z = {0}>
        { f = DequantizeLinear(x, s, z)
          r = Relu(f)
          y = QuantizeLinear(r, s, z) }"""
    )
    stored = read_quantization(
        json.dumps({"tensors": {"f": form("S8", [1.0], [0]), "r": form("S8", [1.0], [0])}})
    )
    assert [n.op_type for n in quantized(model, stored.tensors).graph.node] == [
        n.op_type for n in model.graph.node
    ]


def test_names_lead_back_to_the_users_model() -> None:
    quantization = read_quantization(json.dumps({"nodes": NAMES, "environment": TOOLS}))
    assert quantization.originals == {"Conv_0": ("/first/Conv", "/first/Relu"), "odd": ()}
    assert quantization.toolchain == "3.0.0-20426"


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["S8", "integer", "U8"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["format", "class", "type", "params"]), inner)
    ),
    max_leaves=8,
)
ENTRY = st.builds(
    form,
    st.sampled_from(["S8", "U8", "S16", "F32", ""]),
    st.lists(st.floats(), max_size=5),
    st.lists(st.integers(), max_size=5),
)


@settings(max_examples=suite_or_long(20, 1500), deadline=None)
@given(st.dictionaries(st.sampled_from([*TENSORS, "none", ""]), JUNK | ENTRY, max_size=6))
def test_whatever_the_file_says_is_a_model_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Any]
) -> None:
    try:
        snapshot = judged(saved(tmp_path_factory.mktemp("junk"), tensors=tensors))
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        assert len(snapshot.layers) >= 2  # a Relu may be folded into the Conv before it
        for report in snapshot.layers:
            quants = [o.quant for o in (*report.layer.inputs, *report.layer.outputs) if o.quant is not None]
            assert all(np.all(np.isfinite(quant.scale)) for quant in quants)


@settings(max_examples=suite_or_long(20, 1500), deadline=None)
@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_garbage_is_refused(text: str) -> None:
    try:
        assert read_quantization(text).tensors == {}
    except ModelError as error:
        assert "\n" not in str(error)


def test_a_tensor_read_directly_and_by_a_quantizer_is_stored_once() -> None:
    """Else its direct readers would compute in float, with a Q and a DQ in software around each."""
    text = """<ir_version: 8, opset_import: ["" : 15]>
g (float[1,4,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] w) <float s = {0.1}, int8 z = {0}>
{ c = Relu(x)
  q = QuantizeLinear(c, s, z)  d = DequantizeLinear(q, s, z)
  y = Sigmoid(d)
  w = Tanh(c) }"""
    quantization = read_quantization(json.dumps({"tensors": {n: form("S8", [0.1], [0]) for n in "xcqdyw"}}))
    made = quantized(onnx.parser.parse_model(text), quantization.tensors)
    onnx.checker.check_model(made)
    inputs = {node.op_type: node.input[0] for node in made.graph.node if node.op_type in ("Sigmoid", "Tanh")}
    writer = {name: node for node in made.graph.node for name in node.output}
    assert writer[inputs["Sigmoid"]].op_type == writer[inputs["Tanh"]].op_type == "DequantizeLinear"
    assert writer[inputs["Sigmoid"]].input[0] == writer[inputs["Tanh"]].input[0]


def test_integers_that_are_moved_on_are_not_quantized_again() -> None:
    """An int8 output that is brought to channels last behind its QuantizeLinear (face_landmark_192)."""
    text = """<ir_version: 8, opset_import: ["" : 15]>
g (float[1,4,8,8] x) => (int8[1,8,8,4] y) <float s = {0.1}, int8 z = {0}>
{ r = Relu(x)
  q = QuantizeLinear(r, s, z)
  y = Transpose<perm = [0, 2, 3, 1]>(q) }"""
    quantization = read_quantization(json.dumps({"tensors": {n: form("S8", [0.1], [0]) for n in "xrqy"}}))
    made = quantized(onnx.parser.parse_model(text), quantization.tensors)
    onnx.checker.check_model(made, full_check=True)
    assert [node.op_type for node in made.graph.node][-2:] == ["QuantizeLinear", "Transpose"]
    assert [value.name for value in made.graph.output] == ["y"]
