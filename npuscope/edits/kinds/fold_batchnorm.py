"""Fold a BatchNormalization into the Conv, Gemm or MatMul before it."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.normalization import SCALED, Affine, affine, with_scaling
from npuscope.edits.toolkit.ranges import dequantized, quantization
from npuscope.edits.toolkit.rewiring import (
    ACTIVATION_TYPE,
    AXIS_SINCE,
    behind_dequantize,
    new_grid,
    on_axis,
    rewired,
    symmetric,
    weight_scales,
)
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import ACTIVATIONS, DEQUANTIZE, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.quant import of_node
from npuscope.model.tensors import Array
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, float[2] g = {1, 2}, float[2] h = {0, 1}, float[2] m = {0, 0.5}, float[2] v = {1, 2}, WEIGHTS>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, wz)
  c = Conv(f, w)
  d = QuantizeLinear(c, s, z)
  e = DequantizeLinear(d, s, z)
  [op] r = BatchNormalization(e, g, h, m, v)
  y = QuantizeLinear(r, s, z) }""".replace("WEIGHTS", numbers("int8", "2,2,1,1", "wq"))


@dataclass(frozen=True, slots=True)
class FoldBatchNorm(Declared):
    """Fold a BatchNormalization into the weights and bias of the layer before it, if nothing else reads that.

    `layer` is the BatchNormalization, or the layer with the weights where no Q lies between.
    1. Weights get a scale per output channel, so their integers stay as they are (but for the sign); where the opset
       has one scale only they are quantized again. The bias is int32 on the scale of the products.
    2. The layer writes what the BatchNormalization wrote, on that grid: there is no rounding between them. A MatMul
       becomes a Gemm.
    3. Where nothing quantizes what the BatchNormalization wrote, the layer gets a grid that covers all its possible values.
    4. Refused where the grid between them starts or ends at 0: it stands for a Relu.
    5. A multiplication or addition of a constant per channel between them is folded as well.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "fold-batchnorm",
        Exactness.APPROXIMATE,
        "One rounding fewer, and other weights if there is one scale for all.",
        operators=("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul"),
        answers=("N311",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'fold BatchNormalization_7 into the layer before it'."""
        return f"fold {self.layer} into the layer before it"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer before with the new weights, or why they cannot be made."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        before: Layer | None = layer
        node = layer.core
        if layer.weight is not None:
            node = _behind(graph, layer)
        elif layer.inputs:
            first = layer.inputs[0]
            before = layers.writers.get(first.seen) or layers.writers.get(first.tensor)
        normalization = affine(graph, node)
        if isinstance(normalization, Refusal):
            return normalization
        normalization = with_scaling(graph, normalization)
        if normalization.through:
            before = layers.writers.get(normalization.source)
        if before is None or before.weight is None:
            feeds = f"a {before.kind}" if before is not None else "a graph input"
            return Refusal(
                f"{feeds} feeds {self.layer}, which has no weights to fold into", "make a Conv of it"
            )
        weighted = weighted_layer(graph, layers, before.name, qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        if weighted.shares_scales:
            return Refusal(
                f"{before.name} is a ConvTranspose of {weighted.group} groups, whose kernels share their weights' axis",
                "make a Conv of it",
            )
        between = _between(graph, weighted, normalization)
        if isinstance(between, Refusal):
            return between
        return _unfit(weighted, normalization) or _patch(graph, weighted, normalization, between)


def _behind(graph: Graph, layer: Layer) -> Node:
    """The BatchNormalization behind what multiplies or adds constants to what a layer writes; the layer's own node if none."""
    node: Node | None = layer.core
    while node is not None and node.op != "BatchNormalization":
        reader = _only_reader(graph, node.output(0))
        node = reader if reader is not None and reader.op in {*SCALED, "BatchNormalization"} else None
    return layer.core if node is None else node


def _between(graph: Graph, weighted: Weighted, normalization: Affine) -> tuple[Node, ...] | Refusal:
    """The Q and DQ between the two, which nothing else may read."""
    nodes: list[Node] = []
    tensor = weighted.layer.core.output(0)
    while tensor != normalization.node.input(0):
        reader = _only_reader(graph, tensor)
        if reader is not None and reader in normalization.through:
            nodes.append(reader)
            tensor = reader.output(0)
            continue
        if reader is not None and reader.op in ACTIVATIONS:
            return Refusal(
                f"a {reader.op} stands between {weighted.layer.name} and {normalization.node.name}"
            )
        if reader is None or not is_qdq(reader) or reader.op not in (QUANTIZE, DEQUANTIZE):
            return Refusal(
                f"{tensor!r} between {weighted.layer.name} and {normalization.node.name} is read elsewhere as well"
            )
        quant = of_node(graph, reader)
        if quant is None or quant.per_channel or quant.zero in quant.limits:
            # A Relu that the quantizer took out lives on in such a grid: it cuts off one sign.
            cut = (
                "per channel"
                if quant is None or quant.per_channel
                else f"with zero point {quant.zero}, like a Relu"
            )
            return Refusal(
                f"{tensor!r} between {weighted.layer.name} and {normalization.node.name} is quantized {cut}"
            )
        nodes.append(reader)
        tensor = reader.output(0)
    if _only_reader(graph, tensor) is None:
        return Refusal(
            f"{tensor!r} between {weighted.layer.name} and {normalization.node.name} is read elsewhere as well"
        )
    return tuple(nodes)


def _only_reader(graph: Graph, tensor: str) -> Node | None:
    readers = graph.consumers.get(tensor, ())
    return graph.nodes[readers[0]] if len(readers) == 1 and tensor not in graph.output_set else None


def _unfit(weighted: Weighted, normalization: Affine) -> Refusal | None:
    layer, name = weighted.layer, normalization.node.name
    rank = len(weighted.graph.type(weighted.output.seen).shape or ())
    if weighted.output_axis != 1 or weighted.out_channels != normalization.gain.size:
        return Refusal(
            f"{name} scales {normalization.gain.size} channels of axis 1; {layer.name} has {weighted.out_channels} kernels "
            f"along axis {weighted.output_axis}"
        )
    if layer.kind == "MatMul" and (rank != 2 or weighted.weight_out != 1 or weighted.values.ndim != 2):
        return Refusal(
            f"{layer.name} is a MatMul of rank {rank} without a bias; only one of rank 2 becomes a Gemm"
        )
    for factor in ("alpha", "beta"):
        value = layer.core.attribute(factor)
        if layer.kind == "Gemm" and isinstance(value, float) and value != 1.0:
            return Refusal(f"{layer.name} has {factor} {value:g}; only 1 is folded into")
    if not weighted.rows_share_bias:
        return Refusal(f"{layer.name} adds another bias to each row, which no bias of channels holds")
    quant = weighted.weight.quant
    if quant is not None and quant.dtype not in ("int8", "uint8"):
        return Refusal(f"{layer.name} has {quant.dtype} weights; only 8-bit ones are folded into")
    if (
        quant is not None
        and quant.axis is not None
        and quant.axis % weighted.values.ndim != weighted.weight_out
    ):
        return Refusal(
            f"the weights of {layer.name} carry scales along axis {quant.axis}, not one per kernel"
        )
    return None


def _patch(graph: Graph, weighted: Weighted, normalization: Affine, between: tuple[Node, ...]) -> Patch:
    layer, draft, rank = weighted.layer, Draft(graph, weighted.layer.core), weighted.values.ndim
    bias = np.zeros(weighted.out_channels)
    if layer.bias is not None and layer.bias.constant is not None:
        values = dequantized(layer.bias, layer.bias.constant.array()).astype(np.float64)
        bias = np.broadcast_to(values.reshape(-1), bias.shape)
    bias = normalization.shift + normalization.gain * bias
    real = dequantized(weighted.weight, weighted.values).astype(np.float64)
    real = real * on_axis(normalization.gain, weighted.weight_out, rank)
    quant, name = weighted.weight.quant, layer.name
    if quant is None:
        weight = draft.constant(f"{name}_weight", real.astype(np.float32))
        added = draft.constant(f"{name}_bias", bias.astype(np.float32))
    else:
        axis = weighted.weight_out if graph.opset >= AXIS_SINCE else None
        scales = weight_scales(real, axis)
        if axis is not None:
            kept = np.broadcast_to(quant.scale, normalization.gain.shape) * np.abs(normalization.gain)
            scales = np.where(normalization.gain == 0, quant.scale, kept).astype(np.float32)
        source = weighted.input.quant
        in_scale = float(source.scale[0]) if source is not None and not source.per_channel else None
        weight, added = quantized_operands(draft, name, real, bias, scales, axis, in_scale)
    core = layer.core
    target = normalization.node.output(0)
    ends = _ends(graph, normalization, between)
    written = target if ends is None else draft.name(f"{target}_{QUANTIZE}_Input")
    draft.types[written] = graph.type(target)
    node = rewired(core, (core.input(0), weight, added), (written,))
    if layer.kind == "MatMul":
        node.proto.op_type = "Gemm"
        node = Node(node.name, "Gemm", node.domain, node.inputs, node.outputs, node.proto)
    draft.nodes.append(node)
    if ends is not None:
        grid = new_grid(draft, target, *quantization(*ends, ACTIVATION_TYPE))
        draft.quantized(written, graph.type(target), grid, wanted=target, into=target)
    removed = removed_with(graph, (core, *between, normalization.node), draft.nodes)
    return draft.patch(removed)


def _ends(graph: Graph, normalization: Affine, between: tuple[Node, ...]) -> tuple[float, float] | None:
    """What the normalization can write from the grid before it; None where that is not needed or not known."""
    readers = graph.consumers.get(normalization.node.output(0), ())
    if not between or not is_qdq(between[0]) or any(is_qdq(graph.nodes[i]) for i in readers):
        return None
    quant = of_node(graph, between[0])
    assert quant is not None, "the walk has looked at it"
    low, high = quant.range
    corners = np.stack(
        [normalization.gain * low + normalization.shift, normalization.gain * high + normalization.shift]
    )
    return float(np.min(corners)), float(np.max(corners))


BIAS_LIMIT = 2.0**30
"""A bias in steps of the products stays below this: room in 32 bits for the products themselves."""


def quantized_operands(
    draft: Draft, name: str, real: Array, bias: Array, scales: Array, axis: int | None, in_scale: float | None
) -> tuple[str, str]:
    """Int8 weights and an int32 bias for them (in float where the input's scale is not known); their tensors."""
    if in_scale is not None:
        if not 0 < in_scale < math.inf:
            raise ValueError(f"the scale {in_scale:g} of the input is not a positive number")
        needed = np.abs(bias) if axis is not None else np.abs(bias).max(initial=0.0)
        scales = np.maximum(scales, needed / (in_scale * BIAS_LIMIT)).astype(np.float32)
    weights = symmetric(real, scales, axis, "int8", smallest=-128)
    weight = behind_dequantize(
        draft, f"{name}_weight", weights, scales, np.zeros(scales.shape), axis, "float32"
    )
    if in_scale is None:
        return weight, draft.constant(f"{name}_bias", bias.astype(np.float32))
    steps = np.asarray(scales * np.float32(in_scale), np.float32)
    along = 0 if axis is not None else None
    stored = symmetric(bias, steps, along, "int32")
    return weight, behind_dequantize(
        draft, f"{name}_bias", stored, steps, np.zeros(steps.shape), along, "float32"
    )
