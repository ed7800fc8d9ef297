"""Files of one operator each, in int8 or float: what builds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from builders.tflite.files import File

Build = Callable[["Case"], tuple[list[int], list[int]]]


SAME, VALID = 0, 1


RELU, RELU_N1, RELU6 = 1, 2, 3


class Case(File):
    """A file in int8 or float; `maps` reads its inputs through a 1x1 pool, so that they are held channels first."""

    def __init__(self, dtype: str, maps: bool = False) -> None:
        super().__init__()
        self.dtype, self.maps, self.random = dtype, maps, np.random.default_rng(7)
        self.entries: list[int] = []

    def act(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero: int = 3) -> int:
        """An activation."""
        if self.dtype == "float32":
            return self.tensor(name, shape, "float32")
        return self.tensor(name, shape, self.dtype, scale, 0 if self.dtype == "int16" else zero)

    def entry(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero: int = 3) -> int:
        """An input."""
        made = self.act(name, shape, scale, zero)
        self.entries.append(made)
        if not self.maps or len(shape) != 4:
            return made
        pooled = self.act(f"{name}_pooled", shape, scale, zero)
        self.operator("MAX_POOL_2D", [made], [pooled], "Pool2DOptions", **window(1, 1))
        return pooled

    def weights(self, name: str, shape: tuple[int, ...], axis: int) -> int:
        """Weights, a scale for each channel."""
        values = self.random.integers(-127, 128, shape)
        if self.dtype == "float32":
            return self.constant(name, (values * 0.01).astype(np.float32))
        scales = [0.01 + 0.001 * i for i in range(shape[axis])]
        return self.constant(name, values.astype(np.int8), scale=scales, axis=axis)

    def bias(self, name: str, size: int, source: float = 0.05) -> int:
        """A bias with the scales of `weights`."""
        values = self.random.integers(-300, 300, size)
        if self.dtype == "float32":
            return self.constant(name, (values * 0.001).astype(np.float32))
        scales = [source * (0.01 + 0.001 * i) for i in range(size)]
        return self.constant(
            name, values.astype(np.int64 if self.dtype == "int16" else np.int32), scale=scales
        )

    def known(self, name: str, values: Any, scale: float = 0.03, zero: int = 1) -> int:
        """A constant operand, from the real values."""
        real = np.asarray(values, np.float32)
        if self.dtype == "float32":
            return self.constant(name, real)
        zero = 0 if self.dtype == "int16" else zero
        limits = np.iinfo(self.dtype)
        stored = np.clip(np.round(real / scale) + zero, limits.min, limits.max).astype(self.dtype)
        return self.constant(name, stored, scale=scale, zero=zero)

    def integers(self, name: str, values: Any) -> int:
        """A parameter."""
        return self.constant(name, np.asarray(values, np.int32))


def window(size: int, stride: int, padding: int = VALID, activation: int = 0) -> dict[str, int]:
    """Fields of Pool2DOptions."""
    return {
        "filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride, "padding": padding,
        "fusedActivationFunction": activation,
    }  # fmt: skip


def strides(step: int, padding: int = SAME, activation: int = 0, dilation: int = 1) -> dict[str, int]:
    """Fields of the convolutions' options."""
    return {
        "strideH": step, "strideW": step, "padding": padding, "fusedActivationFunction": activation,
        "dilationHFactor": dilation, "dilationWFactor": dilation,
    }  # fmt: skip


def simple(
    kind: str, shapes: list[tuple[int, ...]], out: tuple[int, ...], options: str = "",
    scale: float = 0.05, zero: int = 3, entry_scale: float = 0.05, entry_zero: int = 3, **fields: Any
) -> Build:  # fmt: skip
    """An operator of activations only."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry(f"in{i}", shape, entry_scale, entry_zero) for i, shape in enumerate(shapes)]
        result = case.act("out", out, scale, zero)
        case.operator(kind, inputs, [result], options, **fields)
        return case.entries, [result]

    return build


def with_integers(
    kind: str, shape: tuple[int, ...], parameters: list[Any], out: tuple[int, ...], options: str = "",
    first: bool = False, scale: float = 0.05, **fields: Any
) -> Build:  # fmt: skip
    """An operator of one activation and integer parameters behind it (or before it)."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", shape)
        numbers = [case.integers(f"parameter{i}", values) for i, values in enumerate(parameters)]
        result = case.act("out", out, scale)
        case.operator(kind, [*numbers, source] if first else [source, *numbers], [result], options, **fields)
        return case.entries, [result]

    return build


