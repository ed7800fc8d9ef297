"""One network written in both styles: Q/DQ around float operators, and operators that read and write integers.

The first style can be written as TFLite as well. A tensor's integers have the same name, grid and shape in both, and so have the layers. What onnxruntime has no integer
form of (HardSigmoid, Clip) stands between a DequantizeLinear and a QuantizeLinear in both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from builders.tflite.twin import TfliteTwin
from builders.weighted_layers import Array, Builder

Shape = tuple[int, ...]
MS = "com.microsoft"
INTEGER_FORMS = {
    "Add": MS,
    "Mul": MS,
    "Sigmoid": MS,
    "LeakyRelu": MS,
    "GlobalAveragePool": MS,
    "AveragePool": MS,
    "Softmax": MS,
}
"""Operators of activations alone that have a QLinear form, and its domain."""
MOVERS = frozenset({"MaxPool", "Transpose", "Reshape", "Pad", "Resize", "Slice"})
"""Operators that read and write integers as they are."""


class Twin(Builder):
    """A network while it is built. A tensor goes by the name of its layer; `shapes` and `grids` are by that name.

    Grids are (scale, zero point of int8); `unsigned` stores activations as uint8.
    """

    def __init__(self, qoperator: bool, unsigned: bool = False, per_channel: bool = False) -> None:
        super().__init__()
        self.qoperator, self.unsigned, self.per_channel = qoperator, unsigned, per_channel
        self.shapes: dict[str, Shape] = {}
        self.grids: dict[str, tuple[float, int]] = {}
        self.count = 0

    def initializer(self, value: Array) -> str:
        return self.constant(f"c{len(self.initializers)}", value)

    def stored(self, tensor: str) -> list[str]:
        """Integers, scale and zero point."""
        scale, zero = self.grids[tensor]
        stored = np.array(zero + 128, np.uint8) if self.unsigned else np.array(zero, np.int8)
        return [f"{tensor}_q", self.initializer(np.array(scale, np.float32)), self.initializer(stored)]

    def real(self, tensor: str) -> str:
        """The tensor behind a DequantizeLinear for its next reader."""
        name = f"{tensor}_f{len(self.nodes)}"
        return self.node("DequantizeLinear", name, self.stored(tensor), name)

    def written(self, tensor: str, real: str, grid: tuple[float, int], shape: Shape) -> str:
        """The tensor behind a QuantizeLinear."""
        self.grids[tensor], self.shapes[tensor] = grid, shape
        self.node("QuantizeLinear", f"{tensor}_Q", [real, *self.stored(tensor)[1:]], f"{tensor}_q")
        return tensor

    def named(self, op: str) -> str:
        self.count += 1
        return f"{op}_{self.count}"

    def apply(
        self,
        op: str,
        sources: list[str],
        shape: Shape,
        grid: tuple[float, int] | None = None,
        parameters: tuple[str, ...] = (),
        **attributes: Any,
    ) -> str:
        """An operator of activations; without a grid the result has that of the first source."""
        name, grid = self.named(op), grid or self.grids[sources[0]]
        integers = self.qoperator and (op in INTEGER_FORMS or op in MOVERS or op == "Concat")
        if not integers:
            inputs = [*map(self.real, sources), *parameters]
            real = self.node(op, name, inputs, f"{name}_r", **attributes)
            return self.written(name, real, grid, shape)
        self.grids[name], self.shapes[name] = grid, shape
        operands = [part for source in sources for part in self.stored(source)]
        if op in MOVERS:
            inputs = [*(f"{source}_q" for source in sources), *parameters]
            if op == "Pad":  # with what stands for zero, as onnxruntime's quantizer does
                inputs.append(self.stored(sources[0])[2])
            self.node(op, name, inputs, f"{name}_q", **attributes)
        elif op == "Concat":
            inputs = [*self.stored(name)[1:], *operands]
            self.node(f"QLinear{op}", name, inputs, f"{name}_q", domain=MS, **attributes)
        else:
            extra = {"opset": 13} if op == "Softmax" else {}
            inputs = [*operands, *self.stored(name)[1:]]
            self.node(f"QLinear{op}", name, inputs, f"{name}_q", domain=MS, **extra, **attributes)
        return name

    def weighted(
        self, op: str, source: str, weight: Shape, shape: Shape, grid: tuple[float, int], **attributes: Any
    ) -> str:
        """A Conv or a Gemm with int8 weights and an int32 bias."""
        name, outputs = self.named(op), weight[0]
        self.grids[name], self.shapes[name] = grid, shape
        scales = np.full(outputs if self.per_channel else (), 0.01, np.float32)
        weights = [
            self.initializer(np.ones(weight, np.int8)),
            self.initializer(scales),
            self.initializer(np.zeros(scales.shape, np.int8)),
        ]
        bias = self.initializer(np.ones(outputs, np.int32))
        if self.qoperator:
            arguments, result = [*self.stored(source), *weights], self.stored(name)[1:]
            if op == "Gemm":
                self.node("QGemm", name, [*arguments, bias, *result], f"{name}_q", domain=MS, **attributes)
            else:
                self.node("QLinearConv", name, [*arguments, *result, bias], f"{name}_q", **attributes)
            return name
        scale = self.initializer((scales * self.grids[source][0]).astype(np.float32))
        zero = self.initializer(np.zeros(scales.shape, np.int32))
        axis: dict[str, int] = {"axis": 0} if self.per_channel else {}
        inputs = [
            self.real(source),
            self.node("DequantizeLinear", f"{name}_w", weights, f"{name}_w", **axis),
            self.node("DequantizeLinear", f"{name}_b", [bias, scale, zero], f"{name}_b", **axis),
        ]
        real = self.node(op, name, inputs, f"{name}_r", **attributes)
        return self.written(name, real, grid, shape)

    def ints(self, *values: int) -> str:
        return self.initializer(np.array(values, np.int64))

    def whole(self, shape: Shape, ends: list[str]) -> onnx.ModelProto:
        """From the float input `x` to what is read last, behind its DequantizeLinear."""
        stored = TensorProto.UINT8 if self.unsigned else TensorProto.INT8
        outputs = []
        for end in ends:
            self.node("DequantizeLinear", f"{end}_DQ", self.stored(end), f"{end}_y")
            outputs.append(helper.make_tensor_value_info(f"{end}_y", TensorProto.FLOAT, self.shapes[end]))
        graph = helper.make_graph(
            self.nodes,
            "twin",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            outputs,
            self.initializers,
            value_info=[
                helper.make_tensor_value_info(f"{name}_q", stored, dims) for name, dims in self.shapes.items()
            ],
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(MS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class Plan:
    """What is drawn, once for both twins; `gates` are the functions a gate may have."""

    def __init__(self, draw: st.DrawFn, gates: tuple[str, ...] = ("Sigmoid", "HardSigmoid")) -> None:
        self.draw, self.gates = draw, gates

    def grid(self) -> tuple[float, int]:
        return self.draw(st.sampled_from([0.02, 0.05, 0.1])), self.draw(st.sampled_from([-128, 0, 5]))


@st.composite
def twins(draw: st.DrawFn) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """(QDQ, QOperator): an image network of a stem, one to five blocks and a head."""
    unsigned, per_channel = draw(st.integers(0, 4)) == 4, draw(st.booleans())
    nets = (Twin(False, unsigned, per_channel), Twin(True, unsigned, per_channel))
    shape, ends = _drawn(Plan(draw), _Both(nets), BLOCKS, HEADS)
    return nets[0].whole(shape, ends), nets[1].whole(shape, ends)


@st.composite
def tflite_twins(draw: st.DrawFn) -> tuple[onnx.ModelProto, bytes, Mapping[str, str]]:
    """(QDQ, TFLite, the layers of one by those of the other), of operators that both have and that lie alike in both."""
    nets = (Twin(False, per_channel=True), TfliteTwin())
    blocks = tuple(block for block in BLOCKS if block not in (_prelu, _transpose))
    shape, ends = _drawn(Plan(draw, ("Sigmoid",)), _Both(nets), blocks, (_classify,))
    return nets[0].whole(shape, ends), nets[1].file(ends), nets[1].layers


def _drawn(plan: Plan, net: _Both, blocks: Sequence[Block], heads: Sequence[Head]) -> tuple[Shape, list[str]]:
    """The shape of the input, and the tensors read last."""
    size, channels = plan.draw(st.sampled_from([4, 6, 8, 16])), plan.draw(st.sampled_from([1, 3, 8]))
    shape, start = (1, channels, size, size), plan.grid()
    for twin in net.nets:
        twin.written("input", "x", start, shape)
    at = _conv(plan, net, "input")
    for _ in range(plan.draw(st.integers(1, 5))):
        at = plan.draw(st.sampled_from(blocks))(plan, net, at)
    return shape, plan.draw(st.sampled_from(heads))(plan, net, at)


class _Both:
    """Plays each step for both twins."""

    def __init__(self, nets: tuple[Twin, Twin | TfliteTwin]) -> None:
        self.nets = nets

    def shape(self, tensor: str) -> Shape:
        return self.nets[0].shapes[tensor]

    def grid(self, tensor: str) -> tuple[float, int]:
        return self.nets[0].grids[tensor]

    def apply(
        self, op: str, sources: list[str], *args: Any, initializers: tuple[Array, ...] = (), **options: Any
    ) -> str:
        names = {
            net.apply(op, sources, *args, parameters=tuple(map(net.initializer, initializers)), **options)
            for net in self.nets
        }
        (name,) = names
        return name

    def weighted(self, *args: Any, **options: Any) -> str:
        (name,) = {net.weighted(*args, **options) for net in self.nets}
        return name


Block = Callable[[Plan, _Both, str], str]
Head = Callable[[Plan, _Both, str], list[str]]


def _conv(
    plan: Plan,
    net: _Both,
    at: str,
    kernel: int | None = None,
    out: int | None = None,
    depthwise: bool = False,
) -> str:
    _, channels, height, width = net.shape(at)
    kernel = kernel or plan.draw(st.sampled_from([1, 3, 3, 5]))
    stride = plan.draw(st.sampled_from([1, 1, 2])) if out is None and not depthwise else 1
    out = channels if depthwise else out or plan.draw(st.sampled_from([4, 8, 12, 16, 24]))
    size = [(n - 1) // stride + 1 for n in (height, width)]
    return net.weighted(
        "Conv",
        at,
        (out, 1 if depthwise else channels, kernel, kernel),
        (1, out, *size),
        plan.grid(),
        kernel_shape=[kernel] * 2,
        pads=[kernel // 2] * 4,
        strides=[stride] * 2,
        group=channels if depthwise else 1,
    )


def _residual(plan: Plan, net: _Both, at: str) -> str:
    inner = _conv(plan, net, at, out=net.shape(at)[1])
    pair = [at, inner] if plan.draw(st.booleans()) else [inner, at]
    return net.apply("Add", pair, net.shape(at), plan.grid())


def _depthwise(plan: Plan, net: _Both, at: str) -> str:
    return _conv(plan, net, _conv(plan, net, at, 3, depthwise=True), 1, net.shape(at)[1])


def _excite(plan: Plan, net: _Both, at: str) -> str:
    shape = net.shape(at)
    pooled = net.apply("GlobalAveragePool", [at], (1, shape[1], 1, 1), plan.grid())
    gate = _conv(plan, net, _conv(plan, net, pooled, 1, 4), 1, shape[1])
    function = plan.draw(st.sampled_from(plan.gates))
    slope: dict[str, float] = {"alpha": 1 / 6} if function == "HardSigmoid" else {}
    gate = net.apply(function, [gate], net.shape(gate), (1 / 256, -128), **slope)
    return net.apply("Mul", [at, gate], shape, plan.grid())


def _swish(plan: Plan, net: _Both, at: str) -> str:
    gate = net.apply("Sigmoid", [at], net.shape(at), (1 / 256, -128))
    return net.apply("Mul", [at, gate], net.shape(at), plan.grid())


def _leaky(plan: Plan, net: _Both, at: str) -> str:
    return net.apply("LeakyRelu", [at], net.shape(at), plan.grid(), alpha=0.1)


def _prelu(plan: Plan, net: _Both, at: str) -> str:
    slopes = np.full((net.shape(at)[1], 1, 1), 0.25, np.float32)
    return net.apply("PRelu", [at], net.shape(at), plan.grid(), initializers=(slopes,))


def _slice(plan: Plan, net: _Both, at: str) -> str:
    _, channels, *size = net.shape(at)
    half = channels // 2
    if not half:
        return at
    bounds = tuple(np.array([n], np.int64) for n in (0, half, 1))
    part = net.apply("Slice", [at], (1, half, *size), initializers=bounds)
    return net.apply("Concat", [at, part], (1, channels + half, *size), axis=1)


def _neck(plan: Plan, net: _Both, at: str) -> str:
    """Down, up and beside what was there."""
    _, channels, height, width = net.shape(at)
    if height % 2 or height < 4:
        return at
    below = _pool(plan, net, at, 2)
    scales = np.array([1, 1, 2, 2], np.float32)
    mode: dict[str, Any] = {"mode": plan.draw(st.sampled_from(["nearest", "linear"]))}
    mode |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    up = net.apply("Resize", [below], net.shape(at), initializers=(np.zeros(0, np.float32), scales), **mode)
    grid = plan.draw(st.sampled_from([net.grid(at), plan.grid()]))
    return net.apply("Concat", [at, up], (1, 2 * channels, height, width), grid, axis=1)


def _pool(plan: Plan, net: _Both, at: str, stride: int | None = None) -> str:
    shape, pads = net.shape(at), (0, 0)
    op = plan.draw(st.sampled_from(["MaxPool", "AveragePool"]))
    stride = stride or plan.draw(st.sampled_from([1, 2]))
    kernel = 2 if stride == 2 else 3
    if kernel == 3:
        pads = (1, 1)
    size = [(n + sum(pads) - kernel) // stride + 1 for n in shape[2:]]
    if min(size) < 1:
        return at
    grid = None if op == "MaxPool" else plan.grid()
    options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pads[0]] * 2 + [pads[1]] * 2}
    return net.apply(op, [at], (*shape[:2], *size), grid, **options)


def _pad(plan: Plan, net: _Both, at: str) -> str:
    shape = net.shape(at)
    after = plan.draw(st.sampled_from([(0, 0, 1, 1), (0, 4, 0, 0)]))
    pads = np.array([0, 0, 0, 0, *after], np.int64)
    padded = tuple(n + more for n, more in zip(shape, after, strict=True))
    return net.apply("Pad", [at], padded, initializers=(pads,))


def _transpose(plan: Plan, net: _Both, at: str) -> str:
    perm = plan.draw(st.sampled_from([(0, 2, 3, 1), (0, 1, 3, 2)]))
    shape = net.shape(at)
    moved = net.apply("Transpose", [at], tuple(shape[axis] for axis in perm), perm=perm)
    back = [perm.index(axis) for axis in range(4)]
    return net.apply("Transpose", [moved], shape, perm=back)


BLOCKS: tuple[Block, ...] = (
    _conv,
    _residual,
    _depthwise,
    _excite,
    _swish,
    _leaky,
    _prelu,
    _slice,
    _neck,
    _pool,
    _pad,
    _transpose,
)


def _classify(plan: Plan, net: _Both, at: str) -> list[str]:
    channels = net.shape(at)[1]
    pooled = net.apply("GlobalAveragePool", [at], (1, channels, 1, 1), plan.grid())
    flat = net.apply("Reshape", [pooled], (1, channels), initializers=(np.array([1, channels], np.int64),))
    scores = net.weighted("Gemm", flat, (10, channels), (1, 10), plan.grid(), transB=1)
    return [net.apply("Softmax", [scores], (1, 10), (1 / 256, -128), axis=-1)]


def _detect(plan: Plan, net: _Both, at: str) -> list[str]:
    """Boxes of two maps, each as rows, and one list of them."""
    rows = []
    for source in (at, _conv(plan, net, at, 3)):
        head = _conv(plan, net, source, 1, 4)
        _, channels, height, width = net.shape(head)
        moved = net.apply("Transpose", [head], (1, height, width, channels), perm=(0, 2, 3, 1))
        shape = (1, height * width, channels)
        rows.append(net.apply("Reshape", [moved], shape, initializers=(np.array(shape, np.int64),)))
    count = sum(net.shape(row)[1] for row in rows)
    return [net.apply("Concat", rows, (1, count, 4), plan.grid(), axis=1)]


HEADS: tuple[Head, ...] = (_classify, _detect)
