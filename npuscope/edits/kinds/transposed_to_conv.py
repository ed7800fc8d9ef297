"""Write a ConvTranspose as a Conv that computes all phases of its output as channels, and a DepthToSpace."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.relayout import relaid
from npuscope.edits.toolkit.sizes import bounded, machine_limits
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph
from npuscope.model.layers import Layers
from npuscope.model.tensors import Array, TensorType
from npuscope.record import dataclass

MODES_SINCE = 11
"""Opset from which a DepthToSpace says its mode; DCR is the one the runtime has a routine for (FACTS 4)."""


EXAMPLE = quantized("ConvTranspose <strides = [2, 2]> (f, w)", "1,2,3,3", "1,3,6,6", "2,3,2,2")


@dataclass(frozen=True, slots=True)
class TransposedToConv(Declared):
    """Write a ConvTranspose of one group and one stride s as a Conv of stride 1 with s * s times the channels.

    1. Output positions of one phase (row and column modulo s) are a Conv of the input with every s-th weight. The
       Conv computes all phases; weights that a phase does not have are zero.
    2. Its output has the layer's own grid, as does the output of the DepthToSpace (mode DCR) after it.
    3. The map interleaved with zeros, which takes two CPU routines, is no longer needed: one routine is left.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "transposed-to-conv",
        Exactness.BIT_EXACT,
        "The same products are summed.",
        operators=("ConvTranspose",),
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'write ConvTranspose_5 as a Conv and a DepthToSpace'."""
        return f"write {self.layer} as a Conv and a DepthToSpace"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why there is none."""
        weighted = weighted_layer(graph, layers, self.layer, "written as a Conv", qlinear=False)
        if isinstance(weighted, Refusal):
            return weighted
        split = phases(weighted)
        return split if isinstance(split, Refusal) else _patch(weighted, split)


@dataclass(frozen=True, slots=True)
class Phases:
    """The Conv: along height and width the first tap (an offset of input positions), the taps, and the pads."""

    stride: int
    first: tuple[int, int]
    taps: tuple[int, int]
    begin: tuple[int, int]
    """Pads of the ConvTranspose at the top and at the left."""
    pads: tuple[int, int, int, int]
    size: tuple[int, int]


