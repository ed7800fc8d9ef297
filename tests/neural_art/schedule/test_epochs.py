"""The sequence of epochs: what each kind of layer becomes, and which steps share an epoch."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.models import from_text
from builders.one_operator import Act, Const, ints, model, snapshot, weights

from npuscope.machine.machine import target
from npuscope.neural_art.lowering.steps import Read, Step
from npuscope.neural_art.schedule.epochs import Placed, lowered_name, schedule
from npuscope.neural_art.schedule.orders import orders
from npuscope.neural_art.schedule.scheduler import StepGraph, pack, pack_in_order
from npuscope.npu.cost import Epoch
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

HEAD = '<ir_version: 8, opset_import: ["" : 13]>\ng '
UNITS = target().units
MAP = Act((1, 16, 8, 8))


def on(body: str, folder: Path, toolchain: str = "2.2") -> Snapshot:
    return analyse(Session.open(from_text(HEAD + body, folder), target(toolchain)))


def ops(found: Snapshot) -> list[str]:
    """Placement and operator of each epoch."""
    return [f"{epoch.placement.value} {epoch.op}" for epoch in found.epochs]


def inside(epoch: Epoch) -> list[str]:
    return [inserted.kind for inserted in epoch.inserted]


def of(op: str, *inputs: Any, folder: Path, toolchain: str = "2.2", **options: Any) -> Snapshot:
    return snapshot(model(op, *inputs, **options), folder, toolchain)


# -- one layer ---------------------------------------------------------------------------------------------------


def test_a_convolution_brings_its_scale_and_bias(tmp_path: Path) -> None:
    old = of("Conv", MAP, weights(8, 16, 1, 1), folder=tmp_path, toolchain="2.2")
    new = of("Conv", MAP, weights(8, 16, 1, 1), folder=tmp_path, toolchain="3.0")
    assert ops(old) == ops(new) == ["hw Identity", "hw Conv"]
    assert inside(old.epochs[-1]) == ["Mul", "Add"]
    assert inside(new.epochs[-1]) == ["Add"]


def test_an_input_of_one_channel_is_not_copied(tmp_path: Path) -> None:
    assert ops(of("Conv", Act((1, 1, 8, 8)), weights(8, 1, 3, 3), folder=tmp_path)) == ["hw Conv"]


def test_a_zero_point_of_minus_128_takes_a_step_before(tmp_path: Path) -> None:
    found = of("Conv", Act((1, 16, 8, 8), zero=-128), weights(8, 16, 1, 1), folder=tmp_path)
    assert [kind for epoch in found.epochs for kind in inside(epoch)].count("Sub") == 1


def test_a_dilated_convolution_stands_between_two_rearrangements(tmp_path: Path) -> None:
    found = of("Conv", MAP, weights(8, 16, 3, 3), dilations=[2, 2], folder=tmp_path, toolchain="4.0")
    assert ops(found)[-4:] == ["hybrid SpaceToDepth", "hw Conv", "hybrid DepthToSpace", "hw Add"]


def test_sub_masks_run_two_at_a_time(tmp_path: Path) -> None:
    found = of("Conv", Act((1, 1, 32, 32)), weights(8, 1, 7, 7), folder=tmp_path, toolchain="4.0")
    convs = [epoch for epoch in found.epochs if epoch.op == "Conv"]
    assert len(convs) == 3 and all(epoch.layers == ("N",) for epoch in convs)


def test_columns_of_a_depthwise_kernel_run_in_float(tmp_path: Path) -> None:
    found = of("Conv", MAP, weights(16, 1, 7, 7), group=16, pads=[3] * 4, folder=tmp_path)
    off = [epoch.op for epoch in found.epochs if epoch.placement is Placement.SW_FLOAT]
    assert off == ["DequantizeLinear", "Conv", "Cast"] * 3


def test_a_matrix_of_several_rows_is_turned_first(tmp_path: Path) -> None:
    assert ops(of("Gemm", Act((1, 16)), weights(16, 8), folder=tmp_path)) == ["hw Conv"]
    assert ops(of("Gemm", Act((4, 16)), weights(16, 8), folder=tmp_path)) == [
        "hw Identity",
        "hw Identity",
        "hw Conv",
    ]


def test_a_turned_matrix_is_not_copied_into_batches_too(tmp_path: Path) -> None:
    """Gemm_77 of transformer_128 (2.2, -O3): four accumulation iterations in 16x8, and the two copies of its turn."""
    found = of("Gemm", Act((30, 128), zero=5), weights(128, 128), folder=tmp_path)
    cost = found.by_name["N"].cost
    assert cost is not None and cost.tiling is not None
    assert (cost.tiling.simd, cost.tiling.iterations) == ("16x8", 4)
    assert ops(found) == ["hw Identity", "hw Identity", "hw Conv"]


def test_rows_are_as_long_as_without_a_pad_that_is_taken_along(tmp_path: Path) -> None:
    """Conv2D_140 of ssd_mobilenet_v1_256 (2.1): a 4x4 map padded to 6x6 is copied, its rows of 8 channels are short."""
    for side, copies in ((4, 2), (6, 1)):
        text = PADDED % (side, side, 2 + side, 2 + side, side, side)
        assert ops(on(text, tmp_path, "2.1")).count("hw Identity") == copies, side


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_a_product_of_activations_is_one_software_convolution_a_head(heads: int, tmp_path: Path) -> None:
    found = of("MatMul", Act((1, heads, 4, 16)), Act((1, heads, 16, 4)), folder=tmp_path)
    software = [epoch for epoch in found.epochs if epoch.placement is Placement.SW_INT]
    assert [epoch.op for epoch in software] == ["Conv"] * heads
    assert all(epoch.layers == ("N",) for epoch in software)


def test_a_transposed_convolution_spreads_its_input(tmp_path: Path) -> None:
    found = of("ConvTranspose", MAP, weights(16, 8, 2, 2), strides=[2, 2], folder=tmp_path)
    assert ops(found)[:2] == ["hybrid Concat", "hybrid DepthToSpace"] and ops(found)[-1] == "hw Conv"


def test_nearest_by_two_is_copies_and_depth_to_space(tmp_path: Path) -> None:
    scales = Const(np.array([1, 1, 2, 2], np.float32))
    options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    found = of("Resize", MAP, None, scales, folder=tmp_path, **options)
    assert ops(found) == ["hw Concat", "hybrid DepthToSpace"]
    assert lowered_name(found.by_name["N"].layer) == "DepthToSpace"
    assert ops(of("Resize", MAP, None, scales, folder=tmp_path, mode="linear")) == ["sw_int Resize"]


def test_padded_channels_stand_behind_a_routine(tmp_path: Path) -> None:
    found = of("Pad", MAP, ints(0, 4, 0, 0, 0, 0, 0, 0), folder=tmp_path)
    assert ops(found) == ["hybrid Transpose", "hw Conv"]


@pytest.mark.parametrize(("zeros", "steps"), [((0, 0), 1), ((3, 0), 2), ((3, 5), 3)])
def test_a_product_corrects_for_zero_points(zeros: tuple[int, int], steps: int, tmp_path: Path) -> None:
    one, other = (Act((1, 16, 8, 8), zero=zero) for zero in zeros)
    found = of("Mul", one, other, folder=tmp_path)
    assert ops(found) == ["hw Mul"] and len(inside(found.epochs[0])) == steps - 1


def test_a_pooling_rescales_where_scales_differ(tmp_path: Path) -> None:
    options = {"kernel_shape": [2, 2], "strides": [2, 2]}
    same = of("MaxPool", MAP, folder=tmp_path, **options)
    other = of("MaxPool", MAP, folder=tmp_path, out_scale=0.2, **options)
    assert [inside(e) for e in same.epochs] == [[]] and [inside(e) for e in other.epochs] == [["Add"]]


def test_views_take_no_epoch(tmp_path: Path) -> None:
    assert of("Reshape", MAP, ints(1, 1024), folder=tmp_path).epochs == ()


PADDED = """(int8[1,16,%d,%d] x) => (int8[1,16,%d,%d] p, int8[1,16,%d,%d] y)
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


