"""Networks rebuilt from the reports and graphs of public builds: the epochs of the CPU, and how many there are in all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from builders.agreement import epochs_and_layers_agree
from builders.networks.compiled import network
from builders.networks.hard_swish import ssdlite
from builders.networks.public_nets import grasps
from builders.networks.small_nets import Net
from builders.public_builds import BUILDS, COUNTED, UNNAMED, compiled
from builders.scheduled import ops

from npuscope.machine.machine import target
from npuscope.machine.variants import with_optimization
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.mark.parametrize("name", BUILDS)
def test_epochs_of_the_cpu_and_their_number(name: str, tmp_path: Path) -> None:
    build = BUILDS[name]
    snapshot = build.compiled(tmp_path)
    got = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement is not Placement.HW)
    assert got == build.on_cpu
    assert len(snapshot.epochs) == pytest.approx(build.epochs, rel=build.within)
    epochs_and_layers_agree(snapshot)


@pytest.mark.parametrize("name", UNNAMED)
def test_epochs_of_the_cpu_all_but(name: str, tmp_path: Path) -> None:
    build = UNNAMED[name]
    snapshot = build.compiled(tmp_path)
    got = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement is not Placement.HW)
    common = (got & Counter(build.on_cpu)).total()
    assert 2 * common / (got.total() + sum(build.on_cpu.values())) >= 0.94, got
    assert len(snapshot.epochs) == pytest.approx(build.epochs, rel=build.within)
    epochs_and_layers_agree(snapshot)


@pytest.mark.parametrize("name", COUNTED)
def test_number_of_epochs(name: str, tmp_path: Path) -> None:
    build = COUNTED[name]
    assert len(build.compiled(tmp_path).epochs) == pytest.approx(build.epochs, rel=build.within)


@pytest.mark.parametrize(("name", "software"), [("metrics", 21), ("metrics, learned", 23)])
def test_inputs_are_stacked_by_the_npu(name: str, software: int, tmp_path: Path) -> None:
    """Its notes (ONBOARD_RESULTS.md): 12 epochs of the NPU, none hybrid."""
    placements = Counter(epoch.placement.on_cpu for epoch in COUNTED[name].compiled(tmp_path).epochs)
    assert placements == {True: software, False: 12}


def test_ends_made_uint8_are_requantized(tmp_path: Path) -> None:
    """Epochs 1 to 3 and 66 of the DeepLab: the copy of the input to channels last, an Add, the Conv; one behind the last Resize."""
    epochs = BUILDS["segments 2.2"].compiled(tmp_path).epochs
    assert [(e.op, e.layers) for e in epochs[:3]] == [
        ("Identity", ()),
        ("Add", ("x_q",)),
        ("Conv", ("conv1",)),
    ]
    assert ([e.op for e in epochs[-2:]], epochs[-1].placement) == (["Resize", "Add"], Placement.HW)


def test_a_relu_before_a_pooling_has_no_scale_of_its_own(tmp_path: Path) -> None:
    """The notes of the same project: 19 epochs in software and two hybrid ones, two Slices; three Relu and MaxPool are none of them."""
    epochs = COUNTED["opinions"].compiled(tmp_path).epochs
    placements = Counter(epoch.placement for epoch in epochs)
    assert placements[Placement.HYBRID] == 2 and placements[Placement.SW_FLOAT] == 20
    assert not any(e.op == "MaxPool" for e in epochs if e.placement.on_cpu)


def test_a_block_with_squeeze_and_excitation(tmp_path: Path) -> None:
    """Buffers of epochs 172 to 184 and 262 to 282 of food: 1,152 channels leave the Sigmoid no stream engine, 48 do; a mean joins a product."""
    epochs = COUNTED["food"].compiled(tmp_path).epochs
    first = next(e.index for e in epochs if "s5_8_wide" in e.layers)
    block = [(e.layers, [i.kind for i in e.inserted]) for e in epochs[first - 1 :]]
    assert block[:4] == [
        (("s5_8_wide",), ["Mul", "Add"]),
        (("s5_8_wide_gate", "s5_8_wide_silu"), []),
        ((), ["Add"]),
        ((), ["Add"]),
    ]
    assert block[4] == (("s5_8_deep", "s5_8_deep_gate"), ["Mul", "Add"])
    assert block[5] == (("s5_8_deep_silu",), ["Add"])
    assert block[6] == (("s5_8_mean",), ["Add", "Add"])
    assert block[9:13] == [
        (("s5_8_more", "s5_8_open"), ["Mul", "Add"]),
        (("s5_8_scaled",), ["Add", "Add"]),
        ((), ["Identity"]),
        (("s5_8_narrow", "s5_8_add"), ["Mul", "Add"]),
    ]


def test_sub_masks_and_dilation_in_the_order_of_the_graph(tmp_path: Path) -> None:
    """tmp.dot of gg-cnn: eight sub-masks in two epochs and a last sum, two of 5x5 one by one, each on four CAs."""
    epochs = ops(compiled(grasps(), tmp_path, "2.2", "3"))
    assert epochs[:10] == ["hw Sub", "hw Conv", "hw Conv", "hw Add", *["hw Conv"] * 6]
    dilated = [
        "hybrid SpaceToDepth",
        "sw_float DequantizeLinear",
        "sw_float Conv",
        "sw_float Cast",
        "hybrid DepthToSpace",
        "hw Identity",
        "hw Conv",
    ]
    assert epochs[10:19] == ["hw Identity", "hw Conv", *dilated]


def test_a_pad_before_a_pooling_and_sub_masks_in_other_batches(tmp_path: Path) -> None:
    """network.c of siren: 1x7 is written beside the sum of two 3x7 and added in the next epoch; a copy, Pad_8, its pooling."""
    epochs = BUILDS["siren"].compiled(tmp_path).epochs
    assert [(e.op, sorted(i.kind for i in e.inserted)) for e in epochs[1:5]] == [
        ("Conv", []),
        ("Add", ["Add", "Add", "Mul"]),
        ("Identity", ["Identity"]),
        ("Conv", ["Sub", "Sub"]),
    ]
    assert len(epochs[4].layers) == 2


def test_a_hard_swish_takes_three_epochs(tmp_path: Path) -> None:
    """network.c of Estadio-do-Dragao-app/STM32N6-GettingStarted-ObjectDetection (4.0.0): 8,254,580 compute cycles, 14,969,977 of all."""
    epochs = compiled(ssdlite(), tmp_path, "4.0", "3", epoch_controller=True).epochs
    assert {epoch.placement for epoch in epochs} == {Placement.HW}
    assert sum(epoch.compute_cycles or 0 for epoch in epochs) == pytest.approx(8_254_580, rel=0.005)
    assert sum(epoch.cycles or 0 for epoch in epochs) == pytest.approx(14_969_977, rel=0.06)
    stem = [(epoch.op, len(epoch.inserted)) for epoch in epochs[1:4]]
    assert stem == [("Conv", 1), ("Mul", 0), ("Div", 2)]


def test_what_is_written_a_channel_at_a_time_lies_in_rows() -> None:
    """network.c.se of 4.0.0 (aleksMuhicFri2/stm32n6-edge-audio-classifier): 257 channels, no copy before the six Adds."""
    machine = with_optimization(target("4.0"), "3")
    epochs = ops(analyse(Session.open(network("speech_tcnn_257"), machine)))
    block = ["hw Identity", "sw_int Conv", "hw Sub", "hw Conv", "hw Conv"]
    spread = [*block[:3], "hybrid SpaceToDepth", "hw Conv", "hybrid DepthToSpace", "hw Add", "hw Conv"]
    assert epochs == [*[*block, *spread, *spread] * 2, "sw_float DequantizeLinear", "sw_float Sigmoid"]


def test_what_a_relu_cut_at_zero_is_added_from_memory(tmp_path: Path) -> None:
    """Epochs of d44's Concats (docs/opt_npu.md of mikekss/tymbal); before the first, its frames before are copied in one more."""
    stated = [4, 8, 16, 24, 32, 39, 46, 50, 58, 66, 74, 81]
    epochs = BUILDS["loops"].compiled(tmp_path).epochs
    assert [e.index + 1 for e in epochs if e.op == "Concat"] == stated


