"""LiSenNet as LarocheC/eco8-neaixt compiles it (Core 4.0.1): one frame at a time, the frames before are inputs.

Its graph is written from the project's description: 18 states, bands that a Slice takes apart and a Concat joins, dilated
convolutions along the frames, and two Gathers of the mask's channels. `tape` is mikekss/tymbal's streaming TCN (Core 4.0).
"""

from __future__ import annotations

import numpy as np

from builders.networks.audio_nets import ZERO, add_borders
from builders.networks.small_nets import Net

CHANNELS, BLOCKS, DILATIONS = 20, 2, (1, 2, 4, 8)
END = 2**31 - 1


class Stream(Net):
    """A network of single rows; every method takes and gives the name of a dequantized tensor."""

    def __init__(self) -> None:
        super().__init__((1, 3, 1, 257))
        self.states: list[tuple[int, ...]] = []
        self.left: list[str] = []
        self.count = 0

    def named(self, op: str) -> str:
        self.count += 1
        return f"{op}{self.count}"

    def put(self, op: str, inputs: list[str], zero: int = 3, **attributes: object) -> str:
        """An operator between a Q and a DQ of its own."""
        scale = 0.01 + 0.001 * (self.count % 7)
        return self.quantized(self.node(op, inputs, self.named(op), **attributes), scale, zero)

    def whole(self, *values: int) -> str:
        return self.constant(self.named("sizes"), np.array(values, np.int64))

    def conv(
        self,
        x: str,
        into: int,
        made: int,
        kernel: tuple[int, int],
        relu: bool = False,
        group: int = 1,
        **attributes: object,
    ) -> str:
        shape, zero = (made, into // group, *kernel), ZERO if relu else 3
        return self.weighted(
            "Conv",
            self.named("conv"),
            x,
            shape,
            zero,
            relu=relu,
            kernel_shape=list(kernel),
            group=group,
            **attributes,
        )

    def part(self, x: str, start: int, end: int, axis: int) -> str:
        limits = [self.whole(start), self.whole(end), self.whole(axis), self.whole(1)]
        return self.put("Slice", [x, *limits])

    def normalized(self, x: str, channels: int, relu: bool = False) -> str:
        values = np.linspace(0.5, 1.5, channels).astype(np.float32)
        inputs = [x, *(self.constant(self.named("bn"), values) for _ in range(4))]
        made = self.node("BatchNormalization", inputs, self.named("norm"))
        if relu:
            made = self.node("Relu", [made], self.named("relu"))
        return self.quantized(made, 0.02, ZERO if relu else 4)

    def padded(self, x: str) -> str:
        return self.put(
            "Pad",
            [x, self.whole(0, 0, 0, 1, 0, 0, 0, 1), self.constant(self.named("nothing"), np.float32(0))],
        )

    def framed(self, x: str, shape: tuple[int, int, int]) -> str:
        """The frames before and this one; all but the first are the state that comes out."""
        state = f"state{len(self.states)}"
        frames = self.put("Concat", [self.quantized(state, 0.02, 0), x], axis=2)
        self.left.append(self.part(frames, 1, END, 2))
        self.states.append((1, *shape))
        return frames

    def down(self, x: str, into: int, made: int, width: int) -> str:
        """Two bands, each convolved with a frame before; the upper one steps by three."""
        low = width // 4
        one, other = self.part(x, 0, low, 3), self.part(x, low, END, 3)
        one = self.conv(self.padded(self.framed(one, (into, 1, low))), into, made, (2, 3))
        other = self.padded(self.framed(other, (into, 1, width - low)))
        other = self.conv(other, into, made, (2, 5), strides=[1, 3])
        return self.normalized(self.put("Concat", [one, other], axis=3), made, relu=True)

    def up(self, x: str, into: int, made: int, width: int) -> str:
        low = width // 2
        one, other = self.part(x, 0, low, 3), self.part(x, low, END, 3)
        one = self.conv(self.padded(one), into, made, (1, 3))
        weights = self.random.integers(-127, 128, (into, made, 1, 3)).astype(np.int8)
        inputs = [
            other,
            self.node(
                "DequantizeLinear",
                [
                    self.constant(self.named("w"), weights),
                    self.constant(self.named("scale"), np.float32(0.002)),
                    self.constant(self.named("zero"), np.int8(0)),
                ],
                self.named("weights"),
            ),
            self.dequantized(self.named("bias"), np.zeros(made, np.int32), 1e-5),
        ]
        other = self.put("ConvTranspose", inputs, kernel_shape=[1, 3], strides=[1, 3])
        return self.put("Concat", [one, other], axis=3)

    def block(self, x: str) -> str:
        many = CHANNELS
        wide = self.conv(self.normalized(x, many), many, many, (1, 7), group=many, pads=[0, 3, 0, 3])
        x = self.put("Add", [x, self.conv(wide, many, many, (1, 1), relu=True)])
        y = self.normalized(x, many)
        for dilation in DILATIONS:
            y = self.framed(y, (many, 2 * dilation, 32))
            y = self.conv(y, many, many, (3, 1), group=many, dilations=[dilation, 1])
            y = self.conv(y, many, many, (1, 1), relu=True)
        x = self.put("Add", [x, y])
        y = self.conv(self.normalized(x, many), many, 4 * many, (1, 1))
        gate, value = self.part(y, 0, 2 * many, 1), self.part(y, 2 * many, 4 * many, 1)
        gate = self.padded(self.framed(gate, (2 * many, 2, 32)))
        gate = self.conv(gate, 2 * many, 2 * many, (3, 3), relu=True, group=2 * many)
        gate = self.conv(self.put("Mul", [gate, value]), 2 * many, many, (1, 1))
        return self.put("Add", [gate, x])


def speech() -> bytes:
    """The whole network, of 20 channels and two blocks."""
    net = Stream()
    x = net.quantized("x", 0.02, 0)
    quarter = CHANNELS // 4
    sizes = [(quarter * (k + 1), quarter * (k + 2)) for k in range(3)]
    first = net.put("Gather", [x, net.constant("first", np.int64(0))], axis=1)
    x = net.conv(x, 3, quarter, (1, 1), relu=True)
    kept = []
    for (into, made), width in zip(sizes, (257, 128, 64), strict=True):
        x = net.down(x, into, made, width)
        kept.append(x)
    for _ in range(BLOCKS):
        x = net.block(x)
    for into, _ in reversed(sizes):
        beside = kept.pop()
        width = 32 * 2 ** (2 - len(kept))
        x = net.up(net.put("Concat", [x, beside], axis=1), 2 * (into + quarter), into, width)
    x = net.padded(net.framed(x, (quarter, 1, 256)))
    x = net.conv(net.conv(x, quarter, 2, (2, 2), relu=True), 2, 2, (1, 1))
    x = net.put("Transpose", [x], perm=[0, 3, 2, 1])
    x = net.quantized(net.node("Sigmoid", [x], "sigmoid"), 1 / 256, ZERO)
    x = net.put("Transpose", [x], perm=[0, 3, 2, 1])
    masked = []
    for k in range(2):
        mask = net.put("Gather", [x, net.constant(f"index{k}", np.int64(k))], axis=1)
        least = net.quantized(net.constant(f"least{k}", np.float32(1e-2)), 0.01, 0)
        masked.append(net.put("Mul", [net.put("Add", [mask, least]), first]))
    made = net.model(net.put("Add", masked), (1, 1, 257))
    for k, (state, left) in enumerate(zip(net.states, net.left, strict=True)):
        add_borders(made, [f"state{k}"], [], state)
        add_borders(made, [], [left], state)
    return made.SerializeToString()


def tape(layers: int, taps: int, channels: int = 128, rows: int = 12, columns: int = 48) -> bytes:
    """Layers that join the columns before with these and convolve them, dilated by 1 to 32, as ONNX Runtime quantizes them."""
    net = Net((1, 9, rows, columns))
    limits = {k: net.constant(f"limit{k}", np.array([k], np.int64)) for k in (3, columns)}
    ends: dict[int, str] = {}
    states: list[tuple[str, tuple[int, ...]]] = []
    h = net.weighted("Conv", "head", net.quantized("x", 0.02, 0), (channels, 9, 1, 1), 4, relu=False)
    for k in range(layers):
        step = 2 ** (k % 6)
        before = (taps - 1) * step
        state = net.quantized(f"state{k}", 0.008, 2)
        wide = net.quantized(net.node("Concat", [state, h], f"joined{k}", axis=3), 0.012 + 0.001 * k, 5)
        shape = (channels, channels, 1, taps)
        made = net.weighted("Conv", f"conv{k}", wide, shape, ZERO, dilations=[1, step])
        h = net.quantized(net.node("Add", [h, made], f"add{k}"), 0.012 + 0.001 * (k + 1), 5)
        end = columns + before
        if end not in ends:
            ends[end] = net.constant(f"end{end}", np.array([end], np.int64))
        left = net.node("Slice", [wide, limits[columns], ends[end], limits[3]], f"left{k}")
        left = net.quantized(left, 0.012 + 0.001 * k, 5)
        states.append((left, (1, channels, rows, before)))
    y = net.weighted("Conv", "tail", h, (1, channels, 1, 1), 3, relu=False)
    made = net.model(y, (1, 1, rows, columns))
    for k, (left, shape) in enumerate(states):
        add_borders(made, [f"state{k}"], [], shape)
        add_borders(made, [], [left], shape)
    return made.SerializeToString()