# -- several layers ----------------------------------------------------------------------------------------------

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


def test_chains_that_part_and_meet_take_two_epochs(tmp_path: Path) -> None:
    found = on(SILU % (16, 16), tmp_path)
    assert [set(epoch.layers) for epoch in found.epochs if epoch.layers] == [
        {"Conv_3", "Sigmoid_6"},
        {"Mul_9"},
    ]


def test_in_4_0_they_meet_in_one(tmp_path: Path) -> None:
    """yolov11n_micro_224: its activations leave no room for both factors of its first products."""
    found = on(SILU % (16, 16), tmp_path, "4.0")
    assert {"Conv_3", "Sigmoid_6", "Mul_9"} in [set(epoch.layers) for epoch in found.epochs]


def test_unless_partial_sums_lie_in_memory(tmp_path: Path) -> None:
    found = on(SILU % (256, 256), tmp_path)
    tiling = found.by_name["Conv_3"].cost
    assert tiling is not None and tiling.tiling is not None and tiling.tiling.iterations > 1
    assert {"Conv_3", "Sigmoid_6", "Mul_9"} in [set(epoch.layers) for epoch in found.epochs]


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
        found = on(text, tmp_path, toolchain)
        assert (found.by_name["Conv_3"].epoch == found.by_name["GlobalAveragePool_6"].epoch) is together


