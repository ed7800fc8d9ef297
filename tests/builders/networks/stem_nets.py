"""SqueezeNet, SqueezeNext and RegNet as ST's model zoo has them from pytorchcv; weights and the zero points of sums are drawn."""

from __future__ import annotations

from builders.networks.mobilenets import RELU6, Chain

State = tuple[str, int, int]
"""A map, its channels and its side."""


class Branched(Chain):
    """A map that is kept and come back to."""

    @property
    def state(self) -> State:
        return self.last, self.channels, self.side

    def back(self, state: State) -> None:
        self.last, self.channels, self.side = state

    def window(
        self, count: int, kernel: tuple[int, int], pad: tuple[int, int], stride: int = 1, groups: int = 1, relu: bool = True
    ) -> None:  # fmt: skip
        """A Conv padded alike on both sides."""
        self.count += 1
        self.last = self.net.weighted(
            "Conv", f"conv{self.count}", self.last, (count, self.channels // groups, *kernel),
            RELU6 if relu else self.zero(), relu, group=groups, strides=[stride] * 2, pads=[*pad, *pad],
            kernel_shape=list(kernel),
        )  # fmt: skip
        self.channels, self.side = count, (self.side + 2 * max(pad) - max(kernel)) // stride + 1

    def halved(self) -> None:
        """A MaxPool of 3x3 whose last window may reach beyond the map."""
        self.count += 1
        pooled = self.net.node(
            "MaxPool", [self.last], f"pool{self.count}", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
        )
        self.last, self.side = self.net.quantized(pooled, 0.01, RELU6), -(-(self.side - 3) // 2) + 1

    def joined(self, one: State, other: State, op: str) -> None:
        """Their Concat, or their sum and its Relu."""
        self.count += 1
        attributes = {"axis": 1} if op == "Concat" else {}
        made = self.net.node(op, [one[0], other[0]], f"{op.lower()}{self.count}", **attributes)
        if op == "Add":
            made = self.net.node("Relu", [made], f"sum{self.count}")
        self.last, self.side = self.net.quantized(made, 0.01, RELU6), one[2]
        self.channels = one[1] + other[1] if op == "Concat" else one[1]


def squeezenet() -> bytes:
    """Version 1.0."""
    chain = Branched(224)
    chain.window(96, (7, 7), (0, 0), 2)
    fires = ((16, 64), (16, 64), (32, 128)), ((32, 128), (48, 192), (48, 192), (64, 256)), ((64, 256),)
    for stage in fires:
        chain.halved()
        for few, each in stage:
            chain.conv(few)
            squeezed = chain.state
            chain.conv(each)
            one = chain.state
            chain.back(squeezed)
            chain.conv(each, 3)
            chain.joined(one, chain.state, "Concat")
    chain.conv(1000)
    net = chain.net
    mean = net.quantized(net.node("GlobalAveragePool", [chain.last], "mean"), 0.02, RELU6)
    return net.model(
        net.quantized(net.node("Flatten", [mean], "row"), 0.02, RELU6), (1, 1000)
    ).SerializeToString()


def squeezenext(width: float, stages: tuple[int, ...] = (6, 6, 8, 1)) -> bytes:
    chain = Branched(224)
    chain.window(int(64 * width), (7, 7), (1, 1), 2)
    chain.halved()
    for stage, (times, count) in enumerate(zip(stages, (32, 64, 128, 256), strict=True)):
        out = int(count * width)
        for at in range(times):
            before, inputs = chain.state, chain.channels
            stride = 2 if stage and not at else 1
            less = 1 if stride == 2 else 4 if inputs > out else 2
            chain.window(inputs // less, (1, 1), (0, 0), stride)
            chain.window(inputs // (2 * less), (1, 1), (0, 0))
            chain.window(inputs // less, (1, 3), (0, 1))
            chain.window(inputs // less, (3, 1), (1, 0))
            chain.window(out, (1, 1), (0, 0))
            made = chain.state
            if stride == 2 or inputs > out:
                chain.back(before)
                chain.window(out, (1, 1), (0, 0), stride)
                before = chain.state
            chain.joined(made, before, "Add")
    chain.conv(int(128 * width))
    return chain.classified(1000)


def regnet() -> bytes:
    """RegNetX-002: 13 convolutions of 3x3 in groups of eight channels."""
    chain = Branched(224)
    chain.conv(32, 3, 2)
    for times, width in zip((1, 1, 4, 7), (24, 56, 152, 368), strict=True):
        for at in range(times):
            before = chain.state
            chain.conv(width)
            chain.window(width, (3, 3), (1, 1), 1 if at else 2, width // 8)
            chain.conv(width, linear=True)
            made = chain.state
            if not at:
                chain.back(before)
                chain.window(width, (1, 1), (0, 0), 2, relu=False)
                before = chain.state
            chain.joined(made, before, "Add")
    return chain.classified(1000)
