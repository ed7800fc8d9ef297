"""IF and WHILE of a constant condition are what they come to; others stay, and say why they have no form in ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders.models import analysed
from builders.tflite.files import File
from builders.tflite.reference import interpreted, run

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


def computed(file: File, *branches: int, size: int = 1) -> bytes:
    return decided(file, file.tensor("c", (size,) if size != 1 else (), "bool"), *branches)


AT_RUN_TIME: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "one each": (("TANH",), ("RELU",)),
    "several": (("TANH", "RELU"), ("ABS", "RELU6", "TANH")),
    "nothing in one": ((), ("TANH",)),
    "newer operators in one": (("GELU",), ("TANH",)),
}


@pytest.mark.parametrize("name", AT_RUN_TIME)
def test_an_if_that_is_decided_at_run_time_is_one_of_onnx(name: str, tmp_path: Path) -> None:
    then, otherwise = AT_RUN_TIME[name]
    file = File()
    data = computed(file, body(file, *then), body(file, *otherwise))
    onnx.checker.check_model(tflite.read(data), full_check=True)
    assert kinds(data) == ["If", "Relu"]
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    (layer,) = (layer for layer in analysed(load(path)).layers if layer.layer.op == "If")
    assert layer.off_npu and layer.findings[0].code == "N312"
    if "GELU" in then:
        return  # the reference kernel of int8 takes a table of another scale
    for seed in range(4):
        graph, values = interpreted(data, seed)
        feeds = {graph.tensors[number].name: values[number] for number in graph.inputs}
        (made,) = run(tflite.read(data), feeds)
        assert np.abs(made.astype(int) - values[graph.outputs[0]].astype(int)).max() <= 1


def test_a_choice_within_a_choice_is_one_too() -> None:
    file = File()
    inner = body(file, "TANH")
    graph = file.model.subgraphs[inner]
    main, file.graph = file.graph, graph
    tanh = body(file, "TANH")
    relu = body(file, "RELU")
    condition = file.tensor("inner", (), "bool")
    graph.operators = []
    kept = file.constant("kept", np.array([1], np.int32))
    file.operator("EQUAL", [kept, file.tensor("n", (1,), "int32")], [condition], "EqualOptions")
    graph.inputs = [graph.inputs[0], len(graph.tensors) - 1]
    ends = {"thenSubgraphIndex": tanh, "elseSubgraphIndex": relu}
    file.operator("IF", [condition, graph.inputs[0]], [graph.outputs[0]], "IfOptions", **ends)
    other = body(file, "ABS")
    second = file.model.subgraphs[other]
    file.graph = second
    second.inputs = [second.inputs[0], file.tensor("n", (1,), "int32")]
    file.graph = main
    x, n, c, y = (
        file.tensor("x", MAP, "int8", 0.05, 3), file.tensor("n", (1,), "int32"), file.tensor("c", (), "bool"),
        file.tensor("y", MAP, "int8", 0.05, 3),
    )  # fmt: skip
    bodies = {"thenSubgraphIndex": inner, "elseSubgraphIndex": other}
    file.operator("IF", [c, x, n], [y], "IfOptions", **bodies)
    data = file.bytes([x, n, c], [y])
    model = tflite.read(data)
    onnx.checker.check_model(model, full_check=True)
    (outer,) = (node for node in model.graph.node if node.op_type == "If")
    within = [node.op_type for a in outer.attribute if a.name == "then_branch" for node in a.g.node]
    assert "If" in within
    source = np.arange(-16, 16, dtype=np.int8).reshape(MAP)
    made = [
        run(model, {"x": source, "n": np.array([n], np.int32), "c": np.array(c)})[0]
        for n, c in ((1, True), (0, True), (1, False))
    ]
    assert not np.array_equal(made[0], made[1]) and not np.array_equal(made[1], made[2])


def other_tensors(file: File, inside: tuple[int, ...], out: tuple[int, ...]) -> bytes:
    """An IF whose branches read, or make, another shape than it does."""
    branches = body(file, "TANH"), body(file, "ABS")
    for graph in file.model.subgraphs[1:]:
        graph.tensors[0].shape, graph.tensors[-1].shape = list(inside), list(out)
    return computed(file, *branches)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda file: computed(file, body(file, "TANH"), body(file, "WHERE")), "branches that have no form"),
        (lambda file: computed(file, body(file, "TANH"), 9), "branches that are not in the file"),
        (
            lambda file: computed(file, body(file, "TANH"), body(file, "ABS"), size=2),
            "other than one truth value",
        ),
        (lambda file: other_tensors(file, (1, 4, 4, 3), MAP), "hands tensors of another type or shape"),
        (lambda file: other_tensors(file, MAP, (1, 4, 4, 3)), "takes results of another type or shape"),
    ],
)
def test_a_choice_without_a_form_is_a_layer_on_the_cpu(build: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(build(File()))
    (layer,) = (layer for layer in analysed(load(path)).layers if layer.layer.op == "IF")
    (finding,) = layer.findings
    assert layer.off_npu and words in finding.message and "unrolled" in finding.fix


def test_choices_that_never_end_are_converted_so_far() -> None:
    """A body that chooses itself, twice, at run time."""
    file = File()
    number = body(file, "TANH")
    graph = file.model.subgraphs[number]
    main, file.graph = file.graph, graph
    condition, middle = file.tensor("c", (), "bool"), file.tensor("m", MAP, "int8", 0.05, 3)
    graph.inputs = [graph.inputs[0], condition]
    graph.operators = []
    ends = {"thenSubgraphIndex": number, "elseSubgraphIndex": number}
    for before, after in ((graph.inputs[0], middle), (middle, graph.outputs[0])):
        file.operator("IF", [condition, before, condition], [after], "IfOptions", **ends)
    file.graph = main
    x, c, y = (
        file.tensor("x", MAP, "int8", 0.05, 3),
        file.tensor("c", (), "bool"),
        file.tensor("y", MAP, "int8", 0.05, 3),
    )
    file.operator("IF", [c, x, c], [y], "IfOptions", **ends)
    assert kinds(file.bytes([x, c], [y])) == ["IF"]


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


def test_a_loop_whose_condition_is_not_in_the_file_stays() -> None:
    file = File()
    x, y = (file.tensor(name, MAP, "int8", 0.05, 3) for name in "xy")
    bodies = {"condSubgraphIndex": 9, "bodySubgraphIndex": body(file, "TANH")}
    file.operator("WHILE", [x], [y], "WhileOptions", **bodies)
    assert kinds(file.bytes([x], [y])) == ["WHILE"]


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
