"""What a node, a tensor and a constant are said to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.graph import Node
from npuscope.model.inspection.attributes import LONGEST, attributes
from npuscope.model.inspection.bodies import body, body_names
from npuscope.model.inspection.contents import MOST_VALUES, Contents, contents
from npuscope.model.inspection.tensor import tensor_facts
from npuscope.model.load import load
from npuscope.model.tensors import Constant

SAMPLES = Path(__file__).resolve().parents[2] / "sample_models"


def of(*values: object, dtype: str = "float32") -> Contents:
    return contents(Constant.of("c", np.array(values, dtype)))


@pytest.mark.parametrize(
    ("values", "dtype", "wanted"),
    [
        ((1, 2, 3), "int8", (1, 3, 2, 0, 0, 0)),
        ((-128, 127, 0, 5), "int8", (-128, 127, 1, 1, 0, 2)),
        ((0, 255), "uint8", (0, 255, 127.5, 1, 0, 2)),
        ((1.5, float("nan"), float("-inf")), "float32", (1.5, 1.5, 1.5, 0, 2, 0)),
        ((float("nan"),), "float32", (0, 0, 0, 0, 1, 0)),
        ((), "float32", (0, 0, 0, 0, 0, 0)),
        ((True, False), "bool", (0, 1, 0.5, 1, 0, 0)),
        ((2**62, -(2**62)), "int64", (-(2.0**62), 2.0**62, 0, 0, 0, 0)),
    ],
)
def test_figures_of_a_constant(values: tuple[object, ...], dtype: str, wanted: tuple[float, ...]) -> None:
    shown = of(*values, dtype=dtype)
    assert (shown.low, shown.high, shown.mean, shown.zeros, shown.odd, shown.at_limits) == wanted
    assert shown.size == shown.looked == len(values)
    assert not shown.bins or sum(shown.bins) == shown.looked - shown.odd


def test_integers_have_a_bin_each_where_they_are_few() -> None:
    assert of(1, 1, 2, 4, dtype="int8").bins == (2, 1, 0, 1)


def test_words_are_shown_as_they_are() -> None:
    proto = helper.make_tensor("words", TensorProto.STRING, [2], [b"a", b"\x1b[31m"])
    shown = contents(Constant("words", "string", (2,), proto))
    assert shown.first[0] == "a" and shown.bins == ()


def test_a_large_constant_is_looked_at_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-100, 100, (3000, 2000)).astype(np.int8)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 3000])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 2000])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    constant = load(path).graph.constants["w"]
    assert constant.span is not None
    monkeypatch.setattr(Constant, "array", lambda self: pytest.fail("read whole"))
    shown = contents(constant)
    assert shown.looked == MOST_VALUES < shown.size == weight.size
    assert shown.low == -100 and shown.high == 99
    assert shown.first[:3] == tuple(str(value) for value in weight.flat[:3])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelError):
        contents(constant)


def test_a_shape_that_claims_more_than_is_stored_is_refused() -> None:
    proto = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1 << 40], raw_data=b"\0" * 4)
    with pytest.raises(ModelError):
        contents(Constant("w", "float32", (1 << 40,), proto))


def test_attributes_and_the_defaults_left_out() -> None:
    graph = load(SAMPLES / "mobilenet_mini_int8.onnx").graph
    conv = next(node for node in graph.nodes if node.op == "Conv" and node.integer("group", 1) > 1)
    stated = {entry.name: entry.value for entry in attributes(conv, graph) if entry.stated}
    defaults = {entry.name for entry in attributes(conv, graph) if not entry.stated}
    assert stated["group"] == str(conv.integer("group", 1))
    assert {"kernel_shape", "strides", "pads"} <= set(stated) | defaults
    assert not set(stated) & defaults


def test_an_attribute_of_each_type_is_text() -> None:
    values: dict[str, object] = {
        "number": 3, "real": 0.25, "word": "é", "numbers": [1, 2], "reals": [0.5, 2.0], "words": ["a", "b"],
        "tensor": numpy_helper.from_array(np.zeros((2, 3), np.int8)), "scalar": numpy_helper.from_array(np.float32(1)),
        "graph": helper.make_graph([], "inner", [], []), "kind": helper.make_tensor_type_proto(TensorProto.FLOAT, [1]),
    }  # fmt: skip
    proto = helper.make_node("Own", ["x"], ["y"], domain="own", **values)
    proto.attribute.add(name="taken", ref_attr_name="alpha")
    shown = {one.name: one.value for one in attributes(Node("n", "Own", "own", ("x",), ("y",), proto), None)}
    assert shown == {
        "number": "3", "real": "0.25", "word": "é", "numbers": "1 2", "reals": "0.5 2", "words": "a b",
        "tensor": "int8 2×3", "scalar": "float32 scalar", "graph": "body", "kind": "type_proto",
        "taken": "the function's alpha",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("op", "stated", "wanted"),
    [
        ("MaxPool", {"kernel_shape": [3, 2]}, {"strides": "1 1", "dilations": "1 1", "pads": "0 0 0 0"}),
        ("AveragePool", {"kernel_shape": [3], "auto_pad": "SAME_UPPER"}, {"strides": "1", "dilations": "1"}),
        ("MaxPool", {}, {}),
        ("Conv", {}, {}),
        ("NoSuchOperator", {"kernel_shape": [3]}, {}),
    ],
)
def test_windows_that_are_left_out(op: str, stated: dict[str, object], wanted: dict[str, str]) -> None:
    node = Node("n", op, "", ("x", "w"), ("y",), helper.make_node(op, ["x", "w"], ["y"], **stated))
    left_out = {one.name: one.value for one in attributes(node, None) if not one.stated}
    windows = {"kernel_shape", "strides", "dilations", "pads"}
    assert {name: value for name, value in left_out.items() if name in windows} == wanted


def test_a_long_attribute_is_cut_and_a_reference_named() -> None:
    proto = helper.make_node("Conv", ["x"], ["y"], pads=list(range(1000)), auto_pad="x" * 10_000)
    graph = load(SAMPLES / "mobilenet_mini_int8.onnx").graph
    by_name = {e.name: e.value for e in attributes(Node("n", "Conv", "", ("x",), ("y",), proto), graph)}
    assert by_name["pads"].endswith("… (1000)")
    assert len(by_name["auto_pad"]) == LONGEST


def test_a_tensor_knows_its_scale_its_maker_and_its_readers() -> None:
    graph = load(SAMPLES / "denoiser_lstm_int8.onnx").graph
    quantize = next(node for node in graph.nodes if node.op == "QuantizeLinear")
    facts = tensor_facts(graph, quantize.output(0))
    assert facts.producer is quantize and facts.quant is not None and facts.readers
    scale = tensor_facts(graph, quantize.input(1))
    assert scale.constant is not None and scale.producer is None and scale.nbytes == 4


def model_with_a_function() -> onnx.ModelProto:
    inner = helper.make_node("Twice", ["a"], ["b"], domain="own")
    function = helper.make_function(
        "own",
        "Twice",
        ["p"],
        ["q"],
        [helper.make_node("Add", ["p", "p"], ["q"], name="sum")],
        [helper.make_opsetid("", 17)],
    )
    graph = helper.make_graph(
        [inner],
        "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2, 3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=[function])


def test_a_function_can_be_entered(tmp_path: Path) -> None:
    onnx.save(model_with_a_function(), tmp_path / "f.onnx")
    graph = load(tmp_path / "f.onnx").graph
    (call,) = graph.nodes
    assert body_names(call, graph) == (("Twice", "function", 1),)
    inner = body(call, graph, 0).graph
    assert [node.op for node in inner.nodes] == ["Add"]
    assert inner.type("p").dims == (2, 3), "its parameters have the types it is called with"


def test_a_body_can_be_entered(tmp_path: Path) -> None:
    """It knows its own constants, and the tensors around it by their types."""
    constant = helper.make_node(
        "Constant", [], ["one"], value=numpy_helper.from_array(np.ones(3, np.float32))
    )
    listed = helper.make_node("Constant", [], ["two"], value_floats=[2.0])
    then = helper.make_graph(
        [constant, listed, helper.make_node("Sum", ["a", "one", "two", "w"], ["t"])], "then", [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(np.zeros(3, np.float32), "w")],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Neg", ["a"], ["e"])], "other", [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, [3])],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("If", ["c"], ["b"], then_branch=then, else_branch=other)], "g",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [3]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [3])],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    outer = load(tmp_path / "m.onnx").graph
    (node,) = outer.nodes
    assert set(body_names(node, outer)) == {("then", "subgraph", 3), ("other", "subgraph", 1)}
    insides = {made.name: made for made in (body(node, outer, index) for index in range(2))}
    inner = insides["then"].graph
    assert insides["then"].kind == "subgraph" and inner.outputs == ("t",)
    assert {name for name in ("one", "w") if inner.constant(name) is not None} == {"one", "w"}
    assert inner.type("a").dims == (3,) and [one.op for one in inner.nodes] == ["Constant", "Constant", "Sum"]
    assert [one.op for one in insides["other"].graph.nodes] == ["Neg"]
