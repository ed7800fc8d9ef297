"""The epochs of one operator: what runs before and behind it, where, and over how many elements."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import analysed, from_text
from builders.one_operator import Act, floats, ints, model, snapshot, weights

MAP = Act((1, 16, 8, 8))
HEAD = '<ir_version: 10, opset_import: ["" : 21]>\n'
TWO_POOLS = f"""{HEAD}g (int8[1,16,8,8] x) => (int8[1,16,8,8] y, int8[1,16,8,8] w) <float s = {{0.1}}, int8 z = {{0}}>
{{ f = DequantizeLinear(x, s, z) a = MaxPool <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (f) y = QuantizeLinear(a, s, z)
  g = DequantizeLinear(y, s, z) b = MaxPool <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (g) w = QuantizeLinear(b, s, z) }}"""
OTHER_SCALE = f"""{HEAD}g (int8[1,16,8,8] x) => (int8[1,16,8,8] y) <float s = {{0.1}}, float t = {{0.2}}, int8 z = {{0}}>
{{ f = DequantizeLinear(x, s, z) y = QuantizeLinear(f, t, z) }}"""
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def pool(size: int) -> onnx.ModelProto:
    """A MaxPool that keeps the size of the map."""
    return model("MaxPool", MAP, kernel_shape=[size, size], pads=[size // 2] * 4)


EPOCHS = {
    "a DepthToSpace is a routine": (
        model("DepthToSpace", MAP, blocksize=2, mode="DCR"), [("DepthToSpace", "hybrid")]),
    "so is a Transpose of rows and columns": (
        model("Transpose", MAP, perm=[0, 1, 3, 2]), [("Transpose", "hybrid")]),
    "so is a Concat of unequal parts": (
        model("Concat", *[Act((1, 3 + k, 4, 4)) for k in range(3)], axis=1), [("Concat", "hybrid")]),
    "a part on another scale is requantized first": (
        model("Concat", Act((1, 3, 4, 4), 0.1), Act((1, 4, 4, 4), 0.2), axis=1), [("Add", "hw"), ("Concat", "hybrid")]),
    "channels are padded as another axis": (
        model("Pad", Act((1, 4, 6, 6)), ints(0, 1, 0, 0, 0, 0, 0, 0)), [("Transpose", "hybrid"), ("Conv", "hw")]),
    "a requantization is an addition": (OTHER_SCALE, [("Add", "hw")]),
    "a pooling of 3x3 runs as it is": (pool(3), [("MaxPool", "hw")]),
    "one of 5x5 is padded in planes and pooled in stages": (pool(5), [("Identity", "hw"), ("Conv", "hw")]),
    "the next one finds the planes": (TWO_POOLS, [("Identity", "hw"), ("Conv", "hw"), ("Conv", "hw")]),
    "nearest by 2 writes copies, which a routine orders": (
        model("Resize", MAP, None, floats(1, 1, 2, 2), **NEAREST), [("Concat", "hw"), ("DepthToSpace", "hybrid")]),
    "a stride of 3 makes channels of blocks": (
        model("Conv", Act((1, 8, 48, 48)), weights(8, 8, 3, 3), strides=[3, 3]),
        [("Identity", "hw"), ("SpaceToDepth", "hybrid"), ("Conv", "hw")]),
    "a Conv without a tiling is software, its pads a copy": (
        model("Conv", Act((1, 257, 8, 8)), weights(16, 257, 3, 3), pads=[1, 1, 1, 1]), [("Identity", "hw"), ("Conv", "sw_int")]),
    "each head of a product is one software Conv": (
        model("MatMul", Act((1, 2, 4, 8)), Act((1, 2, 8, 4))),
        [("Split", "hw"), ("Identity", "hw"), ("Conv", "sw_int"), ("Conv", "sw_int"), ("Reshape", "hw"), ("Concat", "hw")]),
}  # fmt: skip


@pytest.mark.parametrize("name", EPOCHS)
def test_the_epochs_of_one_operator(name: str, tmp_path: Path) -> None:
    network, wanted = EPOCHS[name]
    seen = (
        analysed(from_text(network, tmp_path), "2.2")
        if isinstance(network, str)
        else snapshot(network, tmp_path)
    )
    assert [(epoch.op, epoch.placement.value) for epoch in seen.epochs] == wanted


def test_a_staged_pooling_pads_every_channel_by_its_window_less_one(tmp_path: Path) -> None:
    _, padded = snapshot(pool(5), tmp_path).epochs
    assert padded.compute_cycles == 16 * (8 + 4) * (8 + 4)
