"""Networks that work on a stream: each time they get the frames before as inputs, and give those the next one needs.

1. `speech`: LiSenNet as LarocheC/eco8-neaixt compiles it (Core 4.0.1). Its graph is written from the project's description: states,
   bands that a Slice takes apart and a Concat joins, dilated convolutions along the frames or the cell of a GRU in 1x1, and two
   Gathers of the mask's channels; zero points, and which scales are the same, from the profile of a board with 20 channels.
2. `tape`, `loops`: two forms of mikekss/tymbal's TCN (Core 4.0).
"""

from __future__ import annotations

import numpy as np

from builders.networks.audio_nets import ZERO, add_borders
from builders.networks.small_nets import Net

DILATIONS = (1, 2, 4, 8)
END = 2**31 - 1
EMITTED = 64

OWN_BAND = (0, 1, 1)
"""Of the two bands of each step down the one that has the scale of the map it is a part of."""

BLOCK_ZEROS = (ZERO, -84)
"""Zero points of what a block begins with, by turns."""


class Stream(Net):
    """A network of single rows; every method takes and gives the name of a dequantized tensor."""

    def __init__(self, channels: int, dilations: tuple[int, ...], hidden: int, frames: int = 0) -> None:
        super().__init__((1, 3, frames or 1, 257))
        self.channels, self.dilations, self.hidden, self.frames = channels, dilations, hidden, frames
        self.states: list[tuple[int, ...]] = []
        self.left: list[str] = []
        self.grids: dict[str, tuple[float, int]] = {}
        self.count = 0

    def quantized(self, source: str, scale: float, zero: int) -> str:
        made = super().quantized(source, scale, zero)
        self.grids[made] = (scale, zero)
        return made

    def named(self, op: str) -> str:
        self.count += 1
        return f"{op}{self.count}"

    def put(
        self, op: str, inputs: list[str], quant: tuple[float, int] | None = None, **attributes: object
    ) -> str:
        """An operator between a Q and a DQ, of its own unless they are given."""
        scale, zero = quant or (0.01 + 0.001 * (self.count % 7), 3)
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
        return self.quantized(self.node("Slice", [x, *limits], self.named("Slice")), *self.grids[x])

    def normalized(self, x: str, channels: int, relu: bool = False, zero: int = 4) -> str:
        values = np.linspace(0.5, 1.5, channels).astype(np.float32)
        inputs = [x, *(self.constant(self.named("bn"), values) for _ in range(4))]
        made = self.node("BatchNormalization", inputs, self.named("norm"))
        if relu:
            made = self.node("Relu", [made], self.named("relu"))
        return self.quantized(made, 0.02, ZERO if relu else zero)

    def padded(self, x: str, above: int = 0, beside: int = 1) -> str:
        """Zeros of the frames before the first, and on both sides."""
        amounts = self.whole(0, 0, above, beside, 0, 0, 0, beside)
        made = self.node(
            "Pad", [x, amounts, self.constant(self.named("nothing"), np.float32(0))], self.named("Pad")
        )
        return self.quantized(made, *self.grids[x])

    def before(
        self, x: str, shape: tuple[int, int, int], beside: int = 0, own: bool = True, given: float = 1.0
    ) -> str:
        """A map with the frames before it, and a border on both sides."""
        if self.frames:
            return self.padded(x, shape[1], beside)
        framed = self.framed(x, shape, own, given)
        return self.padded(framed) if beside else framed

    def framed(self, x: str, shape: tuple[int, int, int], own: bool, given: float) -> str:
        """The frames before and this one; all but the first are the state that comes out.

        `own`: they are joined in the scale of this one; the frames before come in `given` of it.
        """
        state, (scale, zero) = f"state{len(self.states)}", self.grids[x]
        scale *= 1.0 if own else 1.1
        parts = [self.quantized(state, scale * given, zero), x]
        frames = self.put("Concat", parts, (scale, zero), axis=2)
        self.left.append(self.part(frames, 1, END, 2))
        self.states.append((1, *shape))
        return frames

    def down(self, x: str, into: int, made: int, width: int, step: int) -> str:
        """Two bands, each convolved with a frame before; the upper one steps by three."""
        low, own = width // 4, OWN_BAND[step]
        one, other = self.part(x, 0, low, 3), self.part(x, low, END, 3)
        frames = self.before(one, (into, 1, low), 1, own == 0, 0.9 if step == 1 else 1.0)
        one = self.conv(frames, into, made, (2, 3))
        other = self.before(other, (into, 1, width - low), 1, own == 1)
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

    def block(self, x: str, number: int) -> str:
        many = self.channels
        wide = self.conv(self.normalized(x, many), many, many, (1, 7), group=many, pads=[0, 3, 0, 3])
        x = self.put("Add", [x, self.conv(wide, many, many, (1, 1), relu=True)])
        x = self.put("Add", [x, self.along_time(self.normalized(x, many, zero=BLOCK_ZEROS[number % 2]))])
        y = self.conv(self.normalized(x, many), many, 4 * many, (1, 1))
        gate, value = self.part(y, 0, 2 * many, 1), self.part(y, 2 * many, 4 * many, 1)
        gate = self.before(gate, (2 * many, 2, 32), 1, number == 0)
        gate = self.conv(gate, 2 * many, 2 * many, (3, 3), relu=True, group=2 * many)
        gate = self.conv(self.put("Mul", [gate, value]), 2 * many, many, (1, 1))
        return self.put("Add", [gate, x])

    def along_time(self, y: str) -> str:
        """Dilated kernels along the frames, or one step of a GRU."""
        many, hidden = self.channels, self.hidden
        if hidden:
            return self.conv(self.cell(y), hidden, many, (1, 1))
        for dilation in self.dilations:
            y = self.before(y, (many, 2 * dilation, 32))
            y = self.conv(y, many, many, (3, 1), group=many, dilations=[dilation, 1])
            y = self.conv(y, many, many, (1, 1), relu=True)
        return y

    def cell(self, x: str) -> str:
        """A GRU's step as six 1x1: h' = z (h - n) + n."""
        hidden, at = self.hidden, len(self.states)
        h = self.quantized(f"state{at}", 0.008, 2)
        self.states.append((1, hidden, 1, 32))
        of_x = [self.conv(x, self.channels, hidden, (1, 1)) for _ in range(3)]
        of_h = [self.conv(h, hidden, hidden, (1, 1)) for _ in range(3)]
        r, z = (
            self.quantized(self.node("Sigmoid", [self.put("Add", [a, b])], self.named("gate")), 1 / 256, ZERO)
            for a, b in zip(of_x[:2], of_h[:2], strict=True)
        )
        n = self.put("Add", [of_x[2], self.put("Mul", [r, of_h[2]])])
        n = self.quantized(self.node("Tanh", [n], self.named("tanh")), 1 / 128, 0)
        new = self.put("Add", [self.put("Mul", [z, self.put("Sub", [h, n])]), n])
        self.left.append(new)
        return new