def test_operators_of_a_board_s_profile(tmp_path: Path) -> None:
    """prof_base_fixed.log of LarocheC/eco8-neaixt: which Concats and Slices of frames are routines, and the copies at its borders."""
    snapshot = UNNAMED["speech"].compiled(tmp_path)
    frames = [r for r in snapshot.layers if r.layer.kind == "Concat" and r.layer.core.attribute("axis") == 2]
    assert Counter(r.placement for r in frames) == {Placement.HW: 14, Placement.HYBRID: 3}
    copied = [m.tensor for e in snapshot.epochs for m in e.moves if m.write]
    assert [sum(t.endswith(end) for t in copied) for end in ("#input", "#border")] == [17, 17]
    assert [[i.kind for i in e.inserted] for e in snapshot.epochs if e.op == "Mul"][-2:] == [[], []]


def test_numbers_of_a_gauge_reader_s_blocks(tmp_path: Path) -> None:
    """EpochBlock_1 to 55, 56, 57 and 58, 59, 60 and 61, 62, 63 (hybrid), 64 and 65, 66, 67 to 70 of its page."""
    epochs = BUILDS["gauges"].compiled(tmp_path).epochs
    cpu = [(e.op, e.index + 1) for e in epochs if e.placement is not Placement.HW]
    assert cpu == [("Resize", 56), ("Resize", 59), ("Resize", 62), ("Concat", 63), ("Resize", 66)]
    assert epochs[-1].index + 1 == 70


