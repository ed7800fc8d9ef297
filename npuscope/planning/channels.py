"""How well channel counts suit a convolution, before there is a model: each count judged and priced as one layer.

A row is what `analyse` says of a model of that one layer: its placement and its price as an epoch of its own. What a
network adds around it (copies at its borders, the set-up of epochs) is left out, as it belongs to no channel count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution, is_known
from npuscope.model.errors import ModelError
from npuscope.model.graph import without_collections
from npuscope.model.layers import Layer, Layers, Operand, fold
from npuscope.model.load import source_of
from npuscope.model.tensors import Constant, TensorType
from npuscope.neural_art.judge import code_of
from npuscope.neural_art.kernels.choose import choose, of_sizes
from npuscope.neural_art.mapping.facts import (
    awaits_zero_point,
    input_zero_point,
    signed_zero_point,
    takes_after,
)
from npuscope.neural_art.price.estimate import layer_cost
from npuscope.npu.cause import worst
from npuscope.npu.cost import Cost
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

MOST_ROWS = 100_000
MOST_CHANNELS = 65_536
"""The widest a dimension's field is."""

CONV, GEMM = "Conv", "Gemm"


@dataclass(frozen=True, slots=True)
class Shape:
    """A convolution in int8 with weights for each tensor; one side's channels may be left open, as None.

    1. `kernel`, `size`, `stride` and `dilation` are (height, width); `size` is the input map. `pads` are (top, left,
       bottom, right).
    2. A depthwise convolution has both sides open: as many outputs as inputs. A Gemm has `size` (1, rows).
    3. `zero_point` is the input's, as int8 holds it.
    """

    kernel: tuple[int, int] = (3, 3)
    size: tuple[int, int] = (14, 14)
    inputs: int | None = None
    outputs: int | None = None
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    depthwise: bool = False
    zero_point: int = -128
    op: str = CONV

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of the result. Raises ModelError where the kernel is larger than the padded map."""
        sizes = []
        for axis in (0, 1):
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            room = self.size[axis] + self.pads[axis] + self.pads[axis + 2] - reach
            if room < 0:
                raise ModelError(
                    f"a kernel that reaches over {reach} does not fit on a map of {self.size[axis]}; give a larger --map"
                )
            sizes.append(room // self.stride[axis] + 1)
        return sizes[0], sizes[1]

    def sides(self, channels: int) -> tuple[int, int]:
        """(input, output) channels with a count in place of what is open."""
        if self.depthwise:
            return channels, channels
        return (
            channels if self.inputs is None else self.inputs,
            channels if self.outputs is None else self.outputs,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A channel count; `cost` is that of an epoch of its own, None where no shape like it can be priced.

    `codes` are those of the findings that keep it off the NPU.
    """

    channels: int
    in_channels: int
    out_channels: int
    placement: Placement
    cost: Cost | None
    codes: tuple[str, ...] = ()

    @property
    def milliseconds(self) -> float:
        """Time on the board, set-up left out; infinite where it is not known."""
        return self.cost.milliseconds if self.cost is not None else float("inf")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by ascending channel count."""

    shape: Shape
    target: Target
    rows: tuple[Row, ...]

    @cached_property
    def good(self) -> tuple[Row, ...]:
        """The counts that no larger one beats: any other takes as long as the next of these, or longer."""
        rows: list[Row] = []
        for row in reversed(self.rows):
            if not rows or row.milliseconds < rows[-1].milliseconds:
                rows.append(row)
        return tuple(reversed(rows))

    @cached_property
    def instead(self) -> tuple[tuple[Row, Row], ...]:
        """(count, the next good one), for each that is not good itself; what is lost most comes first."""
        listed = list(self.good)
        pairs: list[tuple[Row, Row]] = []
        index = 0
        for row in self.rows:
            while listed[index].channels < row.channels:
                index += 1
            if listed[index] is not row:
                pairs.append((row, listed[index]))
        priced = [pair for pair in pairs if pair[1].milliseconds > 0 and pair[0].milliseconds < float("inf")]
        return tuple(sorted(priced, key=lambda pair: pair[1].milliseconds / pair[0].milliseconds))


def gemm_shape(rows: int, inputs: int | None, outputs: int | None, zero_point: int) -> Shape:
    """A Gemm: a 1x1 convolution on a map of 1 x rows. A depthwise one, with neither side given, is refused."""
    if inputs is None and outputs is None:
        raise ModelError("a Gemm is never depthwise; give --in or --out")
    return Shape((1, 1), (1, rows), inputs, outputs, zero_point=zero_point, op=GEMM)


def padded_shape(
    kernel: tuple[int, int],
    size: tuple[int, int],
    inputs: int | None,
    outputs: int | None,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pad: tuple[int, int] | None,
    depthwise: bool,
    zero_point: int,
) -> Shape:
    """A Conv padded by rows and columns on each side; None for as many as keep the map's size at stride 1."""
    reach = [step * (taps - 1) for step, taps in zip(dilation, kernel, strict=True)]
    pads = (
        (reach[0] // 2, reach[1] // 2, -(-reach[0] // 2), -(-reach[1] // 2)) if pad is None else (*pad, *pad)
    )
    return Shape(kernel, size, inputs, outputs, stride, dilation, pads, depthwise, zero_point)


def channel_table(shape: Shape, counts: Iterable[int], target: Target) -> Table:
    """A row for each count. Raises ModelError for a shape that cannot be, and for counts that are none or too many."""
    channels = sorted(set(counts))
    if not channels or channels[0] < 1 or channels[-1] > MOST_CHANNELS or len(channels) > MOST_ROWS:
        raise ModelError(f"channels must be from 1 to {MOST_CHANNELS}, and at most {MOST_ROWS} of them")
    if shape.depthwise and shape.op == CONV and (shape.inputs is not None or shape.outputs is not None):
        raise ModelError("a depthwise convolution has as many outputs as inputs; give neither")
    maker = _Maker(shape, target)
    with without_collections():
        return Table(shape, target, tuple(map(maker.row, channels)))


def shape_of(layer: Layer, vary_inputs: bool) -> Shape | None:
    """The shape of a layer with one side open; None where it is not a plain convolution in integers."""
    conv = convolution(layer)
    zero = input_zero_point(layer)
    if (
        zero is None
        and awaits_zero_point(layer)
        and layer.input is not None
        and layer.input.quant is not None
    ):
        zero = signed_zero_point(layer.input.quant)  # the one that all figures of the model assume
    if conv is None or zero is None or conv.batch != 1 or not layer.quantized:
        return None
    if conv.group != 1 and not (conv.depthwise and conv.out_channels == conv.in_channels):
        return None
    depthwise = conv.group > 1
    return Shape(
        conv.kernel,
        conv.input_size,
        None if depthwise or vary_inputs else conv.in_channels,
        None if depthwise or not vary_inputs else conv.out_channels,
        conv.stride,
        conv.dilation,
        conv.pads,
        depthwise,
        zero,
        CONV if layer.kind == CONV else GEMM,
    )


def one_layer(shape: Shape, channels: int) -> ModelProto:
    """The model a row stands for: int8 in, int8 out, Q/DQ around one operator; weights are ones."""
    inputs, outputs = shape.sides(channels)
    rows = shape.size[1]
    gemm = shape.op == GEMM
    source = (rows, inputs) if gemm else (1, inputs, *shape.size)
    result = (rows, outputs) if gemm else (1, outputs, *shape.output_size)
    weights = _weights(shape, inputs, outputs)
    stored = {
        "s": np.float32(0.1),
        "zx": np.int8(shape.zero_point),
        "zero": np.int8(0),
        "w": np.ones(weights, np.int8),
        "b": np.zeros(outputs, np.int32),
        "zb": np.int32(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "zx"], ["xf"], name="x_dq"),
        helper.make_node("DequantizeLinear", ["w", "s", "zero"], ["wf"], name="w_dq"),
        helper.make_node("DequantizeLinear", ["b", "s", "zb"], ["bf"], name="b_dq"),
        helper.make_node(shape.op, ["xf", "wf", "bf"], ["yf"], name=shape.op),
        helper.make_node("QuantizeLinear", ["yf", "s", "zero"], ["y"], name="y_q"),
    ]
    nodes[3].attribute.extend(_attributes(shape, inputs))
    graph = helper.make_graph(
        nodes,
        "one layer",
        [helper.make_tensor_value_info("x", TensorProto.INT8, source)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _weights(shape: Shape, inputs: int, outputs: int) -> tuple[int, ...]:
    if shape.op == GEMM:
        return outputs, inputs
    return (outputs, 1 if shape.depthwise else inputs, *shape.kernel)


def _attributes(shape: Shape, inputs: int) -> list[object]:
    if shape.op == GEMM:
        return [helper.make_attribute("transB", 1)]
    return [
        helper.make_attribute("kernel_shape", shape.kernel),
        helper.make_attribute("strides", shape.stride),
        helper.make_attribute("dilations", shape.dilation),
        helper.make_attribute("pads", shape.pads),
        helper.make_attribute("group", inputs if shape.depthwise else 1),
    ]


class _Maker:
    """Makes the layer of each count from that of one model, as only sizes differ; no values are made up."""

    def __init__(self, shape: Shape, target: Target) -> None:
        self.shape, self.target = shape, target
        self.graph = source_of(Path("one layer"), one_layer(replace(shape, inputs=1, outputs=1), 1)).graph
        layers = fold(self.graph)
        (self.layer,) = layers.layers
        geometry = convolution(self.layer)
        assert geometry is not None, "the model states its shapes"
        self.geometry = geometry
        self.last: dict[str, tuple[int, Operand]] = {}
        """Tensor -> (channels, the operand made last): one side is mostly the same in every row."""
        context = Context(self.graph, layers, target)
        small = {cause.why for cause in of_sizes(self.layer, context)}
        assert {cause.why for cause in choose(self.layer, context)} == small, "only sizes can be at fault"
        self.context = context

    def row(self, channels: int) -> Row:
        """What is said of one count."""
        inputs, outputs = self.shape.sides(channels)
        layer, target = self.sized(inputs, outputs), self.target
        context = Context(self.graph, Layers((layer,), ()), target)
        context.floats.update(self.context.floats)
        takes_after(layer, self.layer, context)
        causes = of_sizes(layer, context)
        placement = worst(causes, Placement.HW)
        cost = layer_cost(layer, placement, target, notes=False)  # no Pad lies before it
        codes = dict.fromkeys(code_of(cause) for cause in causes if cause.placement is not Placement.HW)
        return Row(channels, inputs, outputs, placement, cost, tuple(codes))

    def sized(self, inputs: int, outputs: int) -> Layer:
        """The layer with a count of channels on each side."""
        shape, layer = self.shape, self.layer
        source, result = layer.inputs[0], layer.outputs[0]
        assert layer.weight is not None, "the model has weights"
        assert layer.bias is not None, "the model has a bias"
        sized = Layer(
            layer.name,
            layer.op,
            layer.kind,
            layer.domain,
            replace(layer.core, proto=self.node(inputs)) if shape.depthwise else layer.core,
            layer.nodes,
            layer.scope,
            (self.activation(source, inputs),),
            (self.activation(result, outputs),),
            _constant(layer.weight, _weights(shape, inputs, outputs)),
            self.bias(layer.bias, outputs),
        )
        geometry = self.geometry
        group = inputs if shape.depthwise else 1
        sizes = (
            geometry.kernel,
            geometry.stride,
            geometry.dilation,
            geometry.pads,
            geometry.input_size,
            geometry.output_size,
            geometry.batch,
        )
        is_known(sized, Convolution(inputs, outputs, group, *sizes))
        return sized

    def bias(self, operand: Operand, channels: int) -> Operand:
        last = self.last.get(operand.tensor)
        if last is None or last[0] != channels:
            last = self.last[operand.tensor] = channels, _constant(operand, (channels,))
        return last[1]

    def activation(self, operand: Operand, channels: int) -> Operand:
        last = self.last.get(operand.tensor)
        if last is None or last[0] != channels:
            last = self.last[operand.tensor] = channels, self._activation(operand, channels)
        return last[1]

    def _activation(self, operand: Operand, channels: int) -> Operand:
        sizes = operand.type.shape
        assert sizes is not None, "the model states its shapes"
        sizes = (sizes[0], channels) if self.shape.op == GEMM else (sizes[0], channels, *sizes[2:])
        return Operand(operand.tensor, operand.seen, TensorType(operand.type.dtype, sizes), operand.quant)

    def node(self, group: int) -> NodeProto:
        proto = NodeProto()
        proto.CopyFrom(self.layer.core.proto)
        next(attribute for attribute in proto.attribute if attribute.name == "group").i = group
        return proto


def _constant(operand: Operand, sizes: tuple[int, ...]) -> Operand:
    """The operand in another shape: where it runs and what it costs ask for no values."""
    known = operand.constant
    assert known is not None, "weights and bias are constants"
    constant = Constant(known.name, known.dtype, sizes)
    return Operand(
        operand.tensor, operand.seen, TensorType(operand.type.dtype, sizes), operand.quant, constant
    )
