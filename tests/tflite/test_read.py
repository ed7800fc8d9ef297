"""A TFLite file opens as a model: layout, names, activations, what is not known, under any file name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.tflite.cases import CASES
from builders.tflite.operators import RELU6, Case, strides, window
from builders.tflite.reference import distance, interpreted, noise_ratio, run
from onnx import ModelProto, numpy_helper

from npuscope import tflite
from npuscope.model.errors import ModelError
from npuscope.model.layers import fold
from npuscope.model.load import load
from npuscope.neural_art.artefacts import artefact

pytest.importorskip("ai_edge_litert.schema_py_generated")


def built(*names: str) -> bytes:
    """A file of one operator."""
    case = Case("int8")
    return case.bytes(*CASES[names[0]](case))


def plain(model: ModelProto) -> list[str]:
    """ONNX operators, without Q and DQ."""
    return [n.op_type for n in model.graph.node if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]


def head(case: Case) -> bytes:
    """Convolution, activation, pool, then a Reshape and a dense layer."""
    source = case.entry("image", (1, 8, 8, 3))
    result = case.act("features", (1, 4, 4, 6), 0.05, -128)
    inputs = [source, case.weights("kernel", (6, 3, 3, 3), 0), case.bias("bias", 6)]
    case.operator("CONV_2D", inputs, [result], "Conv2DOptions", **strides(2, activation=RELU6))
    pooled = case.act("pooled", (1, 2, 2, 6), 0.05, -128)
    case.operator("MAX_POOL_2D", [result], [pooled], "Pool2DOptions", **window(2, 2))
    flat = case.act("flat", (1, 24), 0.05, -128)
    case.operator("RESHAPE", [pooled, case.integers("shape", [1, 24])], [flat], "ReshapeOptions")
    scores = case.act("scores", (1, 5), 0.3, 0)
    inputs = [flat, case.weights("rows", (5, 24), 0), case.bias("offsets", 5)]
    case.operator("FULLY_CONNECTED", inputs, [scores], "FullyConnectedOptions")
    return case.bytes(case.entries, [scores])


def test_transposes_only_where_the_order_matters() -> None:
    model = tflite.read(head(Case("int8")))
    assert plain(model) == ["Transpose", "Conv", "Clip", "MaxPool", "Transpose", "Reshape", "Gemm"]
    perms = [list(node.attribute[0].ints) for node in model.graph.node if node.op_type == "Transpose"]
    assert perms == [[0, 3, 1, 2], [0, 2, 3, 1]]


def test_names_of_tensors_and_operators_stay() -> None:
    model = tflite.read(head(Case("int8")))
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["scores"]
    assert {"kernel", "bias", "rows"} <= {tensor.name for tensor in model.graph.initializer}
    stored = {name for node in model.graph.node for name in node.output}
    assert {"features", "pooled", "flat", "scores"} <= stored
    core = {node.name: node for node in model.graph.node}
    assert core["CONV_2D_0"].op_type == "Conv"
    facts = {entry.key: entry.value for entry in core["CONV_2D_0"].metadata_props}
    assert facts == {"tflite.operator": "CONV_2D", "tflite.index": "0"}


def test_weights_have_a_scale_for_each_channel() -> None:
    model = tflite.read(built("conv 3x3"))
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    assert sizes["weights"] == [6, 4, 3, 3]
    assert sizes["weights_scale"] == [6]
    assert all(
        tensor.data_type != onnx.TensorProto.FLOAT or "_s" in tensor.name
        for tensor in model.graph.initializer
    )


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_model_as_a_whole_equals_the_reference(dtype: str) -> None:
    data = head(Case(dtype))
    onnx.checker.check_model(tflite.read(data), full_check=True)
    assert min(noise_ratio(data).values()) > (30 if dtype == "int8" else 100)


def test_folded_relu6_clips_at_the_integers_of_the_file() -> None:
    model = tflite.read(head(Case("int8")))
    limits = {t.name: float(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer if not t.dims}
    assert limits["features_result_min"] == 0.0
    assert limits["features_result_max"] == pytest.approx(6.0)
    assert round(limits["features_result_max"] / 0.05, 3) == 120


def test_opens_under_any_name_in_every_reader(tmp_path: Path) -> None:
    for name in ("model.tflite", "model.onnx", "weights.bin"):
        path = tmp_path / name
        path.write_bytes(head(Case("int8")))
        source = load(path)
        layers = fold(source.graph).layers
        assert [layer.name for layer in layers if layer.weight is not None] == [
            "CONV_2D_0",
            "FULLY_CONNECTED_3",
        ]
        assert all(layer.quantized for layer in layers)


def test_unknown_operator_is_kept_under_its_name(tmp_path: Path) -> None:
    case = Case("int8")
    source = case.entry("in", (1, 4, 4, 4))
    middle, result = case.act("middle", (1, 4, 4, 4)), case.act("out", (1, 4, 4, 4))
    case.operator("MAX_POOL_2D", [source], [middle], "Pool2DOptions", **window(1, 1))
    case.operator("CUSTOM", [middle, -1], [result], custom="TFLite_Detection_PostProcess")
    data = case.bytes([source], [result])
    model = tflite.read(data)
    kept = [node for node in model.graph.node if node.domain]
    assert [(node.op_type, node.domain) for node in kept] == [("TFLite_Detection_PostProcess", "tflite")]
    path = tmp_path / "custom.tflite"
    path.write_bytes(data)
    layer = fold(load(path).graph).by_name["TFLite_Detection_PostProcess_1"]
    assert layer.outputs[0].dims == (1, 4, 4, 4)


def test_known_operator_in_an_unknown_form_is_kept_as_well() -> None:
    case = Case("int8")
    inputs = [case.entry("in", (1, 4, 4, 4)), case.tensor("computed", (4, 2), "int32")]
    result = case.act("out", (1, 4, 4, 4))
    case.operator("PAD", inputs, [result])
    model = tflite.read(case.bytes(inputs, [result]))
    assert [node.op_type for node in model.graph.node if node.domain == "tflite"] == ["PAD"]
    assert not any(tensor.name.endswith("_pads") for tensor in model.graph.initializer)


def test_zeros_of_a_pad_are_not_written_as_a_scalar() -> None:
    """Core 4.0.1 was reported to reject that form (N702)."""
    for kind, more in (("PAD", ()), ("PADV2", (7,))):
        case = Case("int8")
        source = case.entry("in", (1, 4, 4, 4))
        inputs = [source, case.integers("amounts", [[0, 0], [1, 1], [1, 1], [0, 0]])]
        inputs += [case.integers(f"value_{value}", value) for value in more]
        result = case.act("out", (1, 6, 6, 4))
        case.operator(kind, inputs, [result])
        model = tflite.read(case.bytes([source], [result]))
        (pad,) = [node for node in model.graph.node if node.op_type == "Pad"]
        values = [list(one.dims) for one in model.graph.initializer if one.name.endswith("_value")]
        assert (len(pad.input), values) == ((3, [[1]]) if more else (2, []))


def test_shape_arithmetic_is_folded() -> None:
    case = Case("int8")
    source = case.entry("in", (1, 6, 8, 4))
    shape, first = case.tensor("shape", (4,), "int32"), case.tensor("first", (), "int32")
    case.operator("SHAPE", [source], [shape], "ShapeOptions", outType=2)
    zero, one = case.integers("zero", [0]), case.integers("one", [1])
    case.operator(
        "STRIDED_SLICE", [shape, zero, one, one], [first], "StridedSliceOptions", shrinkAxisMask=1
    )  # fmt: skip
    packed, result = case.tensor("packed", (2,), "int32"), case.act("out", (1, 192))
    case.operator("PACK", [first, case.integers("rest", 192)], [packed], "PackOptions", valuesCount=2)
    case.operator("RESHAPE", [source, packed], [result], "ReshapeOptions")
    data = case.bytes([source], [result])
    assert plain(tflite.read(data)) == ["Reshape"]
    _, values = interpreted(data)
    got = run(tflite.read(data), {"in": values[source]})[0]
    assert distance("reshape", got, values[result], True).steps == 0


def test_half_float_weights_are_weights() -> None:
    case = Case("float32")
    source = case.entry("in", (1, 4, 4, 2))
    half = case.constant("half", np.linspace(-1, 1, 24).reshape(3, 2, 2, 2).astype(np.float16))
    kernel, bias = case.tensor("kernel", (3, 2, 2, 2), "float32"), case.bias("bias", 3)
    case.operator("DEQUANTIZE", [half], [kernel])
    result = case.act("out", (1, 4, 4, 3))
    case.operator("CONV_2D", [source, kernel, bias], [result], "Conv2DOptions", **strides(1))
    data = case.bytes([source], [result])
    assert plain(tflite.read(data)) == ["Transpose", "Conv", "Transpose"]
    assert min(noise_ratio(data).values()) > 100


def test_transpose_to_planes_costs_nothing() -> None:
    """The tail of a YOLO head: the order asked for is the one held; the rows count as channels last again."""
    case = Case("int8", maps=True)
    source = case.entry("in", (1, 4, 4, 6))
    planes, rows = case.act("planes", (1, 6, 4, 4)), case.act("rows", (1, 6, 16))
    case.operator("TRANSPOSE", [source, case.integers("perm", [0, 3, 1, 2])], [planes])
    case.operator("RESHAPE", [planes, case.integers("shape", [1, 6, 16])], [rows], "ReshapeOptions")
    data = case.bytes(case.entries, [rows])
    assert plain(tflite.read(data)) == ["Transpose", "MaxPool", "Reshape"]
    assert min(noise_ratio(data).values()) == float("inf")


def test_what_comes_from_a_map_is_held_channels_first() -> None:
    """yolov8_face: a Slice of its rows cuts the last axis for ST's compiler, one of its channels the first."""
    case = Case("int8", maps=True)
    source = case.entry("in", (1, 4, 4, 6))
    planes, rows, part = (
        case.act("planes", (1, 6, 4, 4)),
        case.act("rows", (1, 6, 16)),
        case.act("part", (1, 2, 16)),
    )
    case.operator("TRANSPOSE", [source, case.integers("perm", [0, 3, 1, 2])], [planes])
    case.operator("RESHAPE", [planes, case.integers("shape", [1, 6, 16])], [rows], "ReshapeOptions")
    case.operator(
        "SLICE", [rows, case.integers("begin", [0, 1, 0]), case.integers("size", [1, 2, 16])], [part]
    )
    data = case.bytes(case.entries, [part])
    model = tflite.read(data)
    sliced = next(node for node in model.graph.node if node.op_type == "Slice")
    axes = next(one for one in model.graph.initializer if one.name == sliced.input[3])
    assert list(numpy_helper.to_array(axes)) == [2]
    assert min(noise_ratio(data).values()) == float("inf")


