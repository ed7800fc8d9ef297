"""Epochs of models with several layers: what they share, and in which version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders.models import from_text
from builders.scheduled import HEAD, inside, on, ops

from npuscope.machine.machine import target, target_of
from npuscope.neural_art.schedule.epochs import Placed, schedule
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import analyse

ISLAND = """(int8[1,8,4,4] x) => (int8[1,8,4,4] y, int8[1,8,4,4] v) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  a = Log(f)
  b = Abs(a)
  y = QuantizeLinear(b, s, z)
  c = Exp(f)
  d = Floor(c)
  v = QuantizeLinear(d, s, z) }"""


def test_float_layers_share_one_dequantize(tmp_path: Path) -> None:
    kinds = [epoch.op for epoch in on(ISLAND, tmp_path).epochs]
    assert sorted(kinds) == [
        "Abs",
        "DequantizeLinear",
        "Exp",
        "Floor",
        "Log",
        "QuantizeLinear",
        "QuantizeLinear",
    ]
    assert kinds[0] == "DequantizeLinear"


FALLBACK = """(int8[1,8,4,4] x) => (int8[1,8,4,4] y, int8[1,8,4,4] v, int8[1,8,4,4] u) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  a = Log(f)
  q = QuantizeLinear(a, s, z)
  g = DequantizeLinear(q, s, z)
  c = Sigmoid(g)
  y = QuantizeLinear(c, s, z)
  d = Tanh(g)
  v = QuantizeLinear(d, s, z)
  e = Floor(f)
  u = QuantizeLinear(e, s, z) }"""


def test_where_the_compiler_falls_back_each_step_has_its_own(tmp_path: Path) -> None:
    """Log and Floor are quantized all around: a DQ each, and a Q for each of Log's two readers."""
    kinds = [epoch.op for epoch in on(FALLBACK, tmp_path).epochs if epoch.placement is Placement.SW_FLOAT]
    assert sorted(kinds) == [*["DequantizeLinear"] * 2, "Floor", "Log", *["QuantizeLinear"] * 3]


SILU = """(int8[1,%d,32,32] x) => (int8[1,64,32,32] y)
<float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[4] ws = {64, %d, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  f = DequantizeLinear(x, s, z)
  g = DequantizeLinear(w, s, wz)
  c = Conv(f, g)
  cq = QuantizeLinear(c, s, z)
  cf = DequantizeLinear(cq, s, z)
  a = Sigmoid(cf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  m = Mul(cf, af)
  y = QuantizeLinear(m, s, z) }"""


OF_256_STEPS = (
    SILU.replace("aq = QuantizeLinear(a, s, z)", "aq = QuantizeLinear(a, t, low)")
    .replace("af = DequantizeLinear(aq, s, z)", "af = DequantizeLinear(aq, t, low)")
    .replace("int8 wz = {0},", "int8 wz = {0}, float t = {0.00390625}, int8 low = {-128},")
)
"""The Sigmoid as TFLite stores it; a calibrated scale is another."""


@pytest.mark.parametrize("toolchain", ["2.0", "2.1", "2.2"])
def test_chains_that_part_and_meet_take_two_epochs(tmp_path: Path, toolchain: str) -> None:
    snapshot = on(SILU % (16, 16), tmp_path, toolchain)
    assert [set(epoch.layers) for epoch in snapshot.epochs if epoch.layers] == [
        {"Conv_3", "Sigmoid_6"},
        {"Mul_9"},
    ]


@pytest.mark.parametrize("toolchain", ["2.1", "2.2", "3.0", "4.0"])
def test_x_sigmoid_x_of_256_steps_is_one_swish(tmp_path: Path, toolchain: str) -> None:
    """All 57 of yolov8n_256_pose (2.1) and of a YOLOv5s (2.2): Conv and Swish in one epoch; the Sigmoid is no step."""
    snapshot = on(OF_256_STEPS % (16, 16), tmp_path, toolchain)
    assert [set(epoch.layers) for epoch in snapshot.epochs if epoch.layers] == [{"Conv_3", "Mul_9"}]
    assert snapshot.by_name["Sigmoid_6"].placement is Placement.HW


def test_in_2_0_it_is_two_layers(tmp_path: Path) -> None:
    assert len([epoch for epoch in on(OF_256_STEPS % (16, 16), tmp_path, "2.0").epochs if epoch.layers]) == 2


@pytest.mark.parametrize("toolchain", ["2.2", "4.0"])
def test_of_other_scales_it_is_one_by_the_option(tmp_path: Path, toolchain: str) -> None:
    build = replace(target(toolchain).build, swish=True)
    snapshot = analyse(Session.open(from_text(HEAD + SILU % (16, 16), tmp_path), target_of(build)))
    assert [set(epoch.layers) for epoch in snapshot.epochs if epoch.layers] == [{"Conv_3", "Mul_9"}]


