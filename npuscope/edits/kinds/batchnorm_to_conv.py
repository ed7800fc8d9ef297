"""A BatchNormalization that no Conv feeds, as a Conv of its own: 1x1, one channel per group."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.kinds.fold_batchnorm import quantized_operands
from npuscope.edits.toolkit.drafting import Draft, grid_of, layer_named, removed_with
from npuscope.edits.toolkit.examples import quantized
from npuscope.edits.toolkit.normalization import Affine, affine
from npuscope.edits.toolkit.rewiring import AXIS_SINCE, on_axis, weight_scales
from npuscope.model.graph import Graph
from npuscope.model.layers import Layer, Layers, is_qdq
from npuscope.model.tensors import Dim, TensorType
from npuscope.record import dataclass

EXAMPLE = quantized(
    "BatchNormalization(f, g, h, m, v)",
    "1,2,4,4",
    "1,2,4,4",
    constants="float[2] g = {1, 2}, float[2] h = {0, 1}, float[2] m = {0, 0.5}, float[2] v = {1, 2}",
)


@dataclass(frozen=True, slots=True)
class BatchNormToConv(Declared):
    """Write a BatchNormalization as a depthwise 1x1 Conv.

    1. Each channel has one weight, which int8 with a scale of its own holds exactly; the bias is int32.
    2. A tensor of rank 2 is reshaped to N x C x 1 x 1 and back, with a Q/DQ pair on the existing grids.
    3. Where the input is not quantized the weights stay in float; quantize the layer next.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "batchnorm-to-conv",
        Exactness.ROUNDING,
        "Gain and shift are products in float before, in integers after.",
        operators=("BatchNormalization",),
        answers=("N311",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'make a 1x1 Conv of BatchNormalization_7'."""
        return f"make a 1x1 Conv of {self.layer}"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The Conv, or why it cannot be made."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        normalization = affine(graph, layer.core)
        if isinstance(normalization, Refusal):
            return normalization
        shape = (
            graph.type(normalization.node.input(0)).shape or graph.type(normalization.node.output(0)).shape
        )
        if shape is None or not 2 <= len(shape) <= 4 or shape[1] != normalization.gain.size:
            rank = "an unknown rank" if shape is None else f"rank {len(shape)}"
            return Refusal(
                f"{self.layer} scales {normalization.gain.size} channels of {rank}; a Conv takes rank 2 to 4"
            )
        quant = layer.inputs[0].quant
        if quant is not None and (quant.per_channel or graph.opset < AXIS_SINCE):
            return Refusal(
                f"opset {graph.opset} has one scale for all {normalization.gain.size} weights, which rounds them too much",
                f"convert the model to opset {AXIS_SINCE}, or fold {self.layer} into the layer before it",
            )
        return _patch(graph, layer, normalization, shape)


def _patch(graph: Graph, layer: Layer, normalization: Affine, shape: tuple[Dim, ...]) -> Patch:
    node, quant, name = normalization.node, layer.inputs[0].quant, layer.name
    draft, channels = Draft(graph, node), normalization.gain.size
    real = graph.type(node.output(0)).dtype
    flat = len(shape) == 2
    spatial = 2 if flat else len(shape) - 2
    source, target, result = node.input(0), node.output(0), layer.outputs[0]
    source_node = graph.producer(source)
    wide = TensorType(real, (*shape, 1, 1) if flat else shape)
    if flat:
        source = draft.name(f"{name}_wide")
        to = draft.constant(f"{name}_wide_shape", np.array([0, channels, 1, 1], np.int64))
        draft.node("Reshape", f"{name}_widen", (node.input(0), to), ((source, wide),))
        if source_node is not None and is_qdq(source_node):
            source = draft.quantized(source, wide, grid_of(graph, source_node))
    weights = on_axis(normalization.gain, 0, spatial + 2)
    if quant is None:
        weight = draft.constant(f"{name}_weight", weights.astype(np.float32))
        bias = draft.constant(f"{name}_bias", normalization.shift.astype(np.float32))
    else:
        scales = weight_scales(weights, 0)
        weight, bias = quantized_operands(
            draft, name, weights, normalization.shift, scales, 0, float(quant.scale[0])
        )
    output = draft.name(f"{name}_conv_output") if flat else target
    draft.node(
        "Conv", f"{name}_conv", (source, weight, bias), ((output, wide),),
        group=channels, kernel_shape=[1] * spatial,
    )  # fmt: skip
    if flat:
        readers = [graph.nodes[i] for i in graph.consumers.get(target, ())]
        quantizer = next((r for r in readers if r.output(0) == result.tensor), None)
        if quantizer is not None and result.quant is not None and not result.quant.per_channel:
            output = draft.quantized(output, wide, grid_of(graph, quantizer))
        back = draft.constant(f"{name}_flat_shape", np.array([0, channels], np.int64))
        draft.node("Reshape", f"{name}_flatten", (output, back), ((target, TensorType(real, shape)),))
    removed = removed_with(graph, (node,), draft.nodes)
    return draft.patch(removed)