def free_input(case: Case) -> bytes:
    source, result = case.entry("in", (1, 4, 4, 2)), case.act("out", (1, 4, 4, 2))
    case.graph.tensors[source].shapeSignature = [1, -1, -1, 2]
    case.operator("RELU", [source], [result])
    return case.bytes([source], [result])


def unordered(case: Case) -> bytes:
    source, middle, result = (case.act(name, (1, 4)) for name in ("in", "middle", "out"))
    case.operator("RELU", [middle], [result])
    case.operator("RELU", [source], [middle])
    return case.bytes([source], [result])


def relu(case: Case, **stated: Any) -> bytes:
    """One operator whose input states that."""
    source, result = case.entry("in", (1, 4)), case.act("out", (1, 4))
    for name, value in stated.items():
        setattr(case.graph.tensors[source], name, value)
    case.operator("RELU", [source], [result])
    return case.bytes([source], [result])


def without_output(case: Case) -> bytes:
    source = case.entry("in", (1, 4))
    case.operator("RELU", [source], [case.act("out", (1, 4))])
    return case.bytes([source], [])


def input_nowhere(case: Case) -> bytes:
    source, result = case.entry("in", (1, 4)), case.act("out", (1, 4))
    case.operator("RELU", [source], [result])
    return case.bytes([99], [result])