BRANCHES = """(int8[1,8,8,8] x) => (int8[1,8,8,8] y, int8[1,8,8,8] v) <float s = {0.1}, int8 z = {3}>
{ f = DequantizeLinear(x, s, z)
  a = Sigmoid(f)
  y = QuantizeLinear(a, s, z)
  b = Tanh(f)
  v = QuantizeLinear(b, s, z) }"""


def test_branches_share_an_epoch_while_units_last(tmp_path: Path) -> None:
    assert [epoch.layers for epoch in on(BRANCHES, tmp_path).epochs] == [("Sigmoid_1", "Tanh_3")]


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
    found = on(PARTS, tmp_path)
    assert [epoch.layers for epoch in found.epochs] == [("Sigmoid_1",), (), ("Split_4",), ("Sin_7", "Tanh_5")]
    assert [epoch.op for epoch in found.epochs[1:3]] == ["Identity", "Split"]
    later = on(PARTS, tmp_path, "4.0")
    assert [epoch.layers for epoch in later.epochs] == [("Sigmoid_1",), (), ("Sin_7", "Tanh_5")]


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
    found = on(SPLIT_BLOCK % (channels, rest), tmp_path)
    copied = sum(
        (epoch.op == "Identity") + sum(step.kind == "Identity" for step in epoch.inserted[1:])
        for epoch in found.epochs
        if epoch.op == "Identity"
    )
    assert copied - (found.epochs[0].op == "Identity") == copies


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


# -- the scheduler -----------------------------------------------------------------------------------------------


def step(reads: tuple[str, ...], writes: str, placement: Placement = Placement.HW, **units: Any) -> Step:
    return Step("Step", writes, placement, tuple(Read(name) for name in reads), (writes,), lead=True, **units)


def drawn(rng: random.Random, count: int, reach: int = 60) -> list[Step]:
    """Steps of every kind that read what one of so many before them wrote."""
    found: list[Step] = []
    for i in range(count):
        reads = tuple(f"t{rng.randrange(max(-1, i - reach), i)}" for _ in range(rng.randint(1, 3)))
        kind = rng.choice(["conv", "arith", "activ", "pool", "copy", "view", "free", "software", "hybrid"])
        found.append(
            Step(
                kind,
                f"t{i}",
                {"software": Placement.SW_INT, "hybrid": Placement.HYBRID}.get(kind, Placement.HW),
                tuple(Read(name, rng.random() < 0.7, rng.randint(0, 4)) for name in reads),
                (f"t{i}",),
                conv=rng.randint(1, 4) if kind == "conv" else 0,
                arith=kind == "arith",
                activ=kind == "activ",
                pool=kind == "pool",
                copy=kind == "copy",
                free=kind == "free",
                portioned=rng.random() < 0.2,
            )
        )
    return found


@pytest.mark.parametrize("seed", range(25))
def test_every_step_runs_once_after_what_it_reads(seed: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 60))
    epochs = pack(steps, UNITS)
    taken = [i for epoch in epochs for i in epoch]
    assert sorted(taken) == [i for i, s in enumerate(steps) if not s.free]
    at = {f"t{i}": k for k, epoch in enumerate(epochs) for i in epoch}
    for k, epoch in enumerate(epochs):
        held = [steps[i] for i in epoch]
        assert sum(s.conv for s in held) <= UNITS.conv and sum(s.arith for s in held) <= UNITS.arithmetic
        assert sum(s.activ for s in held) <= UNITS.activation and sum(s.pool for s in held) <= UNITS.pool
        assert len(held) == 1 or all(s.on_npu for s in held)
        for s in held:
            for read in s.reads:
                if read.tensor in at:
                    limit = k if read.chained and s.on_npu and not s.copy else k - 1
                    assert at[read.tensor] <= limit, (s, read)


