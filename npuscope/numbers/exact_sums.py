"""A model for comparing runs: quantized sums over integers, as the NPU forms them.

onnxruntime computes DQ -> Conv -> Q in float32, where the order of a sum, and with it the last bit, depends on how
many channels the layer has. Where that bit decides a rounding, a layer cut in parts would differ from the whole for
no reason of its own. With the scales taken out of the operands and multiplied in after the sum, products and sums
are integers that float32 holds exactly (below 2^24) in any order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from npuscope.edits.kinds.split_input import GEMM_WITHOUT_C
from npuscope.edits.toolkit.drafting import Draft
from npuscope.edits.toolkit.ranges import dequantized
from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.moved import dequantize_of, movers
from npuscope.model.layers import Layers, Operand
from npuscope.model.tensors import Array


def with_exact_sums(graph: Graph, layers: Layers) -> Graph:
    """The graph with the scales of every quantized Conv, Gemm and MatMul behind its sum, where that can be done."""
    if not graph.nodes:
        return graph
    draft = Draft(graph, graph.nodes[0])
    weights = {layer.core.name: layer.name for layer in layers.layers if layer.weight is not None}
    for node in graph.nodes:
        weighted = (
            weighted_layer(graph, layers, weights[node.name], qlinear=False) if node.name in weights else None
        )
        if isinstance(weighted, Weighted) and _can_be_moved(weighted):
            _move(weighted, draft)
        else:
            draft.nodes.append(node)
    added = {constant.name: constant for constant in draft.constants}
    if not added:
        return graph
    constants, types = {**graph.constants, **added}, {**graph.types, **draft.types}
    return replace(graph, nodes=tuple(draft.nodes), constants=constants, types=types)


def _can_be_moved(weighted: Weighted) -> bool:
    """Input and weights are quantized, with one scale per sum, in float32."""
    weight, graph = weighted.weight, weighted.graph
    if weighted.input_grid is None or weight.quant is None or weight.constant is None:
        return False
    along = weight.quant.axis
    if weighted.shares_scales and along is not None:
        return False
    if along is not None and along % len(weight.constant.shape) != weighted.weight_out:
        return False
    if weighted.layer.kind == "Gemm" and graph.opset < GEMM_WITHOUT_C:
        return False
    return graph.type(weighted.input.seen).dtype == graph.type(weight.seen).dtype == "float32"


def _move(weighted: Weighted, draft: Draft) -> None:
    layer, graph, weight = weighted.layer, weighted.graph, weighted.weight
    draft.pattern = layer.core
    base = f"{layer.name}_exact"
    source = _unscaled(draft, graph, weighted.input, f"{base}_input")
    weights = _unscaled(draft, graph, weight, f"{base}_weight")
    total = layer.core.output(0)
    type_ = graph.type(total)
    summed = draft.name(f"{base}_sum")
    node = draft.copy(layer.core, f"{base}_op", weighted.operands(source, weights, ""), ((summed, type_),))
    gain, beta = _drop_factors(node)

    assert weighted.input.quant is not None and weight.quant is not None
    scale = weight.quant.scale * weighted.input.quant.scale[0] * gain
    rank = len(graph.type(weighted.output.seen).shape or ())
    scales = draft.constant(f"{base}_scale", _on_axis(scale, weighted.output_axis, rank))
    bias = layer.bias
    scaled = total if bias is None else draft.name(f"{base}_scaled")
    draft.node("Mul", f"{base}_mul", (summed, scales), ((scaled, type_),))
    if bias is not None and bias.constant is not None:
        values = dequantized(bias, bias.constant.array()) * beta
        if layer.kind in ("Conv", "ConvTranspose"):
            values = _on_axis(values, weighted.output_axis, rank)
        constant = draft.constant(f"{base}_bias", values)
        draft.node("Add", f"{base}_add", (scaled, constant), ((total, type_),))


def _unscaled(draft: Draft, graph: Graph, operand: Operand, name: str) -> str:
    """The operand behind a DQ of scale 1: its integers, less their zero point."""
    dequantize = dequantize_of(graph, operand.seen)
    assert dequantize is not None
    moving = movers(graph, operand.seen)
    values = graph.constants[dequantize.input(1)].array()
    ones = draft.constant(f"{name}_scale", np.ones_like(values))
    output = draft.name(name)
    inputs = (dequantize.input(0), ones, *dequantize.inputs[2:])
    draft.copy(dequantize, f"{name}_dq", inputs, ((output, graph.type(dequantize.output(0))),))
    for node in moving:
        source, output = output, draft.name(name)
        draft.copy(node, f"{name}_moved", (source, *node.inputs[1:]), ((output, graph.type(node.output(0))),))
    return output


def _drop_factors(node: Node) -> tuple[np.float32, np.float32]:
    """Take alpha and beta out of a Gemm; they would be multiplied in sum by sum."""
    factors = {"alpha": np.float32(1), "beta": np.float32(1)}
    if node.op == "Gemm":
        for name in factors:
            value = node.attribute(name)
            if isinstance(value, float):
                factors[name] = np.float32(value)
        kept = [a for a in node.proto.attribute if a.name not in factors]
        del node.proto.attribute[:]
        node.proto.attribute.extend(kept)
    return factors["alpha"], factors["beta"]


def _on_axis(values: Array, axis: int, rank: int) -> Array:
    """One value, or one per channel of `axis`, shaped to broadcast."""
    if values.size == 1:
        return values.reshape(())
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])
