"""Classifiers of ST's model zoo that come from PyTorch (most from pytorchcv): padded alike on both sides, no Softmax.

Weights and the zero points of sums are drawn.
"""

from __future__ import annotations

import numpy as np
from onnx import helper

from builders.networks.mobilenets import FAST, RELU6, V1, V2, eights
from builders.networks.stem_nets import Branched, State


class Torch(Branched):
    """A map on its way through a network of PyTorch."""

    def __init__(self, side: int | tuple[int, int], zero: int = -1) -> None:
        super().__init__(side, zero=zero)
        self.scales: dict[str, float] = {}
        """Of what Concats made; that of all else is 0.01."""

    def conv(
        self, count: int, kernel: int = 1, stride: int = 1, each: bool = False, linear: bool = False
    ) -> None:
        pad, groups = kernel // 2, self.channels if each else 1
        self.window(count, (kernel, kernel), (pad, pad), stride, groups, not linear)

    def each(self, kernel: int = 3, stride: int = 1, linear: bool = False) -> None:
        """A convolution of each channel."""
        self.conv(self.channels, kernel, stride, each=True, linear=linear)

    def largest(self, kernel: int = 3, pad: int = 1) -> None:
        """A MaxPool that halves the map."""
        self.count += 1
        pooled = self.net.node(
            "MaxPool", [self.last], f"pool{self.count}", kernel_shape=[kernel] * 2, strides=[2, 2], pads=[pad] * 4
        )  # fmt: skip
        self.last, self.side = self.net.quantized(pooled, 0.01, RELU6), self.side // 2

    def together(self, states: list[State], linear: bool = False) -> None:
        """The Concat of several, with values below zero if `linear`.

        It has the scale of the part with the largest value, which may lie in any channel: that of the first part if it lies there.
        """
        self.count += 1
        made = self.net.node("Concat", [one[0] for one in states], f"concat{self.count}", axis=1)
        self.channels, self.side = sum(one[1] for one in states), states[0][2]
        first, least = states[0], max(self.scales.get(one[0], 0.01) for one in states)
        kept = not linear and self.drawn.random() < first[1] / self.channels
        scale = self.scales.get(first[0], 0.01) if kept else least * 1.02
        self.last = self.net.quantized(made, scale, self.zero() if linear else RELU6)
        self.scales[self.last] = scale

    def halved_mean(self) -> None:
        """The mean of 2 x 2."""
        self.count += 1
        pooled = self.net.node(
            "AveragePool", [self.last], f"mean{self.count}", kernel_shape=[2, 2], strides=[2, 2]
        )
        self.last, self.side = self.net.quantized(pooled, 0.01, RELU6), self.side // 2

    def halves(self) -> tuple[State, State]:
        """The two halves of the channels."""
        self.count += 1
        net, k, half = self.net, self.count, self.channels // 2
        parts = [f"half{k}_0", f"half{k}_1"]
        sizes = net.constant(f"sizes{k}", np.array([half, half]))
        net.nodes.append(helper.make_node("Split", [self.last, sizes], parts, name=f"split{k}", axis=1))
        one, other = (net.quantized(part, 0.01, RELU6) for part in parts)
        return (one, half, self.side), (other, half, self.side)

    def shuffle(self) -> None:
        """The channels of two groups in turn."""
        self.count += 1
        net, k, side = self.net, self.count, self.side
        for step, shape in (
            ("apart", (1, 2, self.channels // 2, side, side)),
            ("back", (1, self.channels, side, side)),
        ):
            made = net.node(
                "Reshape", [self.last, net.constant(f"{step}{k}_shape", np.array(shape))], f"{step}{k}"
            )
            self.last = net.quantized(made, 0.01, RELU6)
            if step == "apart":
                made = net.node("Transpose", [self.last], f"turned{k}", perm=[0, 2, 1, 3, 4])
                self.last = net.quantized(made, 0.01, RELU6)

    def summed(self, other: str, relu: bool = True) -> None:
        """The sum with another map."""
        self.count += 1
        made = self.net.node("Add", [self.last, other], f"add{self.count}")
        if relu:
            made = self.net.node("Relu", [made], f"sum{self.count}")
        self.last = self.net.quantized(made, 0.02, RELU6 if relu else self.zero())

    def scored(self, classes: int = 1000) -> bytes:
        """The mean of the map and a Gemm: logits."""
        net = self.net
        mean = net.quantized(net.node("GlobalAveragePool", [self.last], "mean"), 0.02, RELU6)
        row = net.quantized(net.node("Flatten", [mean], "row"), 0.02, RELU6)
        result = net.weighted("Gemm", "classes", row, (classes, self.channels), 5, False, transB=1)
        return net.model(result, (1, classes)).SerializeToString()


def mobile(width: float, simple: bool = False, fast: bool = False) -> bytes:
    """MobileNetV1, or FD-MobileNet; `simple` has no activation between the two of a pair."""
    net = Torch(224)
    net.conv(int(32 * width), 3, 2)
    for count, stride in FAST if fast else V1:
        net.each(3, stride, linear=simple)
        net.conv(int(count * width))
    return net.scored()


def eyes(classes: int, zero: int) -> bytes:
    """MobileNetV2 of torchvision on 64 x 128, whose input has that zero point."""
    return mobile_v2(1, True, True, Torch((64, 128), zero), classes)


def mobile_v2(
    width: float, simple: bool = False, rounded: bool = False, net: Torch | None = None, classes: int = 1000
) -> bytes:
    """MobileNetV2; its channels are `rounded` to eights or not, and only the `simple` has no first expansion."""
    net, widen = net or Torch(224), eights if rounded else int
    net.conv(widen(32 * width), 3, 2)
    for expansion, count, times, stride in V2:
        for at in range(times):
            before, channels = net.last, net.channels
            if expansion > 1 or not simple:
                net.conv(channels * expansion)
            net.each(3, 1 if at else stride)
            net.conv(widen(count * width), linear=True)
            if at:
                net.summed(before, False)
    net.conv(1280)
    return net.scored(classes)


def quarter_resnet() -> bytes:
    """ResNet18 of a quarter of the width whose last block has all 512 channels."""
    net = Torch(224)
    net.window(16, (7, 7), (3, 3), 2)
    net.largest()
    for stage, widths in enumerate(((16, 16), (32, 32), (64, 64), (128, 512))):
        for at, width in enumerate(widths):
            before, stride = net.state, 2 if stage and not at else 1
            net.conv(width, 3, stride)
            net.conv(width, 3, linear=True)
            made = net.state
            if before[1:] != made[1:]:
                net.back(before)
                net.conv(width, 1, stride, linear=True)
                before = net.state
            net.back(made)
            net.summed(before[0])
    return net.scored()


def pelee() -> bytes:
    net = Torch(224)
    net.conv(32, 3, 2)
    first = net.state
    net.conv(16)
    net.conv(32, 3, 2)
    one = net.state
    net.back(first)
    net.largest(2, 0)
    net.together([one, net.state])
    net.conv(32)
    for stage, (times, wide) in enumerate(((3, 1), (4, 2), (8, 4), (6, 4))):
        if stage:
            net.conv(net.channels)
            net.halved_mean()
        for _ in range(times):
            before = net.state
            net.conv(16 * wide)
            net.conv(16, 3)
            one = net.state
            net.back(before)
            net.conv(16 * wide)
            net.conv(16, 3)
            net.conv(16, 3)
            net.together([before, one, net.state])
    net.conv(net.channels)
    return net.scored()


def harmonic() -> bytes:
    """HarDNet-39DS."""
    net = Torch(224)
    net.conv(24, 3, 2)
    net.conv(48)
    net.each(3, 2, linear=True)
    for stage, (layers, out, growth) in enumerate(((4, 96, 16), (16, 320, 20), (8, 640, 64), (4, 1024, 160))):
        made = [net.state]
        for layer in range(1, layers + 1):
            links = [layer - 2**k for k in range(10) if layer % 2**k == 0]
            count = growth * 1.6 ** (len(links) - 1)
            if len(links) > 1:
                net.together([made[t] for t in links], linear=True)
            else:
                net.back(made[links[0]])
            net.conv(int(int(count + 1) / 2) * 2)
            net.each(linear=True)
            made.append(net.state)
        net.together([one for i, one in enumerate(made) if i == layers or i % 2], linear=True)
        net.conv(out)
        if stage < 3:
            net.each(3, 2, linear=True)
    return net.scored()


def shuffled(width: tuple[int, int, int], second: bool = False) -> bytes:
    """ShuffleNetV2; the `second` of pytorchcv keeps the channels of the shortcut."""
    net = Torch(224)
    net.conv(24, 3, 2)
    net.halved() if not second else net.largest()
    for count, times in zip(width, (4, 8, 4), strict=True):
        for at in range(times):
            if at:
                kept, part = net.halves()
                net.back(part)
            else:
                whole = net.state
                net.each(3, 2, linear=True)
                net.conv(whole[1] if second else count // 2)
                kept = net.state
                net.back(whole)
            rest = count - kept[1] if second else count // 2
            net.conv(count // 2)
            net.each(3, 1 if at else 2, linear=True)
            net.conv(rest)
            net.together([kept, net.state])
            net.shuffle()
    net.conv(1024)
    return net.scored()


PROXYLESS = (
    (((3, 1, 16),), 1),
    (((5, 3, 32), (3, 3, 32)), 2),
    (((7, 3, 40), (3, 3, 40), (5, 3, 40), (5, 3, 40)), 2),
    (((7, 6, 80), (5, 3, 80), (5, 3, 80), (5, 3, 80)), 2),
    (((5, 6, 96), (5, 3, 96), (5, 3, 96), (5, 3, 96)), 1),
    (((7, 6, 192), (7, 6, 192), (7, 3, 192), (7, 3, 192)), 2),
    (((7, 6, 320),), 1),
)
"""Kernel, expansion and channels of each block, and the stride of the first."""


def proxyless() -> bytes:
    """ProxylessNAS for mobiles."""
    net = Torch(224)
    net.conv(32, 3, 2)
    for blocks, stride in PROXYLESS:
        for at, (kernel, wide, count) in enumerate(blocks):
            before = net.last
            if wide > 1:
                net.conv(net.channels * wide)
            net.each(kernel, 1 if at else stride)
            net.conv(count, linear=True)
            if at:
                net.summed(before, False)
    net.conv(1280)
    return net.scored()


Block = tuple[tuple[int, ...], tuple[int, ...], int]
"""Channels of the first three convolutions (one: a single 3x3) and of the second, and those of a shortcut in three steps (0: one step)."""
ST_RESNET: dict[str, tuple[int, int, bool, tuple[tuple[int, ...], ...]]] = {
    "pico": (
        8,
        32,
        True,
        ((24, 16, 0), (24, 8, 0), (24, 8, 8), (8, 8, 0), (8, 8, 8), (8, 8, 0), (8, 8, 8), (8, 8, 0)),
    ),
    "nano": (
        8,
        32,
        True,
        ((0, 32, 0), (0, 40, 0), (0, 32, 0), (64, 16, 0), (48, 16, 8), (48, 8, 0), (32, 8, 8), (48, 8, 0)),
    ),
    "micro": (
        8,
        64,
        False,
        ((0, 0, 0), (0, 0, 0), (0, 40, 0), (88, 32, 0), (88, 72, 16), (80, 32, 0), (80, 8, 24), (72, 64, 0)),
    ),
    "tiny": (
        16,
        64,
        False,
        ((0, 0, 0), (0, 0, 0), (0, 96, 0), (0, 80, 0), (0, 192, 0), (0, 96, 0), (208, 88, 0), (192, 112, 0)),
    ),
}
"""Channels of the stem's 7x7 and behind it, whether a 1x1 follows the pooling, and of each block the channels between the three steps
that stand for its first and its second 3x3 and for its shortcut (0: it is one step)."""


def st_resnet(size: str) -> bytes:
    """ST's own ResNet18 taken apart."""
    stem, behind, projects, blocks = ST_RESNET[size]
    net = Torch(224)

    def conv(few: int, count: int, kernel: int, stride: int, linear: bool) -> None:
        if few:
            net.conv(few, linear=True)
            net.conv(few, kernel, stride, linear=True)
            net.conv(count, linear=linear)
        else:
            net.conv(count, kernel, stride, linear=linear)

    net.conv(3, linear=True)
    net.window(stem, (7, 7), (3, 3), 2, relu=False)
    net.conv(behind)
    net.largest()
    if projects:
        net.conv(64, linear=True)
    for at, (first, second, shortcut) in enumerate(blocks):
        count, before = 64 << at // 2, net.state
        stride = 1 if before[1] == count else 2
        conv(first, count, 3, stride, False)
        conv(second, count, 3, 1, True)
        made = net.state
        if stride == 2:
            net.back(before)
            conv(shortcut, count, 1, 2, True)
            before = net.state
        net.back(made)
        net.summed(before[0])
    return net.scored()


class Tree(Torch):
    """Aggregates its blocks in trees."""

    def __init__(self, cardinality: int, width: int) -> None:
        super().__init__(224)
        self.cardinality, self.width = cardinality, width

    def block(self, count: int, stride: int) -> State:
        """A residual block; what its input is when it is as small as the result."""
        whole = self.state
        if stride > 1:
            self.largest(2, 0)
        down = self.state
        if whole[1] != count:
            self.conv(count, linear=True)
        kept = self.state
        self.back(whole)
        if self.cardinality:
            middle = self.cardinality * (count // 4 * self.width // 64)
            self.conv(middle)
            self.window(middle, (3, 3), (1, 1), stride, self.cardinality)
        else:
            self.conv(count // 2)
            self.conv(count // 2, 3, stride)
        self.conv(count, linear=True)
        self.summed(kept[0])
        return down

    def tree(self, levels: int, count: int, stride: int, extra: list[State], own: bool) -> State:
        """A tree of that many levels; `own`: the first of its stage, whose input goes into its root."""
        if levels == 1:
            down = self.block(count, stride)
            first = self.state
            self.block(count, 1)
            self.together([self.state, first, *([*extra, down] if own else extra)])
            self.conv(count)
            return down
        down = self.tree(levels - 1, count, stride, [], False)
        more = [*extra, *([down] if own else []), self.state]
        self.tree(levels - 1, count, 1, more, False)
        return down


def aggregated(levels: tuple[int, ...], grouped: bool) -> bytes:
    """DLA-46-C, DLA-X-46-C and DLA-X-60-C."""
    net = Tree(32 if grouped else 0, 8 if grouped else 0)
    net.window(16, (7, 7), (3, 3))
    net.conv(16, 3)
    net.conv(32, 3, 2)
    for stage, (deep, count) in enumerate(zip(levels, (64, 64, 128, 256), strict=True)):
        net.tree(deep, count, 2, [], stage > 0)
    mean = net.net.quantized(net.net.node("GlobalAveragePool", [net.last], "mean"), 0.02, RELU6)
    net.last, net.side = mean, 1
    net.conv(1000, linear=True)
    row = net.net.quantized(net.net.node("Flatten", [net.last], "row"), 0.01, 3)
    return net.net.model(row, (1, 1000)).SerializeToString()