def test_what_a_dilated_map_is_padded_by_is_cropped_by_a_conv(tmp_path: Path) -> None:
    """network.c of a DeepLabV3 (4.0.0): its epochs 50 to 62 are two routines, one of the NPU, a Resize, eight and a Resize."""
    epochs = BUILDS["segments"].compiled(tmp_path).epochs
    assert [e.op if e.placement is not Placement.HW else "" for e in epochs[-13:]] == [
        *("DepthToSpace", "DepthToSpace", "", "Resize", *[""] * 8, "Resize")
    ]
    assert [i.kind for i in epochs[-11].inserted].count("Conv") == 2


def test_sub_masks_of_one_row_are_added_from_memory(tmp_path: Path) -> None:
    """c_info.json of "wake words": 10x4 as 1x4 and two of 3x4, whose sum is added beside the last of 3x4."""
    epochs = BUILDS["wake words"].compiled(tmp_path).epochs
    assert [(e.op, e.layers, [i.kind for i in e.inserted]) for e in epochs[:2]] == [
        ("Conv", ("stem",), []),
        ("Conv", ("stem",), ["Add"]),
    ]


@pytest.mark.parametrize(("toolchain", "epochs"), [("2.2", 2), ("4.0", 1)])
def test_a_swish_behind_a_depthwise_convolution(toolchain: str, epochs: int, tmp_path: Path) -> None:
    """network.c of an EfficientNetV2-B1 (4.0.0): Mul_797 and AveragePool_800, whose input no buffer holds, are in one epoch."""
    net = Net((1, 32, 8, 8))
    last = net.weighted(
        "Conv", "deep", net.quantized("x", 0.02, 0), (32, 1, 3, 3), 5, relu=False, pads=[1, 1, 1, 1], group=32
    )
    gate = net.quantized(net.node("Sigmoid", [last], "sigmoid"), 0.0038, -128)
    product = net.quantized(net.node("Mul", [last, gate], "mul"), 0.02, -100)
    snapshot = compiled(net.model(product, (1, 32, 8, 8)).SerializeToString(), tmp_path, toolchain, "3")
    assert len({e.index for e in snapshot.epochs if {"deep", "sigmoid", "mul"} & {*e.layers}}) == epochs


CYCLES = [
    *((12_290, 12_290), (55_616, 55_616), (98_306, 98_306), (49_152, 49_152)),
    *(
        (49_152, 49_152),
        (98_304, 98_304),
        (49_152, 61_440),
        (49_152, 49_152),
        (49_152, 49_152),
        (131_072, 131_072),
    ),
    *(
        (24_576, 61_440),
        (65_536, 196_608),
        (24_576, 30_720),
        (65_536, 393_216),
        (12_288, 30_720),
        (43_691, 786_432),
    ),
    *((12_288, 27_648), (87_382, 1_572_864)) * 5,
    *((9_216, 55_296), (174_763, 3_194_880), (9_216, 104_448), (349_526, 6_340_608)),
    *((6_144, 6_144), (2_390, 43_008), (16, 30), (528, 528)),
]
"""(compute cycles, cycles) of the 34 epochs of "hazards", as its c_info.json estimates them."""