def speech(
    channels: int = 20,
    blocks: int = 2,
    dilations: tuple[int, ...] = DILATIONS,
    hidden: int = 0,
    frames: int = 0,
) -> bytes:
    """The whole network; with `hidden` its memory is a GRU of so many, with `frames` it reads so many and gives the last 64."""
    net = Stream(channels, dilations, hidden, frames)
    x = net.quantized("x", 0.02, 0)
    quarter = channels // 4
    sizes = [(quarter * (k + 1), quarter * (k + 2)) for k in range(3)]
    first = net.put("Gather", [x, net.constant("first", np.int64(0))], axis=1)
    x = net.conv(x, 3, quarter, (1, 1), relu=True)
    kept = []
    for step, ((into, made), width) in enumerate(zip(sizes, (257, 128, 64), strict=True)):
        x = net.down(x, into, made, width, step)
        kept.append(x)
    for number in range(blocks):
        x = net.block(x, number)
    for into, _ in reversed(sizes):
        beside = kept.pop()
        width = 32 * 2 ** (2 - len(kept))
        x = net.up(net.put("Concat", [x, beside], axis=1), 2 * (into + quarter), into, width)
    x = net.before(x, (quarter, 1, 256), 1)
    x = net.conv(net.conv(x, quarter, 2, (2, 2), relu=True), 2, 2, (1, 1))
    x = net.put("Transpose", [x], perm=[0, 3, 2, 1])
    x = net.quantized(net.node("Sigmoid", [x], "sigmoid"), 1 / 256, ZERO)
    x = net.put("Transpose", [x], perm=[0, 3, 2, 1])
    masked = []
    for k in range(2):
        mask = net.put("Gather", [x, net.constant(f"index{k}", np.int64(k))], axis=1)
        least = net.quantized(net.constant(f"least{k}", np.float32(1e-2)), 0.01, 0)
        masked.append(net.put("Mul", [net.put("Add", [mask, least]), first]))
    result = net.put("Add", masked)
    if frames:
        result = net.part(result, frames - EMITTED, END, 1)
    made = net.model(result, (1, EMITTED if frames else 1, 257))
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


def loops(layers: int = 12, channels: int = 88, rows: int = 2, columns: int = 48) -> bytes:
    """The same with three Slices and a Concat of channels for each dilation (d44, written from train/export_gather2.py).

    inferred: the zero points of the columns of dilations 2, 4 and 8 are -128, as six layers of twelve have an epoch more than the
    other six; the notes give the number of each Concat's epoch.
    """
    net = Net((1, 8, rows, columns))
    states: list[tuple[str, tuple[int, ...]]] = []

    def part(x: str, name: str, begin: int, end: int) -> str:
        limits = [
            net.constant(f"{name}_{k}", np.array([value], np.int64))
            for k, value in enumerate((begin, end, 3))
        ]
        return net.node("Slice", [x, *limits], name)

    h = net.weighted("Conv", "head", net.quantized("x", 0.02, 0), (channels, 8, 1, 1), 5, relu=False)
    for k in range(layers):
        step = 2 ** (k % 6)
        zero = ZERO if step in (2, 4, 8) else 5
        scale = 0.012 + 0.0001 * k
        state = net.quantized(f"state{k}", scale, zero)
        wide = net.quantized(net.node("Concat", [state, h], f"joined{k}", axis=3), scale, zero)
        if step > 1:
            taps = [part(wide, f"tap{k}_{n}", n * step, n * step + columns) for n in range(3)]
            taps = [net.quantized(tap, scale, zero) for tap in taps]
            taken = net.quantized(net.node("Concat", taps, f"taps{k}", axis=1), scale, zero)
            made = net.weighted("Conv", f"conv{k}", taken, (channels, 3 * channels, 1, 1), ZERO)
        else:
            made = net.weighted("Conv", f"conv{k}", wide, (channels, channels, 1, 3), ZERO)
        left = net.quantized(part(wide, f"left{k}", columns, columns + 2 * step), scale, zero)
        states.append((left, (1, channels, rows, 2 * step)))
        h = net.quantized(net.node("Add", [h, made], f"add{k}"), 0.0125 + 0.0001 * k, 5)
    made = net.model(
        net.weighted("Conv", "tail", h, (4, channels, 1, 1), 3, relu=False), (1, 4, rows, columns)
    )
    for k, (left, shape) in enumerate(states):
        add_borders(made, [f"state{k}"], [], shape)
        add_borders(made, [], [left], shape)
    return made.SerializeToString()
