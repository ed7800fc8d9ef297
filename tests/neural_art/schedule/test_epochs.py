"""The sequence of epochs: what each kind of layer becomes, and which steps share an epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.agreement import epochs_and_layers_agree
from builders.one_operator import Act, Const, ints, weights
from builders.scheduled import MAP, inside, of, on, ops

from npuscope.neural_art.lowering.lower import as_imported
from npuscope.neural_art.schedule.epochs import Placed, lowered_name
from npuscope.npu.verdict import Placement


def test_a_convolution_brings_its_scale_and_bias(tmp_path: Path) -> None:
    old = of("Conv", MAP, weights(8, 16, 1, 1), folder=tmp_path, toolchain="2.2")
    new = of("Conv", MAP, weights(8, 16, 1, 1), folder=tmp_path, toolchain="3.0")
    assert ops(old) == ops(new) == ["hw Identity", "hw Conv"]
    assert inside(old.epochs[-1]) == ["Mul", "Add"]
    assert inside(new.epochs[-1]) == ["Add"]


def test_an_input_of_one_channel_is_not_copied(tmp_path: Path) -> None:
    assert ops(of("Conv", Act((1, 1, 8, 8)), weights(8, 1, 3, 3), folder=tmp_path)) == ["hw Conv"]


def test_a_zero_point_of_minus_128_takes_a_step_before(tmp_path: Path) -> None:
    snapshot = of("Conv", Act((1, 16, 8, 8), zero=-128), weights(8, 16, 1, 1), folder=tmp_path)
    assert [kind for epoch in snapshot.epochs for kind in inside(epoch)].count("Sub") == 1


def test_a_dilated_convolution_stands_between_two_rearrangements(tmp_path: Path) -> None:
    snapshot = of(
        "Conv", MAP, weights(16, 1, 3, 3), dilations=[2, 2], group=16, folder=tmp_path, toolchain="4.0"
    )
    assert ops(snapshot)[-4:] == ["hybrid SpaceToDepth", "hw Conv", "hybrid DepthToSpace", "hw Add"]


def test_sub_masks_run_four_at_a_time(tmp_path: Path) -> None:
    snapshot = of("Conv", Act((1, 1, 32, 32)), weights(8, 1, 7, 7), folder=tmp_path, toolchain="4.0")
    convs = [epoch for epoch in snapshot.epochs if epoch.op == "Conv"]
    assert len(convs) == 2 and all(
        epoch.layers == ("N",) for epoch in convs
    )  # four and two; their sum is an Add


def test_columns_of_a_depthwise_kernel_run_in_float(tmp_path: Path) -> None:
    snapshot = of("Conv", MAP, weights(16, 1, 7, 7), group=16, pads=[3] * 4, folder=tmp_path)
    off = [epoch.op for epoch in snapshot.epochs if epoch.placement is Placement.SW_FLOAT]
    assert off == ["DequantizeLinear", "Conv", "Cast"] * 3


def test_a_matrix_of_several_rows_is_turned_first(tmp_path: Path) -> None:
    assert ops(of("Gemm", Act((1, 16)), weights(16, 8), folder=tmp_path)) == ["hw Reshape", "hw Conv"]
    assert ops(of("Gemm", Act((4, 16)), weights(16, 8), folder=tmp_path)) == [
        "hw Identity",
        "hw Identity",
        "hw Conv",
    ]


def test_a_turned_matrix_is_not_copied_into_batches_too(tmp_path: Path) -> None:
    """Gemm_77 of transformer_128 (2.2, -O3): four accumulation iterations in 16x8, and the two copies of its turn."""
    snapshot = of("Gemm", Act((30, 128), zero=5), weights(128, 128), folder=tmp_path)
    cost = snapshot.by_name["N"].cost
    assert cost is not None and cost.tiling is not None
    assert (cost.tiling.simd, cost.tiling.iterations) == ("16x8", 4)
    assert ops(snapshot) == ["hw Identity", "hw Identity", "hw Conv"]


def test_rows_are_as_long_as_without_a_pad_that_is_taken_along(tmp_path: Path) -> None:
    """Conv2D_140 of ssd_mobilenet_v1_256 (2.1): a 4x4 map padded to 6x6 is copied, its rows of 8 channels are short."""
    for side, copies in ((4, 2), (6, 1)):
        text = PADDED % (side, side, side, side)
        assert ops(on(text, tmp_path, "2.1")).count("hw Identity") == copies, side


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_product_of_activations_is_one_software_convolution_a_head(heads: int, tmp_path: Path) -> None:
    snapshot = of("MatMul", Act((1, heads, 4, 16)), Act((1, heads, 16, 4)), folder=tmp_path)
    software = [epoch for epoch in snapshot.epochs if epoch.placement is Placement.SW_INT]
    assert [epoch.op for epoch in software] == ["Conv"] * heads
    assert all(epoch.layers == ("N",) for epoch in software)


def test_a_transposed_convolution_spreads_its_input(tmp_path: Path) -> None:
    snapshot = of("ConvTranspose", MAP, weights(16, 8, 2, 2), strides=[2, 2], folder=tmp_path)
    assert ops(snapshot)[:2] == ["hybrid Concat", "hybrid DepthToSpace"] and ops(snapshot)[-1] == "hw Conv"


def test_nearest_by_two_is_copies_and_depth_to_space(tmp_path: Path) -> None:
    scales = Const(np.array([1, 1, 2, 2], np.float32))
    options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    snapshot = of("Resize", MAP, None, scales, folder=tmp_path, **options)
    assert ops(snapshot) == ["hw Concat", "hybrid DepthToSpace"]
    assert lowered_name(snapshot.by_name["N"].layer) == "DepthToSpace"
    assert ops(of("Resize", MAP, None, scales, folder=tmp_path, mode="linear")) == ["sw_int Resize"]


def test_padded_channels_stand_behind_a_routine(tmp_path: Path) -> None:
    snapshot = of("Pad", MAP, ints(0, 4, 0, 0, 0, 0, 0, 0), folder=tmp_path)
    assert ops(snapshot) == ["hybrid Transpose", "hw Conv"]


@pytest.mark.parametrize(("zeros", "steps"), [((0, 0), 1), ((3, 0), 2), ((3, 5), 3)])
def test_a_product_corrects_for_zero_points(zeros: tuple[int, int], steps: int, tmp_path: Path) -> None:
    one, other = (Act((1, 16, 8, 8), zero=zero) for zero in zeros)
    snapshot = of("Mul", one, other, folder=tmp_path, toolchain="4.0")
    assert 1 + sum(len(inside(epoch)) for epoch in snapshot.epochs) == steps


@pytest.mark.parametrize(
    ("toolchain", "shape", "steps"),
    [
        ("2.0", (1, 16, 8, 8), [2, 1]),
        ("3.0", (1, 16, 8, 8), [2, 1]),
        ("4.0", (1, 16, 8, 8), [1, 2]),  # LarocheC/eco8-neaixt
        ("2.0", (1, 16, 1, 1), [3]),
    ],
)
def test_corrections_of_two_maps_wait(
    toolchain: str, shape: tuple[int, ...], steps: list[int], tmp_path: Path
) -> None:
    """The second; from 4.0 on both, but not where there is one."""
    one, other = Act(shape, zero=3), Act(shape, zero=5)
    snapshot = of("Mul", one, other, folder=tmp_path, toolchain=toolchain)
    assert [(epoch.op == "Mul") + len(inside(epoch)) for epoch in snapshot.epochs] == steps
    assert ops(of("Mul", one, Act(shape, zero=0), folder=tmp_path, toolchain=toolchain)) == ["hw Mul"]
    by_vector = of("Mul", Act((1, 16, 8, 8), zero=3), Act((1, 16, 1, 1), zero=5), folder=tmp_path)
    assert ops(by_vector) == ["hw Mul"]


def test_a_pooling_rescales_where_scales_differ(tmp_path: Path) -> None:
    options = {"kernel_shape": [2, 2], "strides": [2, 2]}
    same = of("MaxPool", MAP, folder=tmp_path, **options)
    other = of("MaxPool", MAP, folder=tmp_path, out_scale=0.2, **options)
    assert [inside(e) for e in same.epochs] == [[]] and [inside(e) for e in other.epochs] == [["Add"]]


@pytest.mark.parametrize(("toolchain", "epochs"), [("2.2", ["hw Reshape"]), ("3.0", [])])
def test_a_view_of_an_input_is_an_epoch_that_moves_nothing(
    toolchain: str, epochs: list[str], tmp_path: Path
) -> None:
    """Transpose_1 of seven networks is the first of the epochs that 2.1 and 2.2 count; 3.0 and 4.0 leave it out."""
    snapshot = of("Reshape", MAP, ints(1, 1024), folder=tmp_path, toolchain=toolchain)
    assert ops(snapshot) == epochs
    assert not any(epoch.moves or epoch.cycles for epoch in snapshot.epochs)


def test_views_behind_software_are_one_step_and_behind_a_unit_none(tmp_path: Path) -> None:
    """Reshape_1202 of yolov8_face behind a hybrid Slice; those behind a convolution join its epoch."""
    for op, epochs in (("Softmax", ["sw_int Softmax", "hw Reshape"]), ("Sigmoid", ["hw Sigmoid"])):
        snapshot = on(VIEWED % op, tmp_path, "2.2")
        assert ops(snapshot) == epochs


VIEWED = """(int8[1,16,8,8] x) => (int8[1,8,128] y)
<float s = {0.1}, int8 z = {0}, int64[2] a = {1, 1024}, int64[3] b = {1, 8, 128}>
{ e = DequantizeLinear(x, s, z)
  f = %s(e)
  g = QuantizeLinear(f, s, z)
  h = DequantizeLinear(g, s, z)
  i = Reshape(h, a)
  j = QuantizeLinear(i, s, z)
  k = DequantizeLinear(j, s, z)
  l = Reshape(k, b)
  y = QuantizeLinear(l, s, z) }"""
PADDED = """(int8[1,16,%d,%d] x) => (int8[1,16,%d,%d] y)
<float s = {0.1}, int8 z = {0}, int8 wz = {0}, int64[4] ws = {16, 1, 3, 3}, int64[4] us = {16, 16, 1, 1},
 int64[8] amounts = {0, 0, 1, 1, 0, 0, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  u = ConstantOfShape <value: tensor = int8[1] {1}> (us)
  e = DequantizeLinear(x, s, z)
  g = DequantizeLinear(u, s, wz)
  a = Conv(e, g)
  aq = QuantizeLinear(a, s, z)
  f = DequantizeLinear(aq, s, z)
  b = Pad(f, amounts)
  p = QuantizeLinear(b, s, z)
  q = DequantizeLinear(p, s, z)
  h = DequantizeLinear(w, s, wz)
  c = Conv <group = 16> (q, h)
  y = QuantizeLinear(c, s, z) }"""


SPP = """(int8[1,16,20,20] x) => (int8[1,64,20,20] y) <float s = {0.1}, int8 z = {3}>
{ f = DequantizeLinear(x, s, z)
  g = Sigmoid(f)
  gq = QuantizeLinear(g, s, z)
  gf = DequantizeLinear(gq, s, z)
  a = MaxPool <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (gf)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b = MaxPool <kernel_shape = [%d, %d], pads = [%d, %d, %d, %d]> (%s)
  bq = QuantizeLinear(b, s, z)
  bf = DequantizeLinear(bq, s, z)
  c = Concat <axis = 1> (gf, gf, af, bf)
  y = QuantizeLinear(c, s, z) }"""


@pytest.mark.parametrize(
    ("window", "source", "expected"),
    [
        # yolov8_face: each pooling of 5x5 is an epoch, the second reads the planes of the first
        (5, "af", [["Conv", "MaxPool"], ["Conv", "MaxPool"]]),
        # st_yolo_x_480: poolings of 5x5 and 9x9 read one copy; two POOL units do two stages an epoch
        (9, "gf", [["Conv", "MaxPool", "MaxPool", "Conv"], ["MaxPool"], ["MaxPool"]]),
    ],
)
def test_large_poolings_are_stages_of_three(
    tmp_path: Path, window: int, source: str, expected: list[list[str]]
) -> None:
    snapshot = on(SPP % (window, window, *(window // 2,) * 4, source), tmp_path)
    pooled = [
        [kind for kind in inside(epoch) if kind in ("Conv", "MaxPool")]
        for epoch in snapshot.epochs
        if "MaxPool" in inside(epoch) or any(name.startswith("MaxPool") for name in epoch.layers)
    ]
    assert pooled == expected
    copies = [epoch for epoch in snapshot.epochs if epoch.op == "Identity"]
    assert all(epoch.compute_cycles == 0 for epoch in copies)


SLOPES = """(int8[1,8,16,16] x) => (int8[1,8,16,16] y) <float s = {0.1}, int8 z = {%d}, int8 nil = {0}, int64[3] ps = {8, 1, 1}>
{ k = ConstantOfShape <value: tensor = int8[1] {2}> (ps)
  kf = DequantizeLinear(k, s, nil)
  f = DequantizeLinear(x, s, z)
  p = PRelu(f, kf)
  y = QuantizeLinear(p, s, z) }"""


@pytest.mark.parametrize(("zero_point", "corrections"), [(3, ["Add"]), (0, [])])
def test_a_prelu_is_taken_apart(tmp_path: Path, zero_point: int, corrections: list[str]) -> None:
    """face_landmark_192: Relu, Clip, Mul, a correction where x has a zero point, and the Add that ends it."""
    snapshot = on(SLOPES % zero_point, tmp_path)
    steps = [kind for epoch in snapshot.epochs for kind in inside(epoch)]
    assert sorted(steps) == sorted(["Relu", "Clip", "Mul", *corrections])
    assert [name for epoch in snapshot.epochs for name in epoch.layers] == [snapshot.layers[0].name]


ROWS = """(int8[1,16,32] x) => (int8[1,8,32] y) <float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[3] ws = {8, 16, %d}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  g = DequantizeLinear(w, s, wz)
  f = DequantizeLinear(x, s, z)
  c = Conv <pads = [%d, %d]> (f, g)
  y = QuantizeLinear(c, s, z) }"""


def test_a_conv1d_at_the_end_is_put_in_rows(tmp_path: Path) -> None:
    """tcn_calculator, 4.0: an epoch more, which writes a byte at a time."""
    snapshot = on(ROWS % (3, 1, 1), tmp_path, "4.0")
    last = snapshot.epochs[-1]
    assert (last.op, inside(last), last.compute_cycles) == ("Reshape", ["Reshape"], 0)
    assert snapshot.epochs[-2].layers == ("Conv_3",)


FORKED = """(int8[1,8,8,8] x) => (int8[1,8,8,8] y) <float s = {0.1}, int8 z = {0}>
{ e = DequantizeLinear(x, s, z)
  a = Sigmoid(e)
  aq = QuantizeLinear(a, s, z)
  af = DequantizeLinear(aq, s, z)
  b = Tanh(af)
  bq = QuantizeLinear(b, s, z)
  bf = DequantizeLinear(bq, s, z)
  c = Sqrt(e)
  cq = QuantizeLinear(c, s, z)
  cf = DequantizeLinear(cq, s, z)
  d = Exp(cf)
  dq = QuantizeLinear(d, s, z)
  df = DequantizeLinear(dq, s, z)
  r = Add(bf, df)
  y = QuantizeLinear(r, s, z) }"""


def test_the_front_end_numbers_what_was_made_ready_last_first(tmp_path: Path) -> None:
    """yolov8_face: of what reads a convolution, the Mul behind the Sigmoid in the file is numbered before it."""
    snapshot = on(FORKED, tmp_path, "2.2")
    placed = [Placed(report.layer, report.placement, report.cost) for report in snapshot.layers]
    assert [item.layer.kind for item in as_imported(placed)] == ["Sqrt", "Exp", "Sigmoid", "Tanh", "Add"]


def test_a_sigmoid_that_is_an_output_stays_beside_its_swish(tmp_path: Path) -> None:
    """x * Sigmoid(x) is one Swish in 2.1; not where the int8 Sigmoid is a result of the network as well."""
    body = """(int8[1,16,8,8] x) => ({outputs})
    <float s = {{0.1}}, int8 z = {{0}}, float t = {{0.00390625}}, int8 low = {{-128}}>
    {{ a = DequantizeLinear(x, s, z)
      b = Relu(a)
      bq = QuantizeLinear(b, s, z)
      c = DequantizeLinear(bq, s, z)
      d = Sigmoid(c)
      gate = QuantizeLinear(d, t, low)
      e = DequantizeLinear(gate, t, low)
      f = Mul(c, e)
      y = QuantizeLinear(f, s, z) }}"""
    alone = on(body.format(outputs="int8[1,16,8,8] y"), tmp_path, "2.1")
    both = on(body.format(outputs="int8[1,16,8,8] y, int8[1,16,8,8] gate"), tmp_path, "2.1")
    for snapshot, run in ((alone, 0), (both, 1)):
        assert sum(name.startswith("Sigmoid") for epoch in snapshot.epochs for name in epoch.layers) == run


MIXED = """(int8[1,16,4,4] x) => (%s) <float s = {0.1}, int8 z = {0}, int64[2] k = {8, 8}>
{ f = DequantizeLinear(x, s, z)
  g = Sigmoid(f)%s
  a, b = Split <axis = 1> (h, k)
  bq = QuantizeLinear(b, s, z)
  bf = DequantizeLinear(bq, s, z)
  c = Relu(bf)
  y = QuantizeLinear(c, s, z) }"""
"""One part of the Split stays float, the other is quantized."""


@pytest.mark.parametrize("toolchain", ["2.0", "4.0"])
@pytest.mark.parametrize(
    ("between", "changed"),
    [
        ("h = Softmax <axis = 1> (g)", "QuantizeLinear"),
        ("gq = QuantizeLinear(g, s, z)\n h = DequantizeLinear(gq, s, z)", "DequantizeLinear"),
    ],
)
def test_parts_of_two_types_are_changed_behind_the_split(
    between: str, changed: str, toolchain: str, tmp_path: Path
) -> None:
    text = MIXED % ("float[1,8,4,4] a, int8[1,8,4,4] y", f"\n  {between}")
    snapshot = on(text, tmp_path, toolchain)
    split = next(report for report in snapshot.layers if report.layer.kind == "Split")
    brought = [
        e.op for e in snapshot.epochs if any(i.layer == split.name for i in e.inserted if i.kind == e.op)
    ]
    assert [op for op in brought if "Linear" in op] == [changed]
    assert "N602" in [finding.code for finding in split.findings]
    epochs_and_layers_agree(snapshot)