def test_in_4_0_they_meet_in_one(tmp_path: Path) -> None:
    """yolov11n_micro_224: its activations leave no room for both factors of its first products."""
    snapshot = on(SILU % (16, 16), tmp_path, "4.0")
    assert {"Conv_3", "Sigmoid_6", "Mul_9"} in [set(epoch.layers) for epoch in snapshot.epochs]


def test_unless_partial_sums_lie_in_memory(tmp_path: Path) -> None:
    snapshot = on(SILU % (256, 256), tmp_path, "2.0")
    tiling = snapshot.by_name["Conv_3"].cost
    assert tiling is not None and tiling.tiling is not None and tiling.tiling.iterations > 1
    assert {"Conv_3", "Sigmoid_6", "Mul_9"} in [set(epoch.layers) for epoch in snapshot.epochs]


POOLED = """(int8[1,3,64,64] x) => (int8[1,32,1,1] y%s)
<float s = {0.1}, int8 z = {0}, int8 wz = {0}, int64[4] ws = {32, 3, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  f = DequantizeLinear(x, s, z)
  g = DequantizeLinear(w, s, wz)
  c = Conv(f, g)
  q = QuantizeLinear(c, s, z)
  h = DequantizeLinear(q, s, z)
  p = GlobalAveragePool(h)
  y = QuantizeLinear(p, s, z)%s }"""


def test_up_to_2_2_a_convolution_writes_as_few_channels_as_its_pooling_takes(tmp_path: Path) -> None:
    """The board runs conv2d_1x1 in one epoch with 2.2 and in two with 4.0; it writes 16 channels at a time."""
    alone = POOLED % ("", "")
    read_twice = POOLED % (", int8[1,32,64,64] v", "\n  t = Sigmoid(h)\n  v = QuantizeLinear(t, s, z)")
    for text, toolchain, together in (
        (alone, "2.2", True),
        (alone, "4.0", False),
        (read_twice, "2.2", False),
    ):
        snapshot = on(text, tmp_path, toolchain)
        assert (snapshot.by_name["Conv_3"].epoch == snapshot.by_name["GlobalAveragePool_6"].epoch) is together


BRANCHES = """(int8[1,8,8,8] x) => (int8[1,8,8,8] y, int8[1,8,8,8] v) <float s = {0.1}, int8 z = {3}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  y = QuantizeLinear(a, s, z)
  b = Tanh(f)
  v = QuantizeLinear(b, s, z) }"""


def test_branches_share_an_epoch_while_units_last(tmp_path: Path) -> None:
    assert [epoch.layers for epoch in on(BRANCHES, tmp_path).epochs] == [("Tanh_3", "Sigmoid_1")]


JOIN = """(int8[1,8,8,8] x, int8[1,8,8,8] u) => (int8[1,16,8,8] y) <float s = {0.1}, int8 z = {3}, float t = {0.2}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  g = DequantizeLinear(u, t, z)
  c = Concat <axis = 1> (af, g)
  y = QuantizeLinear(c, s, z) }"""


def test_a_concat_rescales_first_and_counts_up_to_2_2(tmp_path: Path) -> None:
    old, new = on(JOIN, tmp_path), on(JOIN, tmp_path, "4.0")
    assert [epoch.layers for epoch in old.epochs] == [("Sigmoid_1",), ("Concat_5",)]
    assert [epoch.layers for epoch in new.epochs] == [("Sigmoid_1",)]
    assert inside(old.epochs[0]) == inside(new.epochs[0]) == ["Add"]


def test_a_layer_without_a_price_is_scheduled_all_the_same(tmp_path: Path) -> None:
    session = Session.open(from_text(HEAD + SILU % (16, 16), tmp_path), target("4.0"))
    placed = [Placed(layer, Placement.HW, None) for layer in session.layers.layers]
    assert {name for e in schedule(placed, session.layers) for name in e.layers} >= {
        "Conv_3",
        "Sigmoid_6",
        "Mul_9",
    }