def test_cycles_of_every_epoch(tmp_path: Path) -> None:
    """All but one: the scale and zero point that a DequantizeLinear reads from flash are not counted."""
    epochs = BUILDS["hazards"].compiled(tmp_path).epochs
    got = [(epoch.compute_cycles, epoch.cycles) for epoch in epochs]
    assert [k for k, (ours, theirs) in enumerate(zip(got, CYCLES, strict=True)) if ours != theirs] == [32]


def test_accelerators_in_series(tmp_path: Path) -> None:
    """As few as cost nothing: the buffers of "hazards" have partial sums of 512 channels on two, and on one."""
    costs = [BUILDS["hazards"].compiled(tmp_path).by_name[f"wide{k}"].cost for k in (5, 6, 11, 12)]
    tilings = [cost.tiling for cost in costs if cost is not None]
    assert [(t.accelerators, t.iterations) for t in tilings if t is not None] == [
        (2, 1),
        (2, 2),
        (1, 4),
        (1, 8),
    ]


@pytest.mark.parametrize(
    ("optimization", "first"), [("3", ("CONV_2D_1", "DEPTHWISE_CONV_2D_2")), ("default", ("CONV_2D_1",))]
)
def test_a_depthwise_convolution_takes_what_the_first_one_writes(
    optimization: str, first: tuple[str, ...], tmp_path: Path
) -> None:
    """epoch_3 of YamNet-256 (4.0.1, -O3): Conv2D_4 writes four channels at a time, Conv2D_9 is brought to groups of four."""
    epochs = compiled(BUILDS["spectra"].network(), tmp_path, "4.0", optimization).epochs
    assert epochs[1].layers == first


@pytest.mark.parametrize(("toolchain", "in_float"), [("2.2", 3), ("4.0", 0)])
def test_narrow_parts_of_a_depthwise_kernel(toolchain: str, in_float: int, tmp_path: Path) -> None:
    """The 7x7 of mobilefacenet_qop: three sub-masks one column wide in float in 2.1 and 2.2, all on the NPU in 4.0."""
    net = Net((1, 16, 7, 7))
    made = net.weighted(
        "Conv", "c", net.quantized("x", 0.02, 3), (16, 1, 7, 7), 5, relu=False, group=16, kernel_shape=[7, 7]
    )
    epochs = ops(compiled(net.model(made, (1, 16, 1, 1)).SerializeToString(), tmp_path, toolchain, "3"))
    assert epochs.count("sw_float Conv") == in_float


@pytest.mark.parametrize(("optimization", "copies"), [("0", 0), ("3", 2)])
def test_copies_behind_software(optimization: str, copies: int, tmp_path: Path) -> None:
    """A depthwise and a plain convolution behind a PRelu in software, as in a mobilefacenet of 183 epochs (2.2, -O3)."""
    net = Net((1, 64, 7, 7))
    x = net.quantized("x", 0.02, 3)
    for k, shape in enumerate(((64, 64, 1, 1), (64, 1, 3, 3), (128, 64, 1, 1))):
        pads = {"pads": [1, 1, 1, 1]} if shape[2] == 3 else {}
        group = 64 if shape[1] == 1 else 1
        x = net.weighted("Conv", f"c{k}", x, shape, 5 + k, relu=False, group=group, **pads)
        slopes = net.constant(f"slopes{k}", np.full((1, shape[0], 1, 1), 0.1, np.float32))
        x = net.quantized(net.node("PRelu", [x, slopes], f"prelu{k}"), 0.02, 7 + k)
    epochs = ops(compiled(net.model(x, (1, 128, 7, 7)).SerializeToString(), tmp_path, "2.2", optimization))
    assert epochs.count("hw Identity") == copies + 1  # one for the input of the network