def conv(
    kernel: tuple[int, int], step: int, padding: int = SAME, activation: int = 0, dilation: int = 1,
    size: tuple[int, int] = (9, 10), group: int = 1
) -> Build:  # fmt: skip
    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", (1, *size, 4))
        weights = case.weights("weights", (6, *kernel, 4 // group), 0)
        inputs = [source, weights, case.bias("bias", 6)]
        result = case.act("out", (1, *extents(size, kernel, step, padding, dilation), 6), 0.06, -20)
        case.operator(
            "CONV_2D", inputs, [result], "Conv2DOptions", **strides(step, padding, activation, dilation)
        )
        return case.entries, [result]

    return build


def depthwise(kernel: tuple[int, int], step: int, multiplier: int = 1, dilation: int = 1) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        size, count = (8, 7), 4 * multiplier
        inputs = [case.entry("in", (1, *size, 4)), case.weights("weights", (1, *kernel, count), 3)]
        inputs.append(case.bias("bias", count))
        result = case.act("out", (1, *extents(size, kernel, step, SAME, dilation), count), 0.04, 0)
        fields = strides(step, SAME, RELU6, dilation) | {"depthMultiplier": multiplier}
        case.operator("DEPTHWISE_CONV_2D", inputs, [result], "DepthwiseConv2DOptions", **fields)
        return case.entries, [result]

    return build


def extents(
    size: tuple[int, int], kernel: tuple[int, int], step: int, padding: int, dilation: int
) -> list[int]:
    """Sizes of a convolution's output."""
    reach = [(k - 1) * dilation + 1 for k in kernel]
    if padding == SAME:
        return [-(-n // step) for n in size]
    return [(n - r) // step + 1 for n, r in zip(size, reach, strict=True)]


def transpose_conv(kernel: int, step: int, padding: int, out: int, bias: bool = True) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        shape = case.integers("shape", [1, out, out, 3])
        weights = case.weights("weights", (3, kernel, kernel, 4), 0)
        inputs = [shape, weights, case.entry("in", (1, 5, 5, 4)), *([case.bias("bias", 3)] if bias else [])]
        result = case.act("out", (1, out, out, 3), 0.06, 5)
        fields = {"strideH": step, "strideW": step, "padding": padding}
        case.operator("TRANSPOSE_CONV", inputs, [result], "TransposeConvOptions", **fields)
        return case.entries, [result]

    return build


def dense(shape: tuple[int, ...], out: tuple[int, ...], activation: int = 0, keep: bool = False) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        weights = case.weights("weights", (out[-1], 12), 0)
        result = case.act("out", out, 0.1, -4)
        inputs = [case.entry("in", shape), weights, case.bias("bias", out[-1])]
        case.operator(
            "FULLY_CONNECTED", inputs, [result], "FullyConnectedOptions",
            fusedActivationFunction=activation, keepNumDims=keep,
        )  # fmt: skip
        return case.entries, [result]

    return build


def with_known(
    kind: str, shape: tuple[int, ...], values: Any, out: tuple[int, ...], options: str = "", first: bool = False,
    scale: float = 0.05, **fields: Any
) -> Build:  # fmt: skip
    """An operator of an activation and a constant operand."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry("in", shape), case.known("constant", values)]
        result = case.act("out", out, scale)
        case.operator(kind, inputs[::-1] if first else inputs, [result], options, **fields)
        return case.entries, [result]

    return build


def several(
    kind: str, shape: tuple[int, ...], outs: list[tuple[int, ...]], parameters: list[Any], options: str,
    first: bool = False, **fields: Any
) -> Build:  # fmt: skip
    """An operator of several outputs."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", shape)
        numbers = [case.integers(f"parameter{i}", values) for i, values in enumerate(parameters)]
        results = [case.act(f"out{i}", out) for i, out in enumerate(outs)]
        case.operator(kind, [*numbers, source] if first else [source, *numbers], results, options, **fields)
        return case.entries, results

    return build


def position(kind: str, axis: int, shape: tuple[int, ...]) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry("in", shape), case.integers("axis", axis)]
        out = tuple(size for i, size in enumerate(shape) if i != axis % len(shape))
        result = case.tensor("out", out, "int32")
        fields = {"outputType": 2}
        case.operator(
            kind, inputs, [result], "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions", **fields
        )
        return case.entries, [result]

    return build


MAP = (1, 6, 8, 4)


def dilated(depthwise_: bool = False, joined: bool = True, padding: int = VALID) -> Build:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: what dilation was before converters joined them.

    With a border of its own (SAME) the convolution of each part is not one of the whole.
    """

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", (1, 6, 7, 4))
        block, amounts = case.integers("block", [2, 2]), case.integers("pads", [[2, 2], [2, 3]])
        spread = case.act("spread", (4, 5, 6, 4))
        case.operator("SPACE_TO_BATCH_ND", [source, block, amounts], [spread], "SpaceToBatchNDOptions")
        kind, options = "CONV_2D", "Conv2DOptions"
        shape, axis, more = (5, 3, 3, 4), 0, {}
        if depthwise_:
            kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
            shape, axis, more = (1, 3, 3, 4), 3, {"depthMultiplier": 1}
        outs = shape[axis]
        rows, columns = (5, 6) if padding == SAME else (3, 4)
        made = case.act("made", (4, rows, columns, outs), 0.06, -20)
        inputs = [spread, case.weights("weights", shape, axis), case.bias("bias", outs)]
        case.operator(kind, inputs, [made], options, **strides(1, padding, RELU), **more)
        crops = case.integers("crops", [[0, 0], [0, 1]])
        result = case.act("out", (1, 2 * rows, 2 * columns - 1, outs), 0.06, -20)
        case.operator("BATCH_TO_SPACE_ND", [made, block, crops], [result], "BatchToSpaceNDOptions")
        return case.entries, [result] if joined else [made, result]

    return build


def padded_with_value(case: Case) -> tuple[list[int], list[int]]:
    """PADV2 with a value other than zero."""
    inputs = [case.entry("in", MAP), case.integers("paddings", [[0, 0], [1, 1], [1, 1], [0, 0]])]
    inputs.append(case.known("value", -1.5, 0.05, 3))
    result = case.act("out", (1, 8, 10, 4))
    case.operator("PADV2", inputs, [result], "PadV2Options")
    return case.entries, [result]


def cast_to(dtype: str) -> Build:
    """CAST, of a float or an int32 input."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.tensor("in", MAP, "float32" if dtype == "int32" else "int32")
        case.entries.append(source)
        result = case.tensor("out", MAP, dtype)
        case.operator("CAST", [source], [result])
        return case.entries, [result]

    return build


def sequence_lstm(time_major: bool = False) -> Build:
    """As Keras writes it: four gates, no projection, a cell clip of 10."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source, absent = case.entry("in", (2, 5, 4)), -1
        gates = [case.known(f"w{i}", case.random.uniform(-1, 1, (3, 4))) for i in range(4)]
        recurrent = [case.known(f"r{i}", case.random.uniform(-1, 1, (3, 3))) for i in range(4)]
        biases = [case.known(f"b{i}", case.random.uniform(-1, 1, 3)) for i in range(4)]
        states = [case.act(name, (5 if time_major else 2, 3)) for name in ("state", "cell")]
        for number in states:
            case.graph.tensors[number].isVariable = True
        result = case.act("out", (2, 5, 3))
        inputs = [
            source,
            *gates,
            *recurrent,
            absent,
            absent,
            absent,
            *biases,
            absent,
            absent,
            *states,
            *[absent] * 4,
        ]
        case.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [result], "UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4, cellClip=10.0, timeMajor=time_major,
        )  # fmt: skip
        return case.entries, [result]

    return build
