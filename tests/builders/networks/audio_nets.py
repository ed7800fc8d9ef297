"""Networks for sound, rebuilt from what public projects say of them: keywords, and masks of a stream."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from builders.networks.small_nets import Net

ZERO = -128
"""The zero point of what a Relu makes, and of features that are not below zero."""


def keywords() -> bytes:
    """TC-ResNet8 (AbhiMalappa/tinybench, Core 2.2): Conv1d of nine taps over 49 frames, three blocks with a shortcut."""
    net = Net((1, 1, 49, 10))
    last = net.node("Squeeze", ["x", net.constant("axes", np.array([1]))], "squeeze")
    last = net.quantized(net.node("Transpose", [last], "turned", perm=[0, 2, 1]), 0.02, 3)
    long = {"kernel_shape": [9], "pads": [4, 4]}
    last, channels = net.weighted("Conv", "stem", last, (16, 10, 9), ZERO, **long), 16
    for k, count in enumerate((24, 32, 48)):
        one = net.weighted("Conv", f"down{k}", last, (count, channels, 9), ZERO, strides=[2], **long)
        one = net.weighted("Conv", f"conv{k}", one, (count, count, 9), 4, relu=False, **long)
        short = net.weighted("Conv", f"short{k}", last, (count, channels, 1), -5, relu=False, strides=[2])
        added = net.node("Add", [one, short], f"add{k}")
        last, channels = net.quantized(net.node("Relu", [added], f"relu{k}"), 0.01, ZERO), count
    last = net.quantized(net.node("GlobalAveragePool", [last], "mean"), 0.01, ZERO)
    last = net.quantized(net.node("Flatten", [last], "flat"), 0.01, ZERO)
    return net.model(
        net.weighted("Gemm", "fc", last, (35, 48), 7, relu=False, transB=1), (1, 35)
    ).SerializeToString()


def wake_words() -> bytes:
    """DS-CNN (AbhiMalappa/tinybench, kws_dscnn_npu_v2, Core 2.2): a stem of 10x4 with stride 2, four depthwise blocks."""
    net = Net((1, 1, 49, 10))
    last = net.quantized("x", 0.0432, 11)
    stem = {"kernel_shape": [10, 4], "strides": [2, 2], "pads": [5, 2, 5, 2]}
    last = net.weighted("Conv", "stem", last, (64, 1, 10, 4), ZERO, **stem)
    for k in range(4):
        last = net.weighted("Conv", f"deep{k}", last, (64, 1, 3, 3), ZERO, pads=[1, 1, 1, 1], group=64)
        last = net.weighted("Conv", f"wide{k}", last, (64, 64, 1, 1), ZERO)
    last = net.quantized(net.node("GlobalAveragePool", [last], "mean"), 0.015, ZERO)
    last = net.quantized(net.node("Flatten", [last], "flat"), 0.015, ZERO)
    return net.model(
        net.weighted("Gemm", "fc", last, (35, 64), -39, relu=False, transB=1), (1, 35)
    ).SerializeToString()


def hazards() -> bytes:
    """YamNet-1024 on 96 x 64 mel bands, seven classes (aleksMuhicFri2/stm32n6-edge-audio-classifier, Core 4.0.1).

    Its first Conv has float weights; what follows is quantized.
    """
    net, channels = Net((1, 1, 96, 64)), 32
    first = [
        net.constant("w", np.ones((32, 1, 3, 3), np.float32)),
        net.constant("b", np.zeros(32, np.float32)),
    ]
    last = net.node(
        "Conv", [net.quantized("x", 0.0347, 53), *first], "first", strides=[2, 2], pads=[0, 0, 1, 1]
    )
    last = net.quantized(net.node("Relu", [last], "relu"), 0.0359, ZERO)
    blocks = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    ]
    for k, (count, stride) in enumerate(blocks):
        pads = [1, 1, 1, 1] if stride == 1 else [0, 0, 1, 1]
        last = net.weighted(
            "Conv", f"deep{k}", last, (channels, 1, 3, 3), ZERO, strides=[stride] * 2, pads=pads, group=channels
        )  # fmt: skip
        last, channels = net.weighted("Conv", f"wide{k}", last, (count, channels, 1, 1), ZERO), count
    last = net.quantized(net.node("GlobalAveragePool", [last], "mean"), 0.0139, ZERO)
    last = net.quantized(
        net.node("Squeeze", [last, net.constant("axes", np.array([2, 3]))], "flat"), 0.0139, ZERO
    )
    last = net.weighted("Gemm", "fc", last, (7, 1024), 71, relu=False, transB=1)
    return net.model(net.node("Softmax", [last], "softmax", axis=-1), (1, 7)).SerializeToString()


COLUMN_ZEROS = (0, 0, -1, -2)
"""Zero points of the columns between the blocks of `masks`, as a board printed them."""


def masks(
    channels: int = 80, band: str = "", blocks: tuple[int, ...] = (0, 1, 2, 3), bins: bool = False
) -> bytes:
    """N6Net v2 (LarocheC/eco8-neaixt, Core 4.0.1): a map of one column a frame; the frames before come in as inputs.

    A convolution over three frames is three convolutions of 5x1, added. With a full band the map of some blocks is brought to
    one row, which is added to all: by a mean ("gap"), or by two convolutions of four rows and one of the eight that are left
    ("pool"). `bins`: a constant is added for each bin.
    """
    rows = 128
    net = Net((1, 1, 2 * rows, 1))
    tall = {"kernel_shape": [5, 1], "pads": [2, 0, 2, 0]}
    shape, frames, states = (1, channels, rows, 1), [], []

    def conv(
        name: str, source: str, into: int, made: int, height: int, zero: int, **attributes: object
    ) -> str:
        weights = (made, into, height, 1)
        attributes = {"kernel_shape": [height, 1], **attributes}
        return net.weighted("Conv", name, source, weights, zero, relu=False, **attributes)

    last = conv("stem", net.quantized("x", 0.02, ZERO), 1, channels, 4, 0, strides=[2, 1], pads=[1, 0, 1, 0])
    if bins:
        places = net.random.integers(-127, 128, shape).astype(np.int8)
        inputs = [
            net.constant("bins", places),
            net.constant("bins_scale", np.float32(0.001)),
            net.constant("bins_zero", np.int8(0)),
        ]
        place = net.node("DequantizeLinear", inputs, "bins_dq")
        last = net.quantized(net.node("Add", [last, place], "at_bins"), 0.053, 0)
    for k in range(4):
        zero = COLUMN_ZEROS[k]
        states.append(last)
        total = conv(f"new{k}", last, channels, channels, 5, 2, **tall)
        for age in range(2):
            frames.append(f"frame{k}{age}")
            part = net.quantized(frames[-1], 0.053, zero)
            part = conv(f"old{k}{age}", part, channels, channels, 5, 2, **tall)
            summed = net.node("Add", [total, part], f"sum{k}{age}")
            total = net.quantized(summed, 0.014, 1 if age == 0 else ZERO)
        total = conv(f"next{k}", total, channels, channels, 5, ZERO, **tall)
        if band and k in blocks:
            one = total
            if band == "gap":
                axes = net.constant(f"axes{k}", np.array([2, 3]))
                mean = net.node("ReduceMean", [one, axes], f"mean{k}", keepdims=1)
                one = conv(f"band{k}", net.quantized(mean, 0.005, ZERO), channels, channels, 1, ZERO)
            else:
                for n, into in enumerate((channels, 48)):
                    one = conv(f"fewer{k}{n}", one, into, 48, 4, ZERO, strides=[4, 1])
                one = conv(f"band{k}", one, 48, channels, 8, ZERO)
            total = net.quantized(net.node("Add", [total, one], f"banded{k}"), 0.012, ZERO)
        last = net.quantized(net.node("Add", [last, total], f"add{k}"), 0.054, (*COLUMN_ZEROS, 6)[k + 1])
    last = conv("mask", last, channels, 2, 3, -40, pads=[1, 0, 1, 0])
    made = net.model(net.quantized(net.node("Sigmoid", [last], "sigmoid"), 1 / 256, ZERO), (1, 2, rows, 1))
    add_borders(made, frames, states, shape)
    return made.SerializeToString()


LETTERS = (
    (3, 2),
    (3, 1),
    (3, 1),
    (5, 1),
    (5, 1),
    (5, 1),
    (3, 2),
    (3, 1),
    *[(5, 1)] * 4,
    (7, 1),
    (7, 2),
    *[(7, 1)] * 3,
    *[(9, 1)] * 4,
)
"""Taps and stride of the blocks of `letters`."""


def letters() -> bytes:
    """Citrinet on 800 frames of 80 bands (LarocheC/stm32n6-stt, Core 4.0.1), of whose 618 epochs its network.csv has the cycles.

    Conv1d in 23 blocks: five pairs of a depthwise and a plain one, squeeze and excitation, a shortcut. Each Relu has a Q and a
    DQ on both sides.
    """
    net = Net((1, 80, 800))
    counted = iter(range(1_000))

    def put(op: str, inputs: list[str], scale: float = 0.02, **attributes: object) -> str:
        k = next(counted)
        return net.quantized(net.node(op, inputs, f"{op}{k}", **attributes), scale + k / 10_000, 0)

    def conv(x: str, into: int, made: int, taps: int = 1, stride: int = 1, group: int = 1) -> str:
        weights = net.random.integers(-127, 128, (made, into // group, taps)).astype(np.int8)
        weight = net.dequantized(f"w{next(counted)}", weights, 0.002)
        sides = [taps // 2] * 2
        return put("Conv", [x, weight], group=group, kernel_shape=[taps], strides=[stride], pads=sides)

    def gated(x: str, channels: int) -> str:
        mean = put("ReduceMean", [x], axes=[2], keepdims=1)
        few = put("Relu", [conv(mean, channels, channels // 8)])
        return put("Mul", [x, put("Sigmoid", [conv(few, channels // 8, channels)], 1 / 127)])

    last = conv(conv(net.quantized("x", 0.02, 0), 80, 80, 5, group=80), 80, 256)
    last = put("Relu", [gated(last, 256)])
    for taps, stride in LETTERS:
        deep = conv(last, 256, 256, taps, group=256)
        short = conv(last, 256, 256, stride=stride)
        deep = conv(deep, 256, 256)
        for k in range(4):
            deep = conv(put("Relu", [deep]), 256, 256, taps, stride if k == 3 else 1, 256)
            deep = conv(deep, 256, 256)
        last = put("Relu", [put("Add", [gated(deep, 256), short])])
    last = put("Relu", [gated(conv(conv(last, 256, 256, 11, group=256), 256, 640), 640)])
    last = put("Transpose", [conv(last, 640, 1025)], perm=[0, 2, 1])
    return net.model(last, (1, 100, 1025), opset=17).SerializeToString()


def taps(channels: int, length: int, count: int, readers: int = 1, relu: bool = True) -> bytes:
    """A Relu and depthwise Conv1d that read it, with which LarocheC/stm32n6-stt asked the compiler for what it does (4.0.1)."""
    net, shape = Net((1, channels, length)), (1, channels, length)
    x = net.quantized("x", 0.0158, 0)
    if relu:
        x = net.quantized(net.node("Relu", [x], "relu"), 0.0158, 0)
    sides, made = [(count - 1) // 2, count // 2], []
    for k in range(readers):
        weights = net.dequantized(
            f"w{k}", net.random.integers(-127, 128, (channels, 1, count)).astype(np.int8), 0.002
        )
        deep = net.node("Conv", [x, weights], f"deep{k}", group=channels, kernel_shape=[count], pads=sides)
        made.append(net.quantized(deep, 0.0072, 0))
    model = net.model(made[0], shape, opset=17)
    add_borders(model, [], made[1:], shape)
    return model.SerializeToString()


def groups() -> bytes:
    """1x1 convolutions in one, two and four groups and a depthwise 1x3 on one row (LarocheC/eco8-neaixt, group_probe, 4.0.1)."""
    net = Net((1, 40, 1, 32))
    last = net.quantized("x", 0.02, 0)
    for name, group, width in (("dense", 1, 1), ("two", 2, 1), ("four", 4, 1), ("deep", 40, 3)):
        weights = net.random.integers(-127, 127, (40, 40 // group, 1, width)).astype(np.int8)
        inputs = [last, net.dequantized(f"{name}_w", weights, 0.01)]
        made = net.node("Conv", inputs, name, group=group, kernel_shape=[1, width], pads=[0, width // 2] * 2)
        last = net.quantized(made, 0.02, 0)
    return net.model(last, (1, 40, 1, 32), opset=17).SerializeToString()


def add_borders(made: onnx.ModelProto, inputs: list[str], outputs: list[str], shape: tuple[int, ...]) -> None:
    """More inputs and outputs, all of that shape."""
    made.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs)
    made.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs
    )


def signals(first: bool) -> bytes:
    """Two versions of a network on 1,024 samples of eight channels (FRIENDA256/stm32N6_AI, Core 2.2, -O3).

    The `first` averages strips of four and has kernels of seven in a row, which the second has strides and fives for.
    """
    net = Net((1, 1, 8, 1024))
    last = net.quantized("x", 0.0067, 0)
    last = net.weighted("Conv", "stem", last, (24, 1, 8, 9), ZERO, kernel_shape=[8, 9], pads=[0, 4, 0, 4])
    channels = 24

    def conv(name: str, source: str, count: int, taps: int, step: int = 1, zero: int = ZERO) -> str:
        sides = 0 if step == 4 else taps // 2
        row = {"kernel_shape": [1, taps], "strides": [1, step], "pads": [0, sides, 0, sides]}
        return net.weighted("Conv", name, source, (count, channels, 1, taps), zero, relu=zero == ZERO, **row)

    if first:
        strips = {"kernel_shape": [1, 4], "strides": [1, 4]}
        last = net.quantized(net.node("AveragePool", [last], "strips", **strips), 0.01, ZERO)
    blocks = ((24, 0, 7), (48, 5, 5), (64, 3, 3)) if first else ((32, 4, 5), (48, 5, 5), (64, 3, 3))
    for k, (count, down, taps) in enumerate(blocks):
        if down:
            last, channels = conv(f"down{k}", last, count, down, 4 if down == 4 else 2), count
        made = conv(f"second{k}", conv(f"first{k}", last, count, taps), count, taps, zero=-15)
        total = net.node("Relu", [net.node("Add", [last, made], f"add{k}")], f"relu{k}")
        last = net.quantized(total, 0.02, ZERO)
    last = net.quantized(net.node("GlobalAveragePool", [last], "mean"), 0.01, ZERO)
    last = net.quantized(net.node("Flatten", [last], "flat"), 0.012, ZERO)
    made = net.weighted("Gemm", "fc", last, (4, 64), 18, relu=False, transB=1)
    return net.model(made, (1, 4)).SerializeToString()


def opinions() -> bytes:
    """DNSMOS of one second (LarocheC/dnsmos_exported, Core 4.0.1): a spectrum in float, seven 3x3, three Gemms, three polynomials in float.

    Its Convs and Gemms alone are quantized: a Relu and a MaxPool behind it lie between a DequantizeLinear and a QuantizeLinear.
    """
    net = Net((1, 100, 160))

    def cut(name: str, begin: int, end: int) -> str:
        bounds = (("begin", begin), ("end", end), ("axis", 1))
        return net.node(
            "Slice", ["x", *(net.constant(f"{name}_{k}", np.array([v])) for k, v in bounds)], name
        )

    def times(name: str, value: object, source: str) -> str:
        return net.node("Mul", [net.constant(f"{name}_by", np.float32(value)), source], name)

    x = net.node("Concat", [cut("before", 0, 99), cut("behind", 1, 100)], "frames", axis=2)
    waves = np.ones((320, 161), np.float32)
    parts = [net.node("MatMul", [x, net.constant(f"{p}_waves", waves)], p) for p in ("real", "imaginary")]
    x = net.node("Add", [net.node("Mul", [p, p], f"{p}_squared") for p in parts], "power")
    x = net.node("Log", [net.node("Clip", [x, net.constant("least", np.float32(1e-12))], "clipped")], "log")
    x = net.node("Unsqueeze", [times("decades", 0.43, x), net.constant("one", np.array([1]))], "map")
    x, depth = net.quantized(x, 0.05, 20), 1
    for k, channels in enumerate((128, 64, 64, 32, 32, 32, 64)):
        shape, window = (channels, depth, 3, 3), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        x = net.weighted("Conv", f"conv{k}", x, shape, 5 - k, relu=False, **window)
        x, depth = net.node("Relu", [x], f"relu{k}"), channels
        if k in (3, 4, 5):
            x = net.node("MaxPool", [x], f"pool{k}", kernel_shape=[2, 2], strides=[2, 2])
        if k < 6:
            x = net.quantized(x, 0.02, ZERO)
    x = net.quantized(
        net.node("ReduceMax", [x, net.constant("both", np.array([2, 3]))], "most", keepdims=0), 0.02, ZERO
    )
    for k, width in enumerate((128, 64, 3)):
        x = net.weighted("Gemm", f"dense{k}", x, (width, depth), 7 - k, relu=False, transB=1)
        depth = width
        if width != 3:
            x = net.quantized(net.node("Relu", [x], f"dense{k}_relu"), 0.02, ZERO)
    square = net.node("Mul", [times("a", [-0.1] * 3, x), x], "square")
    sum_ = net.node("Add", [square, times("b", [1.2] * 3, x)], "sum")
    return net.model(
        net.node("Add", [sum_, net.constant("c", np.zeros(3, np.float32))], "opinion"), (1, 3)
    ).SerializeToString()
