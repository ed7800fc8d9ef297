"""Networks of public builds in QDQ, rebuilt layer by layer from what the builds' reports list; values are drawn."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from builders.networks.small_nets import Net

ZERO = -128
"""The zero point behind a Relu."""

SAME = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
HALF = {"kernel_shape": [2, 2], "strides": [2, 2]}


class Rebuilt(Net):
    """A network with short names for what such models repeat."""

    def __init__(self, shape: tuple[int, ...], zero: int) -> None:
        super().__init__(shape)
        self.channels = {self.quantized("x", 0.004, zero): shape[1]}
        self.first = next(iter(self.channels))
        self.drawn = np.random.default_rng(1)

    def zero(self) -> int:
        """A zero point as a layer without a Relu has."""
        return int(self.drawn.integers(-20, 20))

    def of(self, op: str, inputs: list[str], name: str, scale: float, zero: int, **options: object) -> str:
        """A quantized operator."""
        return self.quantized(self.node(op, inputs, name, **options), scale, zero)

    def sizes(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))

    def values(self, name: str, shape: tuple[int, ...], scale: float = 0.05) -> str:
        """A quantized constant."""
        drawn = self.drawn.uniform(-5, 5, shape).astype(np.float32)
        return self.quantized(self.constant(name, drawn), scale, 0)

    def number(self, name: str, value: float) -> str:
        return self.quantized(self.constant(name, np.float32(value)), value / 127, 0)

    def conv(
        self, name: str, source: str, count: int, kernel: int = 1, stride: int = 1, each: bool = False,
        relu: bool = True, silu: bool = False,
    ) -> str:  # fmt: skip
        """A Conv, depthwise where it is one for each channel; `silu` is x times Sigmoid(x) behind it."""
        group = self.channels[source] if each else 1
        shape = (count, self.channels[source] // group, kernel, kernel)
        relu = relu and not silu
        made = self.weighted(
            "Conv", name, source, shape, ZERO if relu else self.zero(), relu, group=group, strides=[stride] * 2,
            pads=[kernel // 2] * 4, kernel_shape=[kernel] * 2,
        )  # fmt: skip
        if silu:
            gate = self.of("Sigmoid", [made], f"{name}_gate", 1 / 255, ZERO)
            made = self.of("Mul", [made, gate], f"{name}_silu", 0.02, -120 + len(self.nodes) % 5)
        self.channels[made] = count
        return made


def plate_detector() -> bytes:
    """A MobileNetV4 with a neck of YOLOv5, coordinate attention and heads that decode boxes and corners, 416 x 416."""
    net = Rebuilt((1, 3, 416, 416), ZERO)

    def backbone() -> tuple[str, str, str]:
        x, at = net.first, 0

        def block(*layers: tuple[int, int, int, bool, bool]) -> str:
            nonlocal at
            made = x
            for count, kernel, stride, each, relu in layers:
                made, at = net.conv(f"c{at}", made, count, kernel, stride, each, relu), at + 1
            return made

        def spread(wide: int, kernel: int, out: int, stride: int = 1) -> str:
            return block(
                (wide, 1, 1, False, True), (wide, kernel, stride, True, True), (out, 1, 1, False, False)
            )

        x = block((32, 3, 2, False, True), (32, 3, 2, False, True), (32, 1, 1, False, True))
        fine = x = block((96, 3, 2, False, True), (64, 1, 1, False, True))
        x = block((64, 5, 1, True, False))
        x = spread(192, 5, 96, 2)
        for _ in range(4):
            x = spread(192, 3, 96)
        middle = x = block((96, 3, 1, True, False), (384, 1, 1, False, True), (96, 1, 1, False, False))
        x = block((96, 3, 1, True, False))
        x = spread(576, 3, 128, 2)
        x = block((128, 5, 1, True, False))
        for wide, kernel in ((512, 5), (512, 5), (384, 5), (512, 3), (512, 3)):
            x = spread(wide, kernel, 128)
        return fine, middle, block((960, 1, 1, False, True), (1280, 1, 1, False, True))

    def silu(name: str, source: str, count: int, kernel: int = 1, stride: int = 1) -> str:
        return net.conv(name, source, count, kernel, stride, silu=True)

    def joined(name: str, *parts: str) -> str:
        made = net.of("Concat", list(parts), name, 0.021, -117, axis=1)
        net.channels[made] = sum(net.channels[part] for part in parts)
        return made

    def doubled(name: str, source: str) -> str:
        scales = net.constant(f"{name}_by", np.array([1, 1, 2, 2], np.float32))
        asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        made = net.of("Resize", [source, "", scales], name, 0.02, -118, mode="nearest", **asymmetric)
        net.channels[made] = net.channels[source]
        return made

    def c3(name: str, source: str, hidden: int, count: int) -> str:
        beside, x = silu(f"{name}_2", source, hidden), silu(f"{name}_1", source, hidden)
        x = silu(f"{name}_m2", silu(f"{name}_m1", x, hidden), hidden, 3)
        return silu(f"{name}_3", joined(f"{name}_cat", x, beside), count)

    def attention(name: str, source: str, size: int, hidden: int) -> str:
        count, turn = net.channels[source], [0, 1, 3, 2]
        mean = {"scale": 0.01, "zero": -100}
        wide = net.of("AveragePool", [source], f"{name}_w", **mean, kernel_shape=[size, 1], strides=[size, 1])
        high = net.of("AveragePool", [source], f"{name}_h", **mean, kernel_shape=[1, size], strides=[1, size])
        wide = net.of("Transpose", [wide], f"{name}_turn", **mean, perm=turn)
        both = net.of("Concat", [high, wide], f"{name}_cat", **mean, axis=2)
        net.channels[both] = count
        x = net.conv(f"{name}_1", both, hidden, relu=False)
        gate = net.node("Add", [x, net.number(f"{name}_three", 3)], f"{name}_add")
        bounds = [net.constant(f"{name}_{k}", np.float32(k)) for k in (0, 6)]
        gate = net.of("Clip", [gate, *bounds], f"{name}_clip", 6 / 255, ZERO)
        gate = net.of("Div", [gate, bounds[1]], f"{name}_div", 1 / 255, ZERO)
        x = net.of("Mul", [x, gate], f"{name}_swish", 0.01, -40)
        names = [f"{name}_rows", f"{name}_columns"]
        parts = net.sizes(f"{name}_parts", size, size)
        net.nodes.append(helper.make_node("Split", [x, parts], names, name=f"{name}_split", axis=2))
        rows, columns = (net.quantized(part, 0.01, -40) for part in names)
        columns = net.of("Transpose", [columns], f"{name}_back", 0.01, -40, perm=turn)
        x = source
        for part, letter in ((rows, "y"), (columns, "x")):
            net.channels[part] = hidden
            part = net.conv(f"{name}_{letter}", part, count, relu=False)
            part = net.of("Sigmoid", [part], f"{name}_{letter}_gate", 1 / 256, ZERO)
            x = net.of("Mul", [x, part], f"{name}_{letter}_mul", 0.01, -110)
        net.channels[x] = count
        return x

    def head(name: str, source: str, size: int) -> str:
        grid = (1, 3, size, size, 2)

        def part(at: int, first: int, last: int, tensor: str) -> str:
            bounds = [net.sizes(f"{name}_{at}_{k}", v) for k, v in enumerate((first, last, 4))]
            return net.of("Slice", [tensor, *bounds], f"{name}_slice{at}", 0.01, 5)

        def two(op: str, tensor: str, other: str, scale: float, zero: int) -> str:
            return net.of(op, [tensor, other], f"{name}_{op}{len(net.nodes)}", scale, zero)

        x = net.conv(f"{name}_conv", source, 42, relu=False)
        x = net.of("Reshape", [x, net.sizes(f"{name}_shape", 1, 3, 14, size, size)], f"{name}_five", 0.01, 5)
        bounds = [net.sizes(f"{name}_conf_{k}", v) for k, v in enumerate((13, 14, 2))]
        last = net.node("Slice", [x, *bounds], f"{name}_conf")
        last = net.of("Transpose", [last], f"{name}_conf_turned", 0.01, 5, perm=[0, 1, 3, 4, 2])
        x = net.of("Transpose", [x], f"{name}_turned", 0.01, 5, perm=[0, 1, 3, 4, 2])
        corners, box = part(1, 5, 13, x), part(0, 0, 5, x)
        box, last = (
            net.of("Sigmoid", [t], f"{name}_gate{k}", 1 / 256, ZERO) for k, t in enumerate((box, last))
        )
        x = net.of("Concat", [box, corners, last], f"{name}_inner", 0.02, -3, axis=4)
        x = two("Add", net.values(f"{name}_nothing", (1, 3, size, size, 14)), x, 0.02, -3)
        parts = [part(3 + k, at, at + 2, x) for k, at in enumerate((0, 2, 5, 7, 9, 11))]
        kept, classes = part(9, 4, 5, x), part(10, 13, 14, x)
        xy = two("Mul", parts[0], net.number(f"{name}_two0", 2), 0.01, -9)
        xy = two("Sub", xy, net.constant(f"{name}_half", np.float32(0.5)), 0.01, -9)
        xy = two("Add", xy, net.values(f"{name}_grid", grid), 0.3, -90)
        xy = two("Mul", xy, net.number(f"{name}_stride", 8), 1.6, -120)
        wh = two("Mul", parts[1], net.number(f"{name}_two1", 2), 0.01, -9)
        wh = two("Pow", wh, net.number(f"{name}_two2", 2), 0.02, ZERO)
        wh = two("Mul", wh, net.values(f"{name}_anchors", grid), 1.6, -120)
        marks = [two("Mul", p, net.values(f"{name}_mark{k}", grid), 1.6, -9) for k, p in enumerate(parts[2:])]
        marks = [two("Add", p, net.values(f"{name}_at{k}", grid), 1.6, -20) for k, p in enumerate(marks)]
        x = net.of("Concat", [xy, wh, kept, *marks, classes], f"{name}_outer", 1.7, -110, axis=4)
        flat = net.sizes(f"{name}_flat", 1, 3 * size * size, 14)
        return net.of("Reshape", [x, flat], f"{name}_rows", 1.7, -110)

    fine, middle, x = backbone()
    coarse = silu("m3", x, 256)
    x = silu("m7", c3("m6", joined("m5", doubled("m4", coarse), middle), 128, 256), 128)
    first = attention("m11", c3("m10", joined("m9", doubled("m8", x), fine), 64, 128), 52, 8)
    second = c3("m14", joined("m13", silu("m12", first, 128, 3, 2), x), 128, 256)
    second = attention("m15", second, 26, 8)
    third = c3("m18", joined("m17", silu("m16", second, 256, 3, 2), coarse), 256, 512)
    third = attention("m19", third, 13, 16)
    scales = ((first, 52), (second, 26), (third, 13))
    rows = [head(f"h{k}", source, size) for k, (source, size) in enumerate(scales)]
    result = net.of("Concat", rows, "output_rows", 1.7, -110, axis=1)
    return net.model(result, (1, 10647, 14), opset=13).SerializeToString()


def touchpad() -> bytes:
    """Three convolutions, squeeze and excitation, and five slots that read a Concat with a constant each."""
    net = Rebuilt((1, 3, 12, 20), ZERO)
    x = net.first
    for k, count in enumerate((16, 32, 64)):
        x = net.conv(f"encoder{k}", x, count, 3)
    gate = net.of("GlobalAveragePool", [x], "squeeze", 0.01, ZERO)
    gate = net.of("Reshape", [gate, net.sizes("row", 1, 64)], "squeezed", 0.01, ZERO)
    for k, shape in enumerate(((64, 16), (16, 64))):
        initializers = net.constant(f"excite{k}_w", net.drawn.integers(-127, 128, shape).astype(np.int8))
        scale = [net.constant(f"excite{k}_s", np.float32(0.002)), net.constant(f"excite{k}_z", np.int8(0))]
        gate = net.node(
            "MatMul",
            [gate, net.node("DequantizeLinear", [initializers, *scale], f"excite{k}_f")],
            f"excite{k}",
        )
        gate = gate if k else net.node("Relu", [gate], "excite_relu")
        gate = net.quantized(gate, 0.01, 4 if k else ZERO)
    gate = net.of("Sigmoid", [gate], "gate", 1 / 256, ZERO)
    gate = net.of("Reshape", [gate, net.sizes("position", 1, 64, 1, 1)], "gates", 1 / 256, ZERO)
    x = net.of("Mul", [x, gate], "excited", 0.01, ZERO)
    x = net.of("Reshape", [x, net.sizes("flat", 1, 15360)], "flattened", 0.01, ZERO)

    def gemm(name: str, source: str, shape: tuple[int, int], relu: bool) -> str:
        return net.weighted("Gemm", name, source, shape, ZERO if relu else net.zero(), relu, transB=1)

    def slot(name: str, source: str) -> str:
        own = net.values(f"{name}_own", (1, 32), 0.04)
        x = net.of("Concat", [source, own], f"{name}_cat", 0.03, -30, axis=1)
        sizes = {"active": (64, 1), "offset": (128, 418), "region": (128, 209)}
        active, offset, region = (
            gemm(f"{name}_{k}1", gemm(f"{name}_{k}0", x, (hidden, 160), True), (count, hidden), False)
            for k, (hidden, count) in sizes.items()
        )
        active = net.of("Squeeze", [active, net.sizes(f"{name}_s0", 1)], f"{name}_active", 0.01, 3)
        active = net.of("Unsqueeze", [active, net.sizes(f"{name}_s1", 1)], f"{name}_actives", 0.01, 3)
        offset = net.of("Tanh", [offset], f"{name}_tanh", 1 / 128, 0)
        offset = net.of(
            "Reshape", [offset, net.sizes(f"{name}_pairs", 1, 2, 209)], f"{name}_offset", 1 / 128, 0
        )
        region = net.of("Softmax", [region], f"{name}_softmax", 1 / 256, ZERO, axis=1)
        region = net.of("Unsqueeze", [region, net.sizes(f"{name}_s2", 1)], f"{name}_region", 1 / 256, ZERO)
        moved = net.of("Mul", [region, offset], f"{name}_moved", 1 / 256, 0)
        where = net.of(
            "Mul", [region, net.values(f"{name}_grid", (1, 2, 209))], f"{name}_where", 1 / 256, ZERO
        )
        moved, where = (
            net.of("ReduceSum", [t, net.sizes(f"{name}_axis{k}", 2)], f"{name}_sum{k}", 0.01, -k, keepdims=0)
            for k, t in enumerate((moved, where))
        )
        moved = net.of("Mul", [moved, net.values(f"{name}_cell", (1, 2))], f"{name}_cells", 0.001, 0)
        where = net.of("Add", [where, moved], f"{name}_place", 0.01, -120)
        branches = []
        for k in range(2):
            at = net.constant(f"{name}_at{k}", np.array(k, np.int64))
            one = net.of("Gather", [where, at], f"{name}_gather{k}", 0.01, -120, axis=1)
            branches.append(
                net.of("Unsqueeze", [one, net.sizes(f"{name}_g{k}", 1)], f"{name}_one{k}", 0.01, -120)
            )
        x = net.of("Concat", [*branches, active], f"{name}_three", 0.02, -70, axis=1)
        return net.of("Unsqueeze", [x, net.sizes(f"{name}_s3", 1)], f"{name}_row", 0.02, -70)

    x = gemm("shared1", gemm("shared0", x, (256, 15360), True), (128, 256), True)
    result = net.of("Concat", [slot(f"slot{k}", x) for k in range(5)], "output_rows", 0.02, -70, axis=1)
    made: onnx.ModelProto = net.model(result, (1, 5, 3), opset=13)
    return made.SerializeToString()


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


def gestures() -> bytes:
    """rps_int8 (NetanelUnger/N6_tof, Core 4.0.1): a uint8 map that is cast, four Convs, a mean, two Gemms, a Softmax."""
    net = Net((1, 1, 50, 64), TensorProto.UINT8)
    last = net.quantized(net.node("Cast", ["x"], "cast", to=TensorProto.FLOAT), 0.996, -128)
    channels = 1
    for k, count in enumerate((16, 32, 48, 64)):
        last = net.weighted("Conv", f"conv{k}", last, (count, channels, 3, 3), -128, **SAME)
        if k < 3:
            last = net.quantized(net.node("MaxPool", [last], f"pool{k}", **HALF), 0.01, -128)
        channels = count
    axes = net.constant("axes", np.array([2, 3]))
    last = net.quantized(net.node("ReduceMean", [last, axes], "mean", keepdims=0), 0.004, -128)
    last = net.weighted("Gemm", "fc1", last, (32, 64), -128, transB=1)
    last = net.weighted("Gemm", "fc2", last, (4, 32), 7, relu=False, transB=1)
    net.quantized(net.node("Softmax", [last], "softmax", axis=1), 1 / 256, -128)
    net.nodes.pop()
    return net.model("softmax_q", (1, 4), TensorProto.INT8).SerializeToString()


def sounds() -> bytes:
    """toy_sound_classifier_int8 (sijiaohanshusin/NECCS_N647, Core 4.0.0): three Convs, a Flatten and a Gemm."""
    net = Net((1, 1, 32, 64))
    last, channels = net.quantized("x", 0.0039, -128), 1
    for k, count in enumerate((8, 16, 32)):
        last = net.weighted("Conv", f"conv{k}", last, (count, channels, 3, 3), -128, **SAME)
        last = net.quantized(net.node("MaxPool", [last], f"pool{k}", **HALF), 0.01, -128)
        channels = count
    last = net.quantized(net.node("Flatten", [last], "flat"), 0.01, -128)
    last = net.weighted("Gemm", "fc", last, (6, 1024), -24, relu=False, transB=1)
    return net.model(last, (1, 6)).SerializeToString()


def squares() -> bytes:
    """A segmentation of 128 x 128 (Maria0419/stm32n6-model-example, 4.0.1): thirteen convolutions one after another."""
    net = Rebuilt((1, 1, 128, 128), ZERO)
    x = net.first
    for k in range(12):
        x = net.conv(f"conv{k}", x, 32, 3)
    made: onnx.ModelProto = net.model(net.conv("logits", x, 1, relu=False), (1, 1, 128, 128), opset=13)
    return made.SerializeToString()