def phases(weighted: Weighted) -> Phases | Refusal:
    """The geometry of the Conv, or why there is none."""
    name, node, graph = weighted.layer.name, weighted.layer.core, weighted.graph
    if weighted.layer.kind != "ConvTranspose" or weighted.group != 1 or weighted.values.ndim != 4:
        return Refusal(f"{name} is not a two-dimensional ConvTranspose of one group")
    source, result = graph.type(weighted.input.seen).dims, graph.type(weighted.output.seen).dims
    if source is None or result is None or graph.opset < MODES_SINCE:
        return Refusal(
            f"the sizes of {name} are not known, or its opset {graph.opset} has no DepthToSpace DCR"
        )
    quant = weighted.weight.quant
    if quant is not None and quant.axis is not None and quant.axis % 4 != weighted.weight_out:
        return Refusal(f"the weights of {name} have a scale per input channel")
    strides = node.integers("strides") or (1, 1)
    if strides[0] != strides[-1] or strides[0] < 2 or any(d != 1 for d in node.integers("dilations") or ()):
        return Refusal(
            f"{name} has strides {strides[0]} and {strides[-1]}, or a dilation; one stride above 1 is taken"
        )
    stride, kernel = strides[0], weighted.values.shape[2:]
    begin = _begin(weighted, source, result, stride)
    first, taps, pads = [], [], []
    for axis in (0, 1):
        if result[2 + axis] % stride:
            return Refusal(
                f"{name} writes {result[2 + axis]} rows or columns, which {stride} does not divide"
            )
        low = -((kernel[axis] - 1 - begin[axis]) // stride)
        high = (stride - 1 + begin[axis]) // stride
        before = -low
        after = result[2 + axis] // stride - source[2 + axis] + high - low - before
        if before < 0 or after < 0:
            return Refusal(f"{name} crops more than its kernel reaches over")
        first.append(low)
        taps.append(high - low + 1)
        pads.append((before, after))
    if weighted.out_channels * stride**2 > machine_limits().dimension:
        return Refusal(f"{name} would need {weighted.out_channels * stride**2} channels")
    return Phases(
        stride, (first[0], first[1]), (taps[0], taps[1]), begin,
        (pads[0][0], pads[1][0], pads[0][1], pads[1][1]), (result[2] // stride, result[3] // stride),
    )  # fmt: skip


def _begin(
    weighted: Weighted, source: tuple[int, ...], result: tuple[int, ...], stride: int
) -> tuple[int, int]:
    """Pads at the top and the left, as ONNX works them out."""
    node, kernel = weighted.layer.core, weighted.values.shape[2:]
    auto, more = node.text("auto_pad", "NOTSET"), node.integers("output_padding") or (0, 0)
    if auto not in ("SAME_UPPER", "SAME_LOWER") and not node.integers("output_shape"):
        pads = node.integers("pads") or (0, 0, 0, 0)
        return (0, 0) if auto == "VALID" else (pads[0], pads[1])
    begins = []
    for axis in (0, 1):
        total = stride * (source[2 + axis] - 1) + more[axis] + kernel[axis] - result[2 + axis]
        begins.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
    return begins[0], begins[1]


def _patch(weighted: Weighted, split: Phases) -> Patch:
    graph, layer, stride = weighted.graph, weighted.layer, split.stride
    draft, name = Draft(graph, layer.core), layer.name
    weight = spread(weighted, draft, split)
    bias = ""
    if layer.bias is not None and layer.bias.constant is not None:
        bias = _repeated(weighted, draft, stride**2)
    known = graph.type(weighted.output.seen)
    batch = (known.shape or (1,))[0]
    type_ = TensorType(known.dtype, (batch, weighted.out_channels * stride**2, *split.size))
    output = draft.name(f"{name}_phases")
    inputs = (weighted.input.seen, weight, bias) if bias else (weighted.input.seen, weight)
    draft.node(
        "Conv", f"{name}_Conv", inputs, ((output, type_),),
        kernel_shape=list(split.taps), pads=list(split.pads), strides=[1, 1],
    )  # fmt: skip
    if weighted.activation is not None:
        raw, output = output, draft.name(f"{name}_activated")
        repeated = (raw, *weighted.activation.inputs[1:])
        draft.copy(weighted.activation, f"{name}_{weighted.activation.op}", repeated, ((output, type_),))
    grid = weighted.output_grid
    read = output if grid is None else draft.quantized(output, type_, grid)
    outputs = ((weighted.output.seen, known),)
    draft.node("DepthToSpace", f"{name}_DepthToSpace", (read,), outputs, blocksize=stride, mode="DCR")
    core = (layer.core,) if weighted.activation is None else (layer.core, weighted.activation)
    removed = removed_with(graph, core, draft.nodes)
    return draft.patch(removed)


def spread(weighted: Weighted, draft: Draft, split: Phases) -> str:
    """The Conv's weights: output channel (phase row, phase column, channel), then input channel and taps."""
    values, stride, quant = weighted.values, split.stride, weighted.weight.quant
    fill = (
        quant.zero_point
        if quant is not None and weighted.weight.seen != weighted.weight.tensor
        else np.zeros(1)
    )
    if values.dtype.kind == "f":
        fill = np.zeros(1)
    each = np.broadcast_to(fill, (weighted.out_channels,)) if fill.size > 1 else fill
    shape = (stride, stride, weighted.out_channels, weighted.in_channels, *split.taps)
    bounded(*shape)
    wide = np.empty(shape, values.dtype)
    wide[...] = each.reshape(1, 1, -1, 1, 1, 1).astype(values.dtype)
    kernel = values.shape[2:]
    for a in range(stride):
        for b in range(stride):
            for y in range(split.taps[0]):
                for x in range(split.taps[1]):
                    row = a + split.begin[0] - stride * (y + split.first[0])
                    column = b + split.begin[1] - stride * (x + split.first[1])
                    if 0 <= row < kernel[0] and 0 <= column < kernel[1]:
                        wide[a, b, :, :, y, x] = values[:, :, row, column].T
    flat = np.ascontiguousarray(wide.reshape(-1, weighted.in_channels, *split.taps))
    order = _each_phase(weighted, stride**2) if quant is not None and quant.per_channel else None
    return relaid(
        draft, weighted.graph, weighted.weight, f"{weighted.layer.name}_phases_weight", flat, 0, order
    )


def _repeated(weighted: Weighted, draft: Draft, times: int) -> str:
    bias = weighted.layer.bias
    assert bias is not None and bias.constant is not None
    values: Array = np.tile(bias.constant.array(), times)
    order = _each_phase(weighted, times) if bias.quant is not None and bias.quant.per_channel else None
    return relaid(draft, weighted.graph, bias, f"{weighted.layer.name}_phases_bias", values, 0, order)


def _each_phase(weighted: Weighted, times: int) -> Array:
    """The output channels, once for each phase."""
    return np.tile(np.arange(weighted.out_channels), times)
