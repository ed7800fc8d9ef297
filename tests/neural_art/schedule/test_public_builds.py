"""Networks rebuilt from the reports and graphs of public builds: the epochs of the CPU, and how many there are in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from builders.agreement import epochs_and_layers_agree
from builders.public_nets import plate_detector, touchpad
from builders.scheduled import ops
from builders.small_nets import Net
from builders.tflite.mobile import blazeface, movenet

from npuscope.machine.machine import target, target_of
from npuscope.npu.verdict import Placement
from npuscope.services.open import open_model
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

HALF = {"kernel_shape": [2, 2], "strides": [2, 2]}
FLOATS = {"DequantizeLinear": 2, "Conv": 2, "Cast": 2}


def grasps() -> bytes:
    """gg-cnn on 300 x 300: kernels of 11 and 5, two dilated ones on 75 x 75, two bilinear steps up, four results."""
    net = Net((1, 1, 300, 300))
    x, channels, results = net.quantized("x", 0.01, -128), 1, []

    def conv(name: str, source: str, count: int, kernel: int, dilation: int = 1, zero: int = -128) -> str:
        nonlocal channels
        size = {"pads": [dilation * (kernel - 1) // 2] * 4, "kernel_shape": [kernel] * 2}
        made = net.weighted(
            "Conv", name, source, (count, channels, kernel, kernel), zero, zero == -128, dilations=[dilation] * 2, **size
        )  # fmt: skip
        channels = count if zero == -128 else channels
        return made

    def changed(op: str, name: str, inputs: list[str], **options: object) -> str:
        return net.quantized(net.node(op, inputs, name, **options), 0.01, -128)

    x = changed("MaxPool", "pool1", [conv("c2", conv("c1", x, 16, 11), 16, 5)], **HALF)
    x = changed("MaxPool", "pool2", [conv("c4", conv("c3", x, 16, 5), 16, 5)], **HALF)
    x = conv("c6", conv("c5", x, 32, 5, 2), 32, 5, 4)
    for k, count in enumerate((16, 16)):
        scales = net.constant(f"scales{k}", np.array([1, 1, 2, 2], np.float32))
        linear = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        x = conv(f"up{k}_conv", changed("Resize", f"up{k}", [x, "", scales], **linear), count, 3)
    results = [conv(f"result{k}", x, 1, 1, zero=3 + k) for k in range(4)]
    made = net.model(results[0], (1, 1, 300, 300))
    for name in results[1:]:
        made.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, (1, 1, 300, 300)))
    return made.SerializeToString()


BUILDS: dict[str, tuple[Callable[[], bytes], str, str, int, float, dict[str, int]]] = {
    # 2025-fin-graduate-project/Falling-Detection-STM32, Core 3.0
    "movenet": (
        movenet, "3.0", "0", 79, 0.02,
        {"Resize": 3, "DequantizeLinear": 3, "ReduceSum": 1, "QuantizeLinear": 2, "Div": 1},
    ),
    # roadtothewest/ProyectoIPD439, Core 2.2, n6-allmems-O3
    "blazeface": (
        blazeface, "2.2", "3", 95, 0.04, {"QuantizeLinear": 1, "Transpose": 22, "DequantizeLinear": 4},
    ),
    # TitoNicolaDrugman/Advanced-Computer-Architectures-Project, gg-cnn_quantize_random, Core 2.2, -O3
    "grasps": (
        grasps, "2.2", "3", 36, 0.03, {**FLOATS, "SpaceToDepth": 2, "DepthToSpace": 2, "Resize": 2},
    ),
    # dahuangelululu/dahuange111, Core 2.2, n6-allmems-O3
    "plates": (
        plate_detector, "2.2", "3", 237, 0.03,
        {"DepthToSpace": 2, "Concat": 8, "AveragePool": 6, "Transpose": 3, "Slice": 33, "DequantizeLinear": 6,
         "Pow": 3, "Sub": 3, "QuantizeLinear": 6},
    ),
    # Compal-Project-TOM/NUCLEO-N657X0-Q-AI-TEST, sh_240_quant, Core 2.2, n6-allmems-O3
    "touchpad": (
        touchpad, "2.2", "3", 123, 0.07,
        {"Concat": 5, "Softmax": 5, "DequantizeLinear": 20, "ReduceSum": 10, "Gather": 10, "QuantizeLinear": 20},
    ),
    # the same with Core 4.0.1: the small steps of its slots share more epochs than the compiler lets them
    "touchpad 4.0": (
        touchpad, "4.0", "3", 87, 0.16,
        {"Concat": 5, "Softmax": 5, "DequantizeLinear": 10, "ReduceSum": 10, "QuantizeLinear": 10},
    ),
}  # fmt: skip


def compiled(model: bytes, folder: Path, toolchain: str, optimization: str) -> Snapshot:
    path = folder / "model"
    path.write_bytes(model)
    build = replace(target(toolchain).build, optimization=optimization, scheduler="auto")
    return analyse(Session.open(open_model(path), target_of(build)))


@pytest.mark.parametrize("name", BUILDS)
def test_epochs_of_the_cpu_and_their_number(name: str, tmp_path: Path) -> None:
    build, toolchain, optimization, total, within, on_cpu = BUILDS[name]
    snapshot = compiled(build(), tmp_path, toolchain, optimization)
    got = Counter(epoch.op for epoch in snapshot.epochs if epoch.placement is not Placement.HW)
    assert got == on_cpu
    assert len(snapshot.epochs) == pytest.approx(total, rel=within)
    epochs_and_layers_agree(snapshot)


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


@pytest.mark.parametrize(("optimization", "copies"), [("0", 0), ("3", 2)])
def test_copies_behind_software(optimization: str, copies: int, tmp_path: Path) -> None:
    """A depthwise and a plain convolution behind a PRelu in software, as in a mobilefacenet of 183 epochs (2.2, -O3)."""
    net = Net((1, 64, 7, 7))
    x = net.quantized("x", 0.02, 3)
    for k, shape in enumerate(((64, 64, 1, 1), (64, 1, 3, 3), (32, 64, 1, 1))):
        pads = {"pads": [1, 1, 1, 1]} if shape[2] == 3 else {}
        group = 64 if shape[1] == 1 else 1
        x = net.weighted("Conv", f"c{k}", x, shape, 5 + k, relu=False, group=group, **pads)
        slopes = net.constant(f"slopes{k}", np.full((1, shape[0], 1, 1), 0.1, np.float32))
        x = net.quantized(net.node("PRelu", [x, slopes], f"prelu{k}"), 0.02, 7 + k)
    epochs = ops(compiled(net.model(x, (1, 32, 7, 7)).SerializeToString(), tmp_path, "2.2", optimization))
    assert epochs.count("hw Identity") == copies + 1  # one for the input of the network
