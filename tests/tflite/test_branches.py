"""IF and WHILE of a constant condition are what they come to; others stay, and say why they have no form in ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.models import analysed
from builders.tflite.files import File

from npuscope import tflite
from npuscope.model.load import load

MAP = (1, 4, 4, 2)


def body(file: File, *kinds: str) -> int:
    """A subgraph of one operator after the other; its number."""
    graph = file.schema.SubGraphT()
    graph.tensors, graph.operators, graph.name = [], [], "body"
    file.model.subgraphs.append(graph)
    main, file.graph = file.graph, graph
    tensors = [file.tensor(f"t{i}", MAP, "int8", 0.05, 3) for i in range(len(kinds) + 1)]
    for kind, before, after in zip(kinds, tensors, tensors[1:], strict=False):
        file.operator(kind, [before], [after])
    graph.inputs, graph.outputs = [tensors[0]], [tensors[-1]]
    file.graph = main
    return len(file.model.subgraphs) - 1


def decided(file: File, condition: int, then: int, otherwise: int, given: bool = True) -> bytes:
    """x -> IF -> RELU -> y."""
    x, middle, y = (file.tensor(name, MAP, "int8", 0.05, 3) for name in "xmy")
    bodies = {"thenSubgraphIndex": then, "elseSubgraphIndex": otherwise}
    file.operator("IF", [condition, x], [middle], "IfOptions", **bodies)
    file.operator("RELU", [middle], [y])
    known = file.graph.tensors[condition].buffer or not given
    return file.bytes([x] if known else [x, condition], [y])


def kinds(data: bytes) -> list[str]:
    quantizing = ("QuantizeLinear", "DequantizeLinear")
    return [node.op_type for node in tflite.read(data).graph.node if node.op_type not in quantizing]


@pytest.mark.parametrize(
    ("value", "expected"), [(True, ["Tanh", "Relu"]), (False, ["Sigmoid", "Abs", "Relu"])]
)
def test_the_branch_that_is_taken_stands_in_place_of_an_if(value: bool, expected: list[str]) -> None:
    file = File()
    condition = file.constant("c", np.array([value]))
    assert kinds(decided(file, condition, body(file, "TANH"), body(file, "LOGISTIC", "ABS"))) == expected


@pytest.mark.parametrize(("size", "expected"), [(4, ["Tanh", "Relu"]), (5, ["Abs", "Relu"])])
def test_a_condition_on_sizes_is_known(size: int, expected: list[str]) -> None:
    """Is the second size of the input this one?"""
    file = File()
    x = file.tensor("z", MAP, "int8", 0.05, 3)
    sizes, one, asked = (
        file.tensor("sizes", (4,), "int32"),
        file.tensor("one", (), "int32"),
        file.tensor("c", (), "bool"),
    )
    file.operator("SHAPE", [x], [sizes], "ShapeOptions", outType=2)
    file.operator("GATHER", [sizes, file.constant("second", np.int32(1))], [one], "GatherOptions")
    file.operator("EQUAL", [one, file.constant("size", np.int32(size))], [asked])
    data = decided(file, asked, body(file, "TANH"), body(file, "ABS"), given=False)
    assert kinds(data) == expected


def test_a_branch_that_does_nothing_hands_on_what_it_was_given() -> None:
    file = File()
    data = decided(file, file.constant("c", np.array([True])), body(file), body(file, "TANH"))
    assert kinds(data) == ["Relu"]
    assert [value.name for value in tflite.read(data).graph.output] == ["y"]


def test_an_if_that_is_decided_at_run_time_is_a_layer_on_the_cpu(tmp_path: Path) -> None:
    file = File()
    data = decided(file, file.tensor("c", (1,), "bool"), body(file, "TANH"), body(file, "ABS"))
    assert kinds(data)[0] == "IF"
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    (layer,) = (layer for layer in analysed(load(path)).layers if layer.layer.op == "IF")
    (finding,) = layer.findings
    assert layer.off_npu and "decides at run time" in finding.message and "unrolled" in finding.fix


@pytest.mark.parametrize(("then", "otherwise"), [(9, 1), (-1, 1)])
def test_a_branch_that_is_not_in_the_file_stays(then: int, otherwise: int) -> None:
    file = File()
    condition = file.constant("c", np.array([True]))
    body(file, "TANH")
    assert kinds(decided(file, condition, then, otherwise))[0] == "IF"


def test_branches_within_themselves_end() -> None:
    file = File()
    number = body(file, "TANH")
    graph = file.model.subgraphs[number]
    main, file.graph = file.graph, graph
    condition = file.constant("inner", np.array([True]))
    graph.operators = []
    ends = {"thenSubgraphIndex": number, "elseSubgraphIndex": number}
    file.operator("IF", [condition, graph.inputs[0]], [graph.outputs[0]], "IfOptions", **ends)
    file.graph = main
    assert kinds(decided(file, file.constant("c", np.array([True])), number, number)) == ["IF", "Relu"]


@pytest.mark.parametrize(("value", "expected"), [(False, []), (True, ["WHILE"])])
def test_a_loop_that_is_never_entered_is_gone(value: bool, expected: list[str]) -> None:
    file = File()
    condition = body(file)
    main, file.graph = file.graph, file.model.subgraphs[condition]
    file.graph.outputs = [file.constant("known", np.array([value]))]
    file.graph = main
    x, y = (file.tensor(name, MAP, "int8", 0.05, 3) for name in "xy")
    bodies = {"condSubgraphIndex": condition, "bodySubgraphIndex": body(file, "TANH")}
    file.operator("WHILE", [x], [y], "WhileOptions", **bodies)
    assert kinds(file.bytes([x], [y])) == expected


def convolved(file: File, source: int, weights: int, inputs: tuple[int, ...] = ()) -> bytes:
    y = file.tensor("y", (1, 4, 4, 3), "int8", 0.1)
    options = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    file.operator("CONV_2D", [source, weights, -1], [y], "Conv2DOptions", **options)
    return file.bytes([source, *inputs], [y])


def ones(file: File, **quantization: Any) -> int:
    return file.constant("w", np.ones((3, 1, 1, 2), np.int8), **quantization)


def unscaled() -> bytes:
    file = File()
    return convolved(file, file.tensor("x", MAP, "int8"), ones(file, scale=0.1))


def other_axis() -> bytes:
    file = File()
    return convolved(file, file.tensor("x", MAP, "int8", 0.05), ones(file, scale=[0.1, 0.2], axis=3))


def empty() -> bytes:
    file = File()
    return convolved(file, file.tensor("x", MAP, "int8", 0.05), file.tensor("w", (3, 1, 1, 2), "int8", 0.1))


def named_scale() -> bytes:
    file = File()
    weights = file.tensor("scales", (3, 1, 1, 2), "int8", 0.1)
    return convolved(file, file.tensor("x", MAP, "int8", 0.05), weights)


def if_body() -> bytes:
    file = File()
    weights = file.tensor("w", (3, 1, 1, 2), "int8", 0.1)
    return convolved(file, file.tensor("x", MAP, "int8", 0.05), weights, (weights,))


@pytest.mark.parametrize(
    ("build", "words", "way"),
    [
        (unscaled, "computes on 'x', int8 without a scale", "full-integer quantization"),
        (
            other_axis,
            "scales along axis 3, not along the output channels, axis 0",
            "full-integer quantization",
        ),
        (empty, "reads weights without values, 'w'", "convert the network without it"),
        (named_scale, "reads weights without values, 'scales'", "convert the network without it"),
        (if_body, "reads weights that are computed at run time", "convert the network without it"),
    ],
)
def test_an_operator_without_a_form_in_onnx_says_why(
    build: Any, words: str, way: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(build())
    (layer,) = (layer for layer in analysed(load(path)).layers if layer.layer.op == "CONV_2D")
    (finding,) = layer.findings
    assert words in finding.message and way in finding.fix


@pytest.mark.parametrize(
    ("name", "words"),
    [("ethos-u", "Ethos-U"), ("edgetpu-custom-op", "Edge TPU"), ("FlexErf", "an operator of TensorFlow")],
)
def test_a_file_compiled_for_another_device_is_named(name: str, words: str, tmp_path: Path) -> None:
    file = File()
    x, y = (file.tensor(name, MAP, "int8", 0.05) for name in "xy")
    file.operator("CUSTOM", [x], [y], custom=name)
    path = tmp_path / "m.tflite"
    path.write_bytes(file.bytes([x], [y]))
    assert words in analysed(load(path)).layers[0].findings[0].message