@pytest.mark.parametrize(("optimization", "copies"), [("0", 0), ("3", 1)])
def test_copies_before_the_head_of_a_tiny_yolo(optimization: str, copies: int, tmp_path: Path) -> None:
    """Planes before a pooling that is padded on one side, none before a 1x1 of two passes (zhaoyu-cmd's, 2.1, epochs 12, 13 and 18)."""
    net = Net((1, 512, 7, 7))
    x = net.quantized(net.node("LeakyRelu", [net.quantized("x", 0.02, 3)], "leaky", alpha=0.1), 0.02, 7)
    window = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 1, 1]}
    x = net.quantized(net.node("MaxPool", [x], "pool", **window), 0.02, 7)
    x = net.quantized(net.node("LeakyRelu", [x], "leaky2", alpha=0.1), 0.03, 7)
    x = net.weighted("Conv", "c", x, (40, 512, 1, 1), 5, relu=False)
    epochs = ops(compiled(net.model(x, (1, 40, 7, 7)).SerializeToString(), tmp_path, "2.1", optimization))
    assert [e for e in epochs if e != "hw Conv"][1:] == ["hw Identity"] * copies


def test_features_four_at_a_time_are_copied(tmp_path: Path) -> None:
    """Conv2D_15_conv_identity of a yolov8n of 2.1 and Conv2D_32_conv_identity of yolov8_face: 16 channels of a row of 160."""
    net = Net((1, 3, 320, 320))
    x = net.quantized("x", 0.02, -128)
    for name, shape in (("a", (16, 3, 3, 3)), ("b", (32, 16, 3, 3)), ("c", (32, 32, 1, 1))):
        strides, pads = ([2, 2], [1, 1, 1, 1]) if shape[2] == 3 else ([1, 1], [0, 0, 0, 0])
        x = net.weighted("Conv", name, x, shape, 5, strides=strides, pads=pads)
    epochs = ops(compiled(net.model(x, (1, 32, 80, 80)).SerializeToString(), tmp_path, "2.1", "3"))
    assert epochs[-4:] == ["hw Conv", "hw Identity", "hw Conv", "hw Conv"]


@pytest.mark.parametrize(("unequal", "copies"), [(False, 0), (True, 1)])
def test_parts_in_the_same_batches_are_joined_in_them(unequal: bool, copies: int, tmp_path: Path) -> None:
    """Concat_215 of a YOLOv5s (2.2) lies 16 channels at a time, as the convolution behind it reads; no copy is made."""
    net = Net((1, 32, 20, 20))
    x = net.quantized("x", 0.02, 3)
    # 24 channels at a time are no common batch of parts written 16 at a time
    wide = 128 if unequal else 0
    parts = [net.weighted("Conv", f"p{k}", x, (128, 32, 1, 1), 5) for k in range(3 if wide else 2)]
    joined = net.quantized(net.node("Concat", parts, "joined", axis=1), 0.01, 5)
    made = net.weighted("Conv", "last", joined, (256, 256 + wide, 1, 1), 5)
    epochs = ops(compiled(net.model(made, (1, 256, 20, 20)).SerializeToString(), tmp_path, "2.2", "3"))
    assert epochs[epochs.index("hw Concat") :].count("hw Identity") == copies


EPOCHS = {
    "gestures": ["hybrid Cast", "sw_float QuantizeLinear", "hw Sub", *["hw Conv"] * 6, "sw_int Softmax"],
    # its tmp.dot: the first Sub in the epoch of the first Conv, a copy of the map as a row, the Gemm's Sub alone
    "sounds": ["hw Conv", "hw Conv", "hw Conv", "hw Reshape", "hw Sub", "hw Conv"],
}


@pytest.mark.parametrize("name", EPOCHS)
def test_epochs_are_those_of_the_report(name: str, tmp_path: Path) -> None:
    assert ops(BUILDS[name].compiled(tmp_path)) == EPOCHS[name]


@pytest.mark.parametrize(("toolchain", "steps"), [("2.2", 1), ("4.0", 10)])
def test_a_layer_norm_is_taken_apart_from_4_0_on(toolchain: str, steps: int, tmp_path: Path) -> None:
    """The log of mobileclip_s0_text_int8 (4.0.1) names ten operators of each that are not quantized."""
    net = Net((1, 8, 16))
    parameters = [net.constant(name, np.ones(16, np.float32)) for name in ("scale", "bias")]
    made = net.quantized(
        net.node("LayerNormalization", [net.quantized("x", 0.02, 3), *parameters], "norm", axis=-1), 0.02, 3
    )
    model = net.model(made, (1, 8, 16)).SerializeToString()
    epochs = compiled(model, tmp_path, toolchain, "3").epochs
    assert sum(e.placement is Placement.SW_FLOAT and not e.op.endswith("eLinear") for e in epochs) == steps
