"""A Conv, ConvTranspose, Gemm or MatMul with constant weights, prepared for splitting and padding."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from npuscope.edits.edit import Refusal
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, layer_named, set_axis
from npuscope.model.convolution import constant_first
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.moved import dequantize_of
from npuscope.model.layer import QLINEAR
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, Operand, is_qdq
from npuscope.model.names import with_article
from npuscope.model.quant import Quant
from npuscope.model.tensors import Array, TensorType
from npuscope.record import dataclass


@dataclass(frozen=True, eq=False)
class Weighted:
    """A layer whose weights can be cut.

    1. `weight_in` and `weight_out` are the weight's axes of input (per group) and output channels; a ConvTranspose has
       them the other way round: all input channels, and the output channels per group.
    2. `input_axis` and `output_axis` are the channel axes of the activations, counted from the front.
    """

    graph: Graph
    layer: Layer
    weight: Operand
    in_channels: int
    out_channels: int
    group: int
    weight_in: int
    weight_out: int
    input_axis: int
    output_axis: int

    @property
    def input(self) -> Operand:
        """The activation it reads."""
        return self.layer.inputs[0]

    @property
    def output(self) -> Operand:
        """What it writes, behind fused activations."""
        return self.layer.outputs[0]

    @property
    def activation(self) -> Node | None:
        """The node of the fused activation."""
        if not self.layer.fused:
            return None
        return self.graph.producer(self.output.seen)

    @property
    def rows_share_bias(self) -> bool:
        """The bias is one number, or one for each output channel; a Gemm may have one for each row instead."""
        bias = self.layer.bias.constant if self.layer.bias is not None else None
        return bias is None or bias.size == 1 or bias.shape[-1] == bias.size == self.out_channels

    @cached_property
    def values(self) -> Array:
        """The weights as stored (integers where they are quantized in the file)."""
        assert self.weight.constant is not None
        return self.weight.constant.array()

    @cached_property
    def input_grid(self) -> Grid | None:
        """The grid of the input's DQ; None where the input is not quantized per tensor."""
        node = self.graph.producer(self.input.seen)
        quant = self.input.quant
        if self.input.tensor == self.input.seen or quant is None or not _returns_its_values(quant):
            return None
        return grid_of(self.graph, node) if node is not None else None

    @cached_property
    def output_grid(self) -> Grid | None:
        """The one grid on which all readers see the output; None where something reads it in float."""
        graph, seen, quant = self.graph, self.output.seen, self.output.quant
        if quant is None or not _returns_its_values(quant) or seen in graph.output_set:
            return None
        readers = [graph.nodes[i] for i in graph.consumers.get(seen, ())]
        if not readers or not all(is_qdq(node) and node.op == QUANTIZE for node in readers):
            return None
        names = {(node.input(1), node.input(2)) for node in readers}
        return grid_of(graph, readers[0]) if len(names) == 1 else None

    def part(self, operand: Operand, channels: int, axis: int) -> TensorType:
        """The type of a float tensor like `operand.seen`, with so many channels."""
        known = self.graph.type(operand.seen)
        shape = known.shape if known.shape is not None else operand.type.shape
        if shape is not None and axis < len(shape):
            shape = (*shape[:axis], channels, *shape[axis + 1 :])
        return TensorType(known.dtype, shape)

    @property
    def inputs_per_group(self) -> int:
        """Input channels that are summed together."""
        return self.in_channels // self.group

    @property
    def shares_scales(self) -> bool:
        """A ConvTranspose of several groups, whose output channels have the scales of one group."""
        return self.layer.kind == "ConvTranspose" and self.group > 1

    def cut_weight(self, draft: Draft, name: str, axis: int, start: int, stop: int) -> str:
        """Add the weights `start` to `stop` of an axis, behind the same Q/DQ; the tensor to read them from."""
        return _cut(draft, self.graph, self.weight, self.values, f"{name}_weight", axis, start, stop)

    def cut_kernels(self, draft: Draft, name: str, start: int, stop: int) -> str:
        """The weights of output channels `start` to `stop`, which lie between groups where there are several."""
        if not self.shares_scales:
            return self.cut_weight(draft, name, self.weight_out, start, stop)
        first, last = (index * self.in_channels // self.out_channels for index in (start, stop))
        return self.cut_weight(draft, name, self.weight_in, first, last)

    def cut_scales(self, draft: Draft, name: str, start: int, stop: int) -> tuple[str, str]:
        """Scale and zero point of a QLinear operator's weights of some output channels."""
        _, scale, zero = self._weight_positions
        names = (self.layer.core.input(scale), self.layer.core.input(zero))
        cut = []
        for tensor, suffix in zip(names, ("scale", "zero_point"), strict=True):
            values = self.graph.constants[tensor].array() if tensor else None
            if values is None or values.size == 1:
                cut.append(tensor)
            else:
                cut.append(draft.constant(f"{name}_weight_{suffix}", values.reshape(-1)[start:stop]))
        return cut[0], cut[1]

    @property
    def _weight_positions(self) -> tuple[int, int, int]:
        """Where a QLinear operator has its weights, their scale and their zero point."""
        _, operands, _, _ = QLINEAR[self.layer.op]
        return operands[0 if constant_first(self.layer) else 1]

    def cut_bias(self, draft: Draft, name: str, start: int, stop: int) -> str:
        """The bias of output channels `start` to `stop`; '' where there is none."""
        bias = self.layer.bias
        if bias is None:
            return ""
        assert bias.constant is not None
        shape = bias.constant.shape
        if not shape or shape[-1] == 1:
            return bias.seen
        values = bias.constant.array()
        return _cut(draft, self.graph, bias, values, f"{name}_bias", len(shape) - 1, start, stop)

    def operands(
        self, source: str, weight: str, bias: str, scales: tuple[str, str] | None = None
    ) -> tuple[str, ...]:
        """Inputs of a part's operator, in its order; `scales` are those of a QLinear operator's weights."""
        if scales is not None:
            _, operands, _, bias_at = QLINEAR[self.layer.op]
            inputs = list(self.layer.core.inputs)
            weight_at, scale_at, zero_at = self._weight_positions
            inputs[operands[1 if weight_at == operands[0][0] else 0][0]] = source
            inputs[weight_at], inputs[scale_at], inputs[zero_at] = weight, *scales
            if bias_at is not None and bias_at < len(inputs):
                inputs[bias_at] = bias
            return tuple(inputs)
        if constant_first(self.layer):
            return weight, source
        return (source, weight, bias) if bias else (source, weight)

    def pieces(self, draft: Draft, sizes: tuple[int, ...]) -> list[str]:
        """Split the input along its channels; quantized pieces keep the input's own grid, which is exact."""
        layer, axis = self.layer.name, self.input_axis
        types = [self.part(self.input, size, axis) for size in sizes]
        names = [draft.name(f"{layer}_split_output{i}") for i in range(len(sizes))]
        outputs = tuple(zip(names, types, strict=True))
        if self.graph.opset >= 13:
            lengths = draft.constant(f"{layer}_split_sizes", np.array(sizes, np.int64))
            draft.node("Split", f"{layer}_split", (self.input.seen, lengths), outputs, axis=axis)
        else:
            draft.node("Split", f"{layer}_split", (self.input.seen,), outputs, axis=axis, split=list(sizes))
        grid = self.input_grid
        if grid is None:
            return names
        return [draft.quantized(name, type_, grid) for name, type_ in outputs]


def weighted_layer(
    graph: Graph,
    layers: Layers,
    name: str,
    done: str = "split",
    transposed: bool = True,
    qlinear: bool = True,
) -> Weighted | Refusal:
    """The layer prepared for an edit, or why it cannot be; `done` is the word for what is to be done to it.

    A ConvTranspose (its weights have the input channels first) and a QLinear operator (its quantization is among its
    inputs) are refused unless the caller supports them.
    """
    layer = layer_named(layers, name)
    if isinstance(layer, Refusal):
        return layer
    if layer.qoperator and not qlinear:
        return Refusal(
            f"{name} is {with_article(layer.op)}, which keeps its quantization inside",
            "convert it to QDQ form first",
        )
    kinds = ("Conv", "Gemm", "MatMul", *(("ConvTranspose",) if transposed else ()))
    if layer.kind not in kinds or not (layer.core.standard or layer.qoperator):
        return Refusal(
            f"{name} is {with_article(layer.op)}; only {', '.join(kinds[:-1])} and {kinds[-1]} can be {done}"
        )
    if layer.qoperator and layer.core.integer("channels_last", 0):
        return Refusal(f"{name} has its channels last, as no ONNX operator has them")
    weight = layer.weight
    if weight is None or weight.constant is None or len(layer.inputs) != 1 or len(layer.outputs) != 1:
        return Refusal(f"{name} has no constant weights; only constant weights can be {done}")
    if layer.bias is not None and layer.bias.constant is None:
        return Refusal(f"the bias of {name} is computed by the model; only a constant bias can be {done}")
    geometry = _geometry(graph, layer, weight)
    if isinstance(geometry, Refusal):
        return geometry
    return _unreadable(geometry) or geometry


def _returns_its_values(quant: Quant) -> bool:
    """One scale, and such that what was quantized once is not changed by being quantized again."""
    scale = float(quant.scale.flat[0])
    return not quant.per_channel and float(np.finfo(np.float32).tiny) <= scale < math.inf


def _geometry(graph: Graph, layer: Layer, weight: Operand) -> Weighted | Refusal:
    assert weight.constant is not None
    shape, name = weight.constant.shape, layer.name
    source = graph.type(layer.inputs[0].seen).shape or layer.inputs[0].type.shape
    result = graph.type(layer.outputs[0].seen).shape or layer.outputs[0].type.shape
    if not source or not result:
        return Refusal(f"the shapes around {name} are not known", "run shape inference on the model first")
    axes = _axes(layer, len(shape), len(source), len(result))
    if axes is None:
        return Refusal(f"{name} has weights of {_times(shape)} for an input of rank {len(source)}; not split")
    weight_in, weight_out, input_axis, output_axis = axes
    group = layer.core.integer("group", 1) if layer.kind in ("Conv", "ConvTranspose") else 1
    turned = layer.kind == "ConvTranspose"
    together = shape[weight_in if turned else weight_out]
    if group < 1 or together % group:
        return Refusal(f"{name} has {together} kernels, which do not make {group} groups")
    geometry = Weighted(
        graph, layer, weight, shape[weight_in] * (1 if turned else group),
        shape[weight_out] * (group if turned else 1), group,
        weight_in, weight_out, input_axis, output_axis,
    )  # fmt: skip
    for channels, dims, axis in (
        (geometry.in_channels, source, input_axis),
        (geometry.out_channels, result, output_axis),
    ):
        if axis >= len(dims) or (isinstance(dims[axis], int) and dims[axis] != channels):
            return Refusal(f"the weights of {name} ({_times(shape)}) do not fit its shapes")
    return geometry


def _axes(layer: Layer, weight: int, source: int, result: int) -> tuple[int, int, int, int] | None:
    """Channel axes (weight in, weight out, input, output) from the three ranks; None for what is not cut."""
    node = layer.core
    if layer.kind == "Conv":
        return (1, 0, 1, 1) if weight >= 3 and source == weight else None
    if layer.kind == "ConvTranspose":
        return (0, 1, 1, 1) if weight >= 3 and source == weight else None
    if layer.kind == "Gemm":
        if weight != 2 or source != 2:
            return None
        out = 0 if node.integer("transB", 0) else 1
        return 1 - out, out, 0 if node.integer("transA", 0) else 1, 1
    if constant_first(layer):
        return (weight - 1, weight - 2, source - 2, result - 2) if weight >= 2 and source >= 2 else None
    return (weight - 2, weight - 1, source - 1, result - 1) if weight >= 2 else None


def _unreadable(geometry: Weighted) -> Refusal | None:
    """Why the weights or the bias cannot be cut, whatever the sizes."""
    layer, bias = geometry.layer, geometry.layer.bias
    if layer.qoperator:
        return _uncut_scales(geometry)
    for operand, what in ((geometry.weight, "weights"), (bias, "bias")):
        if operand is None or operand.seen == operand.tensor:
            continue
        if operand.quant is None or not _constant_scales(geometry.graph, operand):
            return Refusal(
                f"the scales of the {what} of {layer.name} are computed by the model",
                "fold its constants first, with onnxsim or onnxruntime",
            )
        if operand.quant.block_size:
            return Refusal(
                f"the {what} of {layer.name} are quantized in blocks of {operand.quant.block_size}; "
                "only weights with one scale, or one per channel, can be cut"
            )
        assert operand.constant is not None
        shape, axis = operand.constant.shape, operand.quant.axis
        if axis is not None:
            place = axis + len(shape) if axis < 0 else axis
            if not 0 <= place < len(shape) or shape[place] != operand.quant.scale.size:
                return Refusal(
                    f"the {what} of {layer.name} ({_times(shape)}) carry {operand.quant.scale.size} scales "
                    f"along axis {axis}, which do not fit"
                )
    sizes = bias.constant.shape if bias is not None and bias.constant is not None else ()
    if sizes and sizes[-1] not in (1, geometry.out_channels):
        return Refusal(
            f"the bias of {layer.name} ({_times(sizes)}) does not fit its {geometry.out_channels} output channels"
        )
    return None


def _uncut_scales(geometry: Weighted) -> Refusal | None:
    """Why the scales among a QLinear operator's inputs cannot be cut."""
    layer, graph = geometry.layer, geometry.graph
    _, operands, _, _ = QLINEAR[layer.op]
    weight = operands[0 if constant_first(layer) else 1]
    for tensor in (layer.core.input(weight[1]), layer.core.input(weight[2])):
        if not tensor:
            continue
        constant = graph.constant(tensor)
        if constant is None or constant.size not in (1, geometry.out_channels):
            return Refusal(
                f"the scales of the weights of {layer.name} are computed by the model, or do not fit"
            )
    bias = layer.bias
    if (
        bias is not None
        and bias.constant is not None
        and bias.constant.size not in (1, geometry.out_channels)
    ):
        return Refusal(f"the bias of {layer.name} does not fit its {geometry.out_channels} output channels")
    return None


def _constant_scales(graph: Graph, operand: Operand) -> bool:
    """The DQ of a constant, and the Q before it where there is one, take scales and zero points the model holds."""
    dequantize = dequantize_of(graph, operand.seen)
    if dequantize is None or dequantize.op != DEQUANTIZE or operand.quant is None:
        return False
    before = graph.producer(dequantize.input(0))
    quantize = (before,) if before is not None and is_qdq(before) and before.op == QUANTIZE else ()
    sizes = (1, operand.quant.scale.size)
    return all(
        name in graph.constants and graph.constants[name].size in sizes
        for node in (dequantize, *quantize)
        for name in node.inputs[1:3]
        if name
    )


def _cut(
    draft: Draft, graph: Graph, operand: Operand, values: Array, name: str, axis: int, start: int, stop: int
) -> str:
    part = values[(slice(None),) * axis + (slice(start, stop),)]
    if operand.seen == operand.tensor:
        return draft.constant(name, part)
    dequantize = dequantize_of(graph, operand.seen)
    assert dequantize is not None and operand.quant is not None
    along = operand.quant.axis is not None and operand.quant.axis % values.ndim == axis
    cut: dict[str, str] = {}

    def parameters(node: Node) -> tuple[str, ...]:
        for tensor, suffix in zip(node.inputs[1:3], ("scale", "zero_point"), strict=False):
            values = graph.constants[tensor].array() if tensor else None
            if along and values is not None and values.size > 1 and tensor not in cut:
                cut[tensor] = draft.constant(f"{name}_{suffix}", values.reshape(-1)[start:stop])
        return tuple(cut.get(tensor, tensor) for tensor in node.inputs[1:3])

    before = graph.producer(dequantize.input(0))
    if before is not None and is_qdq(before) and before.op == QUANTIZE:
        stored = draft.name(f"{name}_{QUANTIZE}_Output")
        type_ = TensorType(graph.type(dequantize.input(0)).dtype, tuple(part.shape))
        inputs = (draft.constant(name, part), *parameters(before))
        set_axis(draft.copy(before, f"{name}_{QUANTIZE}", inputs, ((stored, type_),)), operand.quant.axis)
    else:
        stored = draft.constant(f"{name}_quantized", part)
    seen = draft.name(f"{name}_{DEQUANTIZE}_Output")
    real = TensorType(graph.type(operand.seen).dtype, tuple(part.shape))
    inputs = (stored, *parameters(dequantize))
    set_axis(draft.copy(dequantize, f"{name}_{DEQUANTIZE}", inputs, ((seen, real),)), operand.quant.axis)
    return seen


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
