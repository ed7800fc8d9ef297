"""Weights that pass through a Transpose, a Reshape or an Identity are weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import analysed, from_text

from npuscope.model.layers import fold

HEAD = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,6,4,4] x, int8[5,6] v) => (int8[a,b,c,d] y)
<float s = {0.1}, int8 z = {0}, int64[2] size = {4, 6}, int64[4] sizes = {3, 3, 6, 4}, int64[4] flat = {3, 3, 6, 1},
 float[6] s6 = {1, 2, 3, 4, 5, 6}, int8[6] z6 = {0, 0, 0, 0, 0, 0}, int64[4] kernel = {6, 1, 3, 3},
 float[4] s4 = {1, 2, 3, 4}, int8[4] z4 = {0, 0, 0, 0}> { xf = DequantizeLinear(x, s, z) vf = DequantizeLinear(v, s, z) """
TAIL = " y = QuantizeLinear(r, s, z) }"
INTS = "w = ConstantOfShape <value: tensor = int8[1] {{1}}> ({}) "
REALS = "u = ConstantOfShape <value: tensor = float[1] {{1}}> ({}) "

MODELS: dict[str, tuple[str, tuple[int, ...], int | None]] = {
    "MatMul with a Transpose of quantized floats": (
        REALS.format("size") + "w = QuantizeLinear <axis = 0> (u, s4, z4) f = DequantizeLinear <axis = 0> (w, s4, z4) "
        "t = Transpose <perm = [1, 0]> (f) r = MatMul (vf, t)", (6, 4), 1),
    "Conv with kernels from NHWC": (
        INTS.format("sizes") + "f = DequantizeLinear <axis = 3> (w, s4, z4) t = Transpose <perm = [3, 2, 0, 1]> (f) "
        "r = Conv <pads = [1, 1, 1, 1]> (xf, t)", (4, 6, 3, 3), 0),
    "depthwise Conv, turned and reshaped": (
        INTS.format("flat") + "f = DequantizeLinear <axis = 2> (w, s6, z6) t = Transpose <perm = [2, 3, 0, 1]> (f) "
        "k = Reshape (t, kernel) r = Conv <group = 6> (xf, k)", (6, 1, 3, 3), 0),
    "one scale, transposed by default": (
        INTS.format("size") + "f = DequantizeLinear (w, s, z) t = Transpose (f) r = MatMul (vf, t)", (6, 4), None),
    "an Identity": (
        INTS.format("size") + "f = DequantizeLinear <axis = 0> (w, s4, z4) t = Identity (f) r = Gemm <transB = 1> (vf, t)",
        (4, 6), 0),
    "an Identity of floats": (REALS.format("size") + "t = Identity (u) r = Gemm <transB = 1> (vf, t)", (4, 6), None),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_they_are_weights(name: str, tmp_path: Path) -> None:
    body, shape, axis = MODELS[name]
    graph = from_text(HEAD + body + TAIL, tmp_path).graph
    layers = fold(graph)
    (layer,) = [one for one in layers.layers if one.weight is not None]
    assert layer.weight is not None and layer.weight.constant is not None
    assert layer.weight.constant.shape == shape == layer.weight.constant.array().shape
    assert (layer.weight.quant.axis if layer.weight.quant is not None else None) == axis
    assert not {"Transpose", "Reshape", "Identity"} & {one.op for one in layers.layers}
    grouped = [node for one in layers.layers for node in one.nodes]
    assert sorted([*grouped, *layers.unattached]) == sorted(node.name for node in graph.nodes)


def test_values_are_moved_with_their_scales(tmp_path: Path) -> None:
    body = """w = Constant <value = int8[2,3] {1, 2, 3, 4, 5, 6}> ()
    s2 = Constant <value = float[2] {1, 2}> () z2 = Constant <value = int8[2] {0, 0}> ()
    f = DequantizeLinear <axis = 0> (w, s2, z2) t = Transpose (f) r = MatMul (xf, t)"""
    (layer,) = [one for one in fold(from_text(HEAD + body + TAIL, tmp_path).graph).layers if one.weight]
    assert layer.weight is not None and layer.weight.constant is not None and layer.weight.quant is not None
    assert np.array_equal(layer.weight.constant.array(), [[1, 4], [2, 5], [3, 6]])
    assert layer.weight.quant.axis == 1


def test_an_activation_between_is_none(tmp_path: Path) -> None:
    body = "t = Transpose <perm = [1, 0]> (vf) r = MatMul (t, vf)"
    snapshot = analysed(from_text(HEAD + body + TAIL, tmp_path))
    assert "Transpose" in {report.layer.op for report in snapshot.layers}
    assert "N206" in {finding.code for report in snapshot.layers for finding in report.findings}
