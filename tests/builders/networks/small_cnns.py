"""Small convolutional networks of public projects: digits, keywords, faces. Weights are drawn."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from builders.networks.audio_nets import ZERO
from builders.networks.public_nets import HALF, SAME, Rebuilt
from builders.networks.small_nets import Net


def digits() -> bytes:
    """32 x 32 pixels (andre1012345/STM32N6-digits-recognition, Core 4.0.0): three Convs, a mean, two Gemms, a Softmax."""
    net, channels = Net((1, 3, 32, 32)), 3
    last = net.quantized("x", 1 / 255, ZERO)
    for k, count in enumerate((16, 32, 64)):
        last, channels = net.weighted("Conv", f"conv{k}", last, (count, channels, 3, 3), ZERO, **SAME), count
        if k < 2:
            last = net.quantized(net.node("MaxPool", [last], f"pool{k}", **HALF), 0.01, ZERO)
    last = net.quantized(net.node("GlobalAveragePool", [last], "mean"), 0.01, ZERO)
    last = net.quantized(net.node("Flatten", [last], "row"), 0.01, ZERO)
    last = net.weighted("Gemm", "fc1", last, (64, 64), ZERO, transB=1)
    last = net.weighted("Gemm", "fc2", last, (10, 64), 5, relu=False, transB=1)
    net.quantized(net.node("Softmax", [last], "softmax", axis=1), 1 / 256, ZERO)
    net.nodes.pop()
    return net.model("softmax_q", (1, 10), TensorProto.INT8).SerializeToString()


def handwriting() -> bytes:
    """mnist-12 of the ONNX model zoo (LarocheC/stm32n6-deployment-zoo, Core 4.0.1): two 5x5 and MaxPools of 2x2 and 3x3, a Gemm."""
    net, channels = Net((1, 1, 28, 28)), 1
    last = net.quantized("x", 0.03, 2)
    for k, (count, window) in enumerate(((8, 2), (16, 3))):
        five = {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}
        last, channels = net.weighted("Conv", f"conv{k}", last, (count, channels, 5, 5), ZERO, **five), count
        pool = net.node("MaxPool", [last], f"pool{k}", kernel_shape=[window] * 2, strides=[window] * 2)
        last = net.quantized(pool, 0.01, ZERO)
    row = net.node("Reshape", [last, net.constant("sizes", np.array([1, 256]))], "row")
    last = net.weighted("Gemm", "fc", net.quantized(row, 0.01, ZERO), (10, 256), 5, relu=False, transB=1)
    return net.model(last, (1, 10)).SerializeToString()


def spoken_words() -> bytes:
    """DS-CNN (AbhiMalappa/tinybench, kws_dscnn_npu, Core 2.2): a stem of 10x4, four depthwise blocks, a mean that stays float."""
    net = Net((1, 1, 49, 10))
    last = net.quantized("x", 0.0436, 3)
    stem = {"kernel_shape": [10, 4], "pads": [5, 2, 5, 2]}
    last = net.weighted("Conv", "stem", last, (64, 1, 10, 4), ZERO, **stem)
    for k in range(4):
        last = net.weighted("Conv", f"deep{k}", last, (64, 1, 3, 3), ZERO, pads=[1, 1, 1, 1], group=64)
        last = net.weighted("Conv", f"wide{k}", last, (64, 64, 1, 1), ZERO)
    mean = net.node("ReduceMean", [last, net.constant("axes", np.array([2, 3]))], "mean", keepdims=1)
    row = net.node("Reshape", [mean, net.constant("sizes", np.array([1, 64]))], "row")
    last = net.weighted("Gemm", "fc", net.quantized(row, 0.0175, ZERO), (35, 64), 6, relu=False, transB=1)
    return net.model(last, (1, 35)).SerializeToString()


STAGES = ((16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
STAGES_N = ((16, 64), *STAGES[2:], (64, 64))


def faces(side: int = 640, shared: bool = False, across: int = 0) -> bytes:
    """YuNet of 53,104 weights (LarocheC/stm32n6-deployment-zoo, Core 4.0.1): pairs of 1x1 and depthwise 3x3, a neck, twelve heads.

    With 73,840 it is YuNet-n, whose heads of a level read a pair that they share, a level after the other.
    `across` is the width of a map that is not square.
    """
    net = Rebuilt((1, 3, side, across or side), ZERO if shared or across else 2)

    def pair(name: str, source: str, count: int, relu: bool = True) -> str:
        return net.conv(
            f"{name}_deep",
            net.conv(f"{name}_wide", source, count, relu=False),
            count,
            3,
            each=True,
            relu=relu,
        )

    def halved(name: str, source: str) -> str:
        made = net.quantized(net.node("MaxPool", [source], name, **HALF), 0.01, ZERO)
        net.channels[made] = net.channels[source]
        return made

    last = halved("pool0", pair("stem", net.conv("first", net.first, 16, 3, 2), 16))
    levels = []
    for k, (before, count) in enumerate(STAGES_N if shared else STAGES, 1):
        last = pair(f"b{k}", pair(f"a{k}", last, before), count)
        if k > 2:
            levels.append(last)
        if 1 < k < 5:
            last = halved(f"pool{k}", last)
    for k in (2, 1):
        levels[k] = pair(f"side{k}", levels[k], 64)
        scales = net.constant(f"by{k}", np.array([1, 1, 2, 2], np.float32))
        asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        up = net.of("Resize", [levels[k], "", scales], f"up{k}", 0.01, ZERO, mode="nearest", **asymmetric)
        levels[k - 1] = net.of("Add", [levels[k - 1], up], f"sum{k}", 0.02, ZERO)
        net.channels[levels[k - 1]] = 64
    levels[0] = pair("side0", levels[0], 64)
    kinds, results = (("cls", 1), ("obj", 1), ("box", 4), ("points", 10)), {}
    if shared:
        heads = [(name, count, k) for k in range(3) for name, count in kinds]
    else:
        heads = [(name, count, k) for name, count in kinds for k in range(3)]
    for name, count, k in heads:
        if shared and name == "cls":
            levels[k] = pair(f"shared{k}", levels[k], 64)
        made, grid = pair(f"{name}{k}", levels[k], count, False), {"scale": 0.02, "zero": net.zero()}
        made = net.of("Transpose", [made], f"{name}{k}_turned", **grid, perm=[0, 2, 3, 1])
        made = net.of(
            "Reshape", [made, net.sizes(f"{name}{k}_sizes", 1, -1, count)], f"{name}{k}_rows", **grid
        )
        if count == 1:
            made = net.of("Sigmoid", [made], f"{name}{k}_score", 1 / 256, ZERO)
        results[name, k] = (made, (1, (side // (8 << k)) * ((across or side) // (8 << k)), count))
    first, *others = [results[name, k] for name, _ in kinds for k in range(3)]
    model = net.model(*first, opset=13)
    for made, shape in others:
        model.graph.output.append(helper.make_tensor_value_info(made, TensorProto.FLOAT, shape))
    data: bytes = model.SerializeToString()
    return data


def intrusions(features: int = 41, zero: int = -3) -> bytes:
    """An MLP for network traffic (thc1006/SpikeIDS-MCU, NSL-KDD, Core 3.0): seven operators in float between each two Gemms.

    They clip to steps of a quarter, as spikes are counted: Div, Clip, Mul, Add, Floor, Div, Mul.
    """
    net = Net((1, features))
    x, depth = net.quantized("x", 0.05, zero), features
    for k, width in enumerate((256, 256, 128, 5)):
        x = net.weighted("Gemm", f"dense{k}", x, (width, depth), 7, relu=False, transB=1)
        depth = width
        if width == 5:
            break
        threshold, steps, half, low, high = (
            net.constant(f"{name}{k}", np.float32(value))
            for name, value in (("threshold", 2.3), ("steps", 4), ("half", 0.5), ("low", 0), ("high", 1))
        )
        x = net.node("Clip", [net.node("Div", [x, threshold], f"part{k}"), low, high], f"clip{k}")
        x = net.node("Add", [net.node("Mul", [x, steps], f"times{k}"), half], f"add{k}")
        x = net.node("Div", [net.node("Floor", [x], f"floor{k}"), steps], f"step{k}")
        x = net.quantized(net.node("Mul", [x, threshold], f"spikes{k}"), 2.3 / 255, ZERO)
    return net.model(x, (1, 5)).SerializeToString()


def policy() -> bytes:
    """What moves a robot's hand (churro206/pib-hand-sim, Core 4.0.1): observations normalized in float, an Elu behind each Gemm but one."""
    net, depth = Net((1, 105)), 105
    mean, spread = (
        net.constant(name, np.full((1, depth), value, np.float32))
        for name, value in (("mean", 0.1), ("spread", 2))
    )
    x = net.quantized(net.node("Div", [net.node("Sub", ["x", mean], "centred"), spread], "normal"), 0.05, 4)
    for k, width in enumerate((256, 128, 64, 8)):
        x = net.weighted("Gemm", f"dense{k}", x, (width, depth), 7 - k, relu=False, transB=1)
        depth = width
        if width != 8:
            x = net.quantized(net.node("Elu", [x], f"elu{k}"), 0.03, -90)
    return net.model(x, (1, 8)).SerializeToString()


