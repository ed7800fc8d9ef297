"""The epochs of small public networks, rebuilt from their reports: shapes and zero points; the weights are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.agreement import epochs_and_layers_agree
from builders.scheduled import ops
from builders.small_nets import Net
from onnx import TensorProto

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse

SAME = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
HALF = {"kernel_shape": [2, 2], "strides": [2, 2]}


def gestures() -> onnx.ModelProto:
    """rps_int8 (NetanelUnger/N6_tof, Core 4.0.1): a uint8 map that is cast, four Convs, a mean, two Gemms, a Softmax."""
    net = Net((1, 1, 50, 64), TensorProto.UINT8)
    last = net.quantized(net.node("Cast", ["x"], "cast", to=TensorProto.FLOAT), 0.996, -128)
    channels = 1
    for k, count in enumerate((16, 32, 48, 64)):
        last = net.weighted("Conv", f"conv{k}", last, (count, channels, 3, 3), -128, **SAME)
        if k < 3:
            last = net.quantized(net.node("MaxPool", [last], f"pool{k}", **HALF), 0.01, -128)
        channels = count
    axes = net.constant("axes", np.array([2, 3]))
    last = net.quantized(net.node("ReduceMean", [last, axes], "mean", keepdims=0), 0.004, -128)
    last = net.weighted("Gemm", "fc1", last, (32, 64), -128, transB=1)
    last = net.weighted("Gemm", "fc2", last, (4, 32), 7, relu=False, transB=1)
    net.quantized(net.node("Softmax", [last], "softmax", axis=1), 1 / 256, -128)
    net.nodes.pop()
    return net.model("softmax_q", (1, 4), TensorProto.INT8)


def sounds() -> onnx.ModelProto:
    """toy_sound_classifier_int8 (sijiaohanshusin/NECCS_N647, Core 4.0.0): three Convs, a Flatten and a Gemm."""
    net = Net((1, 1, 32, 64))
    last, channels = net.quantized("x", 0.0039, -128), 1
    for k, count in enumerate((8, 16, 32)):
        last = net.weighted("Conv", f"conv{k}", last, (count, channels, 3, 3), -128, **SAME)
        last = net.quantized(net.node("MaxPool", [last], f"pool{k}", **HALF), 0.01, -128)
        channels = count
    last = net.quantized(net.node("Flatten", [last], "flat"), 0.01, -128)
    last = net.weighted("Gemm", "fc", last, (6, 1024), -24, relu=False, transB=1)
    return net.model(last, (1, 6))


EPOCHS: dict[str, tuple[Callable[[], onnx.ModelProto], list[str]]] = {
    "gestures": (
        gestures,
        ["hybrid Cast", "sw_float QuantizeLinear", "hw Sub", *["hw Conv"] * 6, "sw_int Softmax"],
    ),
    # its tmp.dot: the first Sub in the epoch of the first Conv, a copy of the map as a row, the Gemm's Sub alone
    "sounds": (sounds, ["hw Conv", "hw Conv", "hw Conv", "hw Reshape", "hw Sub", "hw Conv"]),
}


@pytest.mark.parametrize("name", EPOCHS)
def test_epochs_are_those_of_the_report(name: str, tmp_path: Path) -> None:
    build, wanted = EPOCHS[name]
    onnx.save(build(), tmp_path / "model.onnx")
    snapshot = analyse(Session.open(load(tmp_path / "model.onnx"), target("4.0")))
    assert ops(snapshot) == wanted
    epochs_and_layers_agree(snapshot)