MEETING = """(int8[1,24,16,16] x) => (int8[1,24,16,16] y)
<float s = {0.1}, int8 z = {0}, int8 wz = {0}, int64[4] ds = {24, 1, 3, 3}, int64[4] ps = {24, %d, %d, %d}>
{ d = ConstantOfShape <value: tensor = int8[1] {1}> (ds)
  p = ConstantOfShape <value: tensor = int8[1] {1}> (ps)
  f = DequantizeLinear(x, s, z)
  g = DequantizeLinear(d, s, wz)
  h = DequantizeLinear(p, s, wz)
  a = Conv <group = 24, pads = [1, 1, 1, 1]> (f, g)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b = Conv <group = %d, pads = [%d, %d, %d, %d]> (f, h)
  bq = QuantizeLinear(b, s, z)
  bf = DequantizeLinear(bq, s, z)
  m = Add(af, bf)
  y = QuantizeLinear(m, s, z) }"""


def test_what_is_written_in_other_batches_comes_from_memory(tmp_path: Path) -> None:
    """Add_15 of blazeface_128: one operand is written 8 channels at a time, the other 24."""
    alike = on(MEETING % (1, 3, 3, 24, 1, 1, 1, 1), tmp_path, "4.0")
    apart = on(MEETING % (24, 1, 1, 1, 0, 0, 0, 0), tmp_path, "4.0")
    assert [len(epoch.layers) for epoch in alike.epochs] == [0, 3]
    assert [len(epoch.layers) for epoch in apart.epochs] == [0, 2, 1]


PARTS = """(int8[1,8,8,8] x) => (int8[1,4,8,8] y, int8[1,4,8,8] v) <float s = {0.1}, int8 z = {3}, int64[2] p = {4, 4}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b, c = Split <axis = 1> (af, p)
  d = Tanh(b)
  y = QuantizeLinear(d, s, z)
  e = Sin(c)
  v = QuantizeLinear(e, s, z) }"""


def test_a_split_on_channels_is_copied_to_planes_and_parted(tmp_path: Path) -> None:
    """yolov8_face, 2.2: Identity, Split; in 4.0 one copy is all that is seen."""
    snapshot = on(PARTS, tmp_path)
    assert [epoch.layers for epoch in snapshot.epochs] == [
        ("Sigmoid_1",),
        (),
        ("Split_4",),
        ("Tanh_5", "Sin_7"),
    ]
    assert [epoch.op for epoch in snapshot.epochs[1:3]] == ["Identity", "Split"]
    later = on(PARTS, tmp_path, "4.0")
    assert [epoch.layers for epoch in later.epochs] == [("Sigmoid_1",), (), ("Tanh_5", "Sin_7")]


SPLIT_BLOCK = """(int8[1,16,32,32] x) => (int8[1,%d,32,32] y) <float s = {0.1}, int8 z = {3}, int8 wz = {0},
int64[2] p = {8, 8}, int64[4] ws = {8, 8, 3, 3}, int64 one = {1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  g = DequantizeLinear(w, s, wz)
  f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b, c = Split <axis = 1> (af, p)
  d = Conv <pads = [1, 1, 1, 1]> (c, g)
  dq = QuantizeLinear(d, s, z)
  df = DequantizeLinear(dq, s, z)
  %s
  y = QuantizeLinear(k, s, z) }"""


@pytest.mark.parametrize(
    ("channels", "rest", "copies"),
    [
        # the sum takes the layout of the part that it reads: all three come in planes
        (24, "e = Add(df, c) eq = QuantizeLinear(e, s, z) ef = DequantizeLinear(eq, s, z) k = Concat <axis = 1> (b, c, ef)", 2),
        # the Conv's result has its channels side by side: the part beside it is copied as the Conv's was
        (16, "k = Concat <axis = 1> (b, df)", 3),
    ],
)  # fmt: skip
def test_a_concat_takes_planes_where_all_its_parts_do(
    tmp_path: Path, channels: int, rest: str, copies: int
) -> None:
    """yolov8_face: blocks with one and with more bottlenecks."""
    snapshot = on(SPLIT_BLOCK % (channels, rest), tmp_path)
    copied = sum(
        (epoch.op == "Identity") + sum(step.kind == "Identity" for step in epoch.inserted[1:])
        for epoch in snapshot.epochs
        if epoch.op == "Identity"
    )
    assert copied - (snapshot.epochs[0].op == "Identity") == copies


SOFTWARE = """(int8[1,257,1,4] x) => (int8[1,257,1,4] y)
<float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[4] ws = {257, 257, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  f = DequantizeLinear(x, s, z)
  g = DequantizeLinear(w, s, wz)
  c = Conv(f, g)
  q = QuantizeLinear(c, s, z)
  h = DequantizeLinear(q, s, z)
  d = Conv(h, g)
  y = QuantizeLinear(d, s, z) }"""


def test_software_reads_what_software_wrote_without_a_copy(tmp_path: Path) -> None:
    assert ops(on(SOFTWARE, tmp_path)) == ["hw Identity", "sw_int Conv", "sw_int Conv"]
