"""Layers and epochs say the same of where things run; hypothesis draws models in ../rules/test_properties.py."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.agreement import epochs_and_layers_agree, findings_name_causes
from builders.models import SAMPLES, analysed
from builders.networks.compiled import listings, network

from npuscope.model.load import load
from npuscope.npu.verdict import Placement

SHAPE_THAT_IS_QUANTIZED = """
<ir_version: 8, opset_import: ["" : 10]>
shape (float[1, 4] x) => (float[1, 4] y, uint8[2] q) <float scale = {0.1}> {
   sizes = Shape (x)
   q = QuantizeLinear (sizes, scale)
   y = Relu (x)
}
"""


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda path: path.stem)
@pytest.mark.parametrize("toolchain", ["2.0", "2.2", "4.0"])
def test_samples(path: Path, toolchain: str) -> None:
    snapshot = analysed(load(path), toolchain)
    epochs_and_layers_agree(snapshot)
    findings_name_causes(snapshot)


def test_an_invalid_node_that_computes_a_shape_is_not_folded_away(tmp_path: Path) -> None:
    """Its QuantizeLinear reads int64: it counts as float software, so there is an epoch of it."""
    path = tmp_path / "shape.onnx"
    onnx.save(onnx.parser.parse_model(SHAPE_THAT_IS_QUANTIZED), path)
    snapshot = analysed(load(path), "2.0")
    epochs_and_layers_agree(snapshot)
    assert snapshot.layers[0].placement is Placement.SW_FLOAT


@pytest.mark.parametrize("name", listings())
def test_compiled_networks(name: str) -> None:
    snapshot = analysed(network(name), "2.2")
    epochs_and_layers_agree(snapshot)
    findings_name_causes(snapshot)


@pytest.mark.parametrize("toolchain", ["2.2", "4.0"])
@pytest.mark.parametrize("axis", [1, 3])
def test_a_concat_of_floats_that_another_takes_in(axis: int, toolchain: str, tmp_path: Path) -> None:
    """It has no epoch, and so is not on the CPU, along whatever axis."""
    path = tmp_path / "m.onnx"
    body = (
        f"e = Relu(x) f = Sin(x) a = Concat<axis = {axis}>(e, f) b = Concat<axis = {axis}>(a, e) y = Relu(b)"
    )
    header = '<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,8,8] x) => (float y)'
    onnx.save(onnx.parser.parse_model(f"{header} {{ {body} }}"), path)
    snapshot = analysed(load(path), toolchain)
    epochs_and_layers_agree(snapshot)
    findings_name_causes(snapshot)
    inner = next(report for report in snapshot.layers if report.layer.kind == "Concat")
    assert inner.placement is Placement.HW and not any(
        inner.name in epoch.layers for epoch in snapshot.epochs
    )
