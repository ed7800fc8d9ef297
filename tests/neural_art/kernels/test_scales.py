"""Scales that are no positive number: who computes with one is not counted for the NPU, who only moves integers is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import analysed
from onnx import TensorProto, helper, numpy_helper, save

from npuscope.model.load import load
from npuscope.npu.verdict import Confidence, Placement

SIZES = [1, 8, 4, 4]


def network(operator: str, scale: float, weights: list[float], path: Path) -> Path:
    """int8 -> Sigmoid, MaxPool or a 1x1 Conv -> int8, with this scale behind it and these of the Conv's weights."""
    inputs = ["f", "wf"] if operator == "Conv" else ["f"]
    attributes = {"kernel_shape": [1, 1]} if operator == "MaxPool" else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=0),
        helper.make_node(operator, inputs, ["r"], "layer", **attributes),
        helper.make_node("QuantizeLinear", ["r", "t", "z"], ["y"]),
    ]
    constants = {
        "s": np.float32(0.1),
        "t": np.float32(scale),
        "z": np.int8(0),
        "w": np.ones((8, 8, 1, 1), np.int8),
        "ws": np.array(weights, np.float32),
        "wz": np.zeros(8, np.int8),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT8, SIZES)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, SIZES)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


GOOD = [0.01] * 8
EMPTY = [0.0, *GOOD[1:]]


@pytest.mark.parametrize(
    ("operator", "scale", "weights", "placement", "words"),
    [
        ("Sigmoid", 0.0, GOOD, Placement.SW_FLOAT, "the output of Sigmoid has scale 0;"),
        ("Sigmoid", float("nan"), GOOD, Placement.SW_FLOAT, "the output of Sigmoid has scale nan;"),
        ("Conv", -0.5, GOOD, Placement.SW_FLOAT, "the output of Conv has scale -0.5;"),
        ("Conv", 0.1, [float("inf"), *GOOD[1:]], Placement.SW_FLOAT, "has scale inf in 1 of 8 channels;"),
        ("Conv", 0.1, EMPTY, Placement.HW, "the weight of Conv has scale 0 in 1 of 8 channels;"),
        ("MaxPool", 0.0, GOOD, Placement.HW, "the output of MaxPool has scale 0;"),
    ],
)
def test_scales_that_are_no_positive_number(
    operator: str, scale: float, weights: list[float], placement: Placement, words: str, tmp_path: Path
) -> None:
    layers = analysed(load(str(network(operator, scale, weights, tmp_path / "m.onnx"))), "2.2").layers
    report = next(each for each in layers if each.layer.kind == operator)
    finding = next(each for each in report.findings if each.code == "N113")
    assert words in finding.message
    assert finding.confidence is Confidence.UNKNOWN
    assert report.placement is placement