def few_weights(case: Case) -> bytes:
    source, result = case.entry("in", (1, 4)), case.act("out", (1, 4))
    weights = case.integers("weights", [1, 2, 3])
    case.graph.tensors[weights].shape = [7]
    case.operator("ADD", [source, weights], [result])
    return case.bytes([source], [result])


def test_names_that_are_taken_are_told_apart() -> None:
    case = Case("int8")
    source = case.entry("in", (1, 4))
    first, second, third, result = (case.act(name, (1, 4)) for name in ("a", "a_3", "a", "out"))
    for before, after in ((source, first), (first, second), (second, third), (third, result)):
        case.operator("RELU", [before], [after])
    made = tflite.read(case.bytes([source], [result]))
    names = [name for node in made.graph.node for name in node.output]
    assert len(set(names)) == len(names)
    assert {"a", "a_3", "a_3_"} <= set(names)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (free_input, "leaves sizes of the input 'in' open"),
        (unordered, "reads 'middle' before RELU_1 writes it"),
        (partial(relu, type=77), "states type 77 for 'in'"),
        (partial(relu, buffer=99), "refers to buffer 99 of"),
        (partial(relu, shape=[1] * 70), "states a tensor of 70 axes"),
        (partial(relu, shape=[1, -4]), "states a tensor of 2 axes, 1×-4"),
        (without_output, "states no output"),
        (input_nowhere, "refers to tensor 99 of 2"),
        (few_weights, "bytes for the 7 int32 values of 'weights'"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(build: Any, words: str) -> None:
    with pytest.raises(ModelError) as error:
        tflite.read(build(Case("int8")))
    assert words.replace("reads", "read") in str(error.value)


def test_is_told_from_artefacts_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(head(Case("int8")))
    assert artefact.read(path).kind == artefact.MODEL
