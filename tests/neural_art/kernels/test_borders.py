"""Float inputs and outputs: dropped or run, by the model's style and the build's options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders.models import from_text

from npuscope.machine.build import Build
from npuscope.machine.machine import target_of
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

TEXT = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (float[1,8,16] y) <float s = {0.1}, int8 z = {0}, int64[3] k = {1, 8, 16}>
{ q = QuantizeLinear(x, s, z)  f = DequantizeLinear(q, s, z)
  r = Sigmoid(f)  rq = QuantizeLinear(r, s, z)  rd = DequantizeLinear(rq, s, z)
  y = %s }"""
LAST = TEXT.replace("float[1,8,16] y", "float[1,8,4,4] y") % "Identity(rd)"
MOVED = TEXT % "Reshape(rd, k)"
DIRECT = (
    TEXT.replace("float[1,8,16] y", "float[1,8,4,4] y").replace("rd = Deq", "y = Deq").replace("y = %s", "")
)


def on_cpu(text: str, build: Build, folder: Path, tflite: bool = False) -> list[str]:
    source = from_text(text, folder)
    source = replace(source, graph=replace(source.graph, tflite=tflite))
    snapshot: Snapshot = analyse(Session.open(source, target_of(build)))
    for report in snapshot.layers:
        assert not report.off_npu or report.forced_by[0].cause == "border_run"
    return [epoch.op for epoch in snapshot.epochs if epoch.placement.on_cpu]


@pytest.mark.parametrize("text", [LAST, MOVED, DIRECT])
def test_both_ends_of_an_onnx_model_become_int8(text: str, tmp_path: Path) -> None:
    assert on_cpu(text, Build("2.2"), tmp_path) == []


@pytest.mark.parametrize("text", [LAST, MOVED, DIRECT])
def test_float32_keeps_an_epoch_at_that_end(text: str, tmp_path: Path) -> None:
    assert on_cpu(text, Build("2.2", input_data_types=("float32",)), tmp_path) == ["QuantizeLinear"]
    assert on_cpu(text, Build("2.2", output_data_types=("float32",)), tmp_path) == ["DequantizeLinear"]


def test_a_tflite_file_keeps_its_types(tmp_path: Path) -> None:
    assert on_cpu(DIRECT, Build("2.2"), tmp_path, tflite=True) == ["QuantizeLinear", "DequantizeLinear"]
    integers = Build("2.2", input_data_types=("int8",), output_data_types=("int8",))
    assert on_cpu(DIRECT, integers, tmp_path, tflite=True) == []


def test_an_end_made_uint8_is_requantized_by_the_npu(tmp_path: Path) -> None:
    source = from_text(DIRECT, tmp_path)
    unsigned = ("uint8",)
    for build, name in (
        (Build("2.2", input_data_types=unsigned), "QuantizeLinear_0"),
        (Build("2.2", output_data_types=unsigned), "DequantizeLinear_4"),
    ):
        epochs = analyse(Session.open(source, target_of(build))).epochs
        assert any(name in epoch.layers for epoch in epochs)
        assert not any(epoch.placement.on_cpu for epoch in epochs)


def test_uint8_that_the_data_already_are_costs_nothing(tmp_path: Path) -> None:
    source = from_text(DIRECT.replace("int8 z = {0}", "uint8 z = {128}"), tmp_path)
    asked = Build("2.2", input_data_types=("uint8",), output_data_types=("uint8",))
    one, other = (analyse(Session.open(source, target_of(build))).epochs for build in (Build("2.2"), asked))
    assert [e.layers for e in one] == [e.layers for e in other]