def metrics(learned: bool = False) -> bytes:
    """A discriminator of speech (LarocheC/dnsmos_exported, pesq_predictor_int8, Core 4.0.1): its Convs and Gemms alone are quantized.

    Two spectra of 257 bands and 63 frames are stacked; InstanceNormalization and PRelu behind each Conv stay in float.
    """
    net = Net((1, 257, 63))
    axis = net.constant("axis", np.array([1], np.int64))
    parts = [net.node("Unsqueeze", [name, axis], f"{name}_map") for name in ("x", "enhanced")]
    x, depth = net.node("Concat", parts, "stack", axis=1), 2
    for k, channels in enumerate((16, 32, 64, 128)):
        weights = net.random.integers(-127, 128, (channels, depth, 4, 4)).astype(np.int8)
        inputs = [net.quantized(x, 0.05, 5 - k), net.dequantized(f"w{k}", weights, 0.002)]
        x = net.node("Conv", inputs, f"conv{k}", kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
        scale, bias = (
            net.constant(f"{name}{k}", np.full(channels, 1.1, np.float32)) for name in ("scale", "bias")
        )
        slopes = net.constant(f"slopes{k}", np.full((channels, 1, 1), 0.25, np.float32))
        x = net.node("InstanceNormalization", [net.quantized(x, 0.03, k), scale, bias], f"norm{k}")
        x, depth = net.node("PRelu", [x, slopes], f"prelu{k}"), channels
    shape = net.constant("shape", np.array([1, 128], np.int64))
    x = net.node("Reshape", [net.node("GlobalMaxPool", [x], "most"), shape], "row")
    x = net.weighted("Gemm", "dense0", net.quantized(x, 0.03, ZERO), (64, 128), 7, relu=False, transB=1)
    x = net.node("PRelu", [x, net.constant("slopes", np.full(64, 0.25, np.float32))], "prelu")
    x = net.weighted("Gemm", "dense1", net.quantized(x, 0.02, -60), (1, 64), 9, relu=False, transB=1)
    if learned:
        x = net.node("Mul", [x, net.constant("slope", np.float32([1.1]))], "steeper")
    x = net.node("Sigmoid", [x], "score")
    if learned:
        x = net.node("Mul", [x, net.constant("two", np.float32(2))], "twice")
    model = net.model(x, (1, 1))
    model.graph.input.append(helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, (1, 257, 63)))
    return model.SerializeToString()
