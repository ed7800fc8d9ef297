"""Scales that differ in their last digits are one: nothing is requantized between them, and a shared part stays where it is."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import analysed
from builders.network_text import network

from npuscope.model.load import load

FORMS = {
    "a part of a Concat": "c = Conv(x, w16x16x1x1) ^-128\nd = Conv(x, w16x16x1x1) ^-128\ny = Concat(c, d) axis=1 @{} ^-128",
    "a shared part": "c = Conv(x, w16x16x1x1) ^-128\nd = Conv(c, w24x16x1x1) @0.2\ny = Concat(c, d) axis=1 @{} ^-128",
    "a pooling": "c = Conv(x, w16x16x1x1)\ny = MaxPool(c) kernel_shape=[2,2] strides=[2,2] @{}",
    "a Relu": "c = Conv(x, w16x16x1x1) ^-128\nr = Relu(c) @{} ^-128\ny = Sigmoid(r)",
    "a second Q": "c = Conv(x, w16x16x1x1)\nr = QuantizeLinear(c) @{}\ny = Sigmoid(r)",
}


@pytest.mark.parametrize("toolchain", ["2.2", "4.0"])
@pytest.mark.parametrize("name", FORMS)
def test_last_digits_decide_nothing(name: str, toolchain: str, tmp_path: Path) -> None:
    runs = []
    for scale in (0.1, 0.10000001, 0.10013, 0.103):
        onnx.save(network("x: 1x16x8x8\n" + FORMS[name].format(scale)), tmp_path / "m.onnx")
        epochs = analysed(load(str(tmp_path / "m.onnx")), toolchain).epochs
        runs.append([(e.op, e.placement, e.layers, [one.kind for one in e.inserted]) for e in epochs])
    assert runs[0] == runs[1] == runs[2]
    assert runs[0] != runs[3]