@pytest.mark.parametrize("seed", range(25))
def test_every_order_lists_each_step_once_behind_what_it_reads(seed: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 60))
    found = list(orders(StepGraph(steps), dict))
    assert len({tuple(order) for order in found}) == len(found)
    for order in found:
        assert sorted(order) == list(range(len(steps)))
        place = {f"t{i}": k for k, i in enumerate(order)}
        assert all(place.get(r.tensor, -1) < place[f"t{i}"] for i in order for r in steps[i].reads)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("reach", [3, 60])
def test_numbering_steps_is_the_same_as_moving_them(seed: int, reach: int) -> None:
    rng = random.Random(seed)
    steps = drawn(rng, rng.randint(1, 120), reach)
    graph = StepGraph(steps)  # one for all: what an order packed the next one need not
    for order in orders(graph, dict):
        moved = pack([steps[i] for i in order], UNITS)
        assert pack_in_order(graph, UNITS, order) == [[order[i] for i in epoch] for epoch in moved]


def test_a_convolution_on_several_accelerators_is_as_many_levels() -> None:
    """Two chains from one input: the one on four accelerators is behind two steps of the other."""
    steps = [
        step(("x",), "a", conv=4),
        step(("a",), "b", arith=1),
        step(("x",), "c", arith=1),
        step(("c",), "d", arith=1),
        step(("d",), "e", arith=1),
    ]
    assert next(iter(orders(StepGraph(steps), dict))) == [0, 2, 3, 4, 1]


def test_the_readers_of_a_tensor_come_last_one_first() -> None:
    steps = [step(("x",), "a", arith=1), step(("a",), "b", arith=1), step(("a",), "c", arith=1)]
    assert next(iter(orders(StepGraph(steps), dict))) == [0, 2, 1]


def test_software_goes_first() -> None:
    steps = [step(("x",), "a", arith=1), step(("x",), "b", Placement.SW_INT), step(("b",), "c", arith=1)]
    assert pack(steps, UNITS) == [[1], [0, 2]]


def test_stream_engines_run_out() -> None:
    steps = [step((f"x{i}", f"y{i}", f"z{i}"), f"t{i}", arith=1) for i in range(4)]
    assert [len(epoch) for epoch in pack(steps, UNITS)] == [2, 2]


def test_a_cycle_ends() -> None:
    assert sorted(
        i for e in pack([step(("b",), "a", arith=1), step(("a",), "b", arith=1)], UNITS) for i in e
    ) == [0, 1]


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
    found = on(SPP % (window, window, *(window // 2,) * 4, source), tmp_path)
    pooled = [
        [kind for kind in inside(epoch) if kind in ("Conv", "MaxPool")]
        for epoch in found.epochs
        if "MaxPool" in inside(epoch) or any(name.startswith("MaxPool") for name in epoch.layers)
    ]
    assert pooled == expected
    copies = [epoch for epoch in found.epochs if epoch.op == "Identity"]
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
    found = on(SLOPES % zero_point, tmp_path)
    steps = [kind for epoch in found.epochs for kind in inside(epoch)]
    assert sorted(steps) == sorted(["Relu", "Clip", "Mul", *corrections])
    assert [name for epoch in found.epochs for name in epoch.layers] == [found.layers[0].name]


ROWS = """(int8[1,16,32] x) => (int8[1,8,32] y) <float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[3] ws = {8, 16, %d}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  g = DequantizeLinear(w, s, wz)
  f = DequantizeLinear(x, s, z)
  c = Conv <pads = [%d, %d]> (f, g)
  y = QuantizeLinear(c, s, z) }"""


def test_a_conv1d_at_the_end_is_put_in_rows(tmp_path: Path) -> None:
    """tcn_calculator, 4.0: an epoch more, which writes a byte at a time."""
    found = on(ROWS % (3, 1, 1), tmp_path, "4.0")
    last = found.epochs[-1]
    assert (last.op, inside(last), last.compute_cycles) == ("Reshape", ["Reshape"], 0)
    assert found.epochs[-2].layers == ("Conv_3",)
