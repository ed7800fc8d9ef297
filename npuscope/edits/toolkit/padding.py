"""Zeros added: to weights, to the constants around them, and to activations by a Pad."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from npuscope.edits.edit import Patch
from npuscope.edits.toolkit.channel_region import AddedChannels, Region
from npuscope.edits.toolkit.drafting import Draft, Grid, grid_of, removed_with, set_axis
from npuscope.edits.toolkit.rewiring import rewired, substituted
from npuscope.edits.toolkit.shared_grids import dequantize_before
from npuscope.edits.toolkit.sizes import bounded
from npuscope.edits.toolkit.weighted import Weighted
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.moved import dequantize_of
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Operand, is_qdq
from npuscope.model.tensors import Array, TensorType

PADS_ARE_INPUT = 11
"""Opset from which Pad takes its pads as an input."""

SLICE_BY_INPUTS = 10
"""Opset from which Slice takes its bounds as inputs."""


def widened(draft: Draft, region: Region) -> Patch:
    """The patch that gives every tensor of a region its channels; nodes and layers keep their names."""
    graph = draft.graph
    replace: dict[str, tuple[Node, ...]] = {}
    old: list[Node] = []
    for weighted, into, out in region.layers.values():
        old.append(weighted.layer.core)
        replace[weighted.layer.core.name] = _padded_layer(draft, weighted, into, out)
    for name, node in region.nodes.items():
        old.append(node)
        replace[name] = (_carried(draft, region, node),)
    types = {
        name: wide_type(graph.type(name), wide)
        for name, wide in region.tensors.items()
        if graph.constant(name) is None
    }
    added = [node for nodes in replace.values() for node in nodes]
    removed = removed_with(graph, tuple(old), added) - replace.keys()
    return Patch(removed, (), tuple(draft.constants), {**draft.types, **types}, replace)


def wide_type(type_: TensorType, wide: AddedChannels) -> TensorType:
    """The type with the channels added."""
    if type_.shape is None:
        return type_
    shape = list(type_.shape)
    size = shape[wide.axis]
    shape[wide.axis] = size + wide.extra if isinstance(size, int) else size
    return TensorType(type_.dtype, tuple(shape))


def _carried(draft: Draft, region: Region, node: Node) -> Node:
    """A node that handles more channels as it is, but for the constants that count them."""
    graph = draft.graph
    fresh: dict[str, str] = {}
    for tensor in node.inputs:
        constant, wide = graph.constant(tensor), region.tensors.get(tensor)
        if constant is not None and wide is not None:
            zero = graph.value(node.input(2), 1) if is_qdq(node) and node.op == DEQUANTIZE else None
            fill = 0 if zero is None else int(zero.reshape(-1)[0])
            values = padded(constant.array(), {wide.axis: wide.extra}, np.asarray(fill))
            fresh[tensor] = draft.constant(tensor, values)
    if node.op == "Reshape":
        target = graph.value(node.input(1), 64)
        wide = region.tensors[node.output(0)]
        if target is not None and int(target[wide.axis]) != -1:
            sizes = np.array(target)
            shape = graph.type(node.output(0)).dims
            assert shape is not None, "the region has looked at it"
            sizes[wide.axis] = shape[wide.axis] + wide.extra
            fresh[node.input(1)] = draft.constant(node.input(1), sizes)
    return substituted(node, fresh)


def _padded_layer(draft: Draft, weighted: Weighted, into: int, out: int) -> tuple[Node, ...]:
    """The layer with zero weights for so many more channels, behind the Q/DQ it had."""
    layer, core = weighted.layer, weighted.layer.core
    draft.pattern = core
    start = len(draft.nodes)
    depthwise = weighted.group > 1
    # A depthwise ConvTranspose has its groups along its input channels.
    axes = {weighted.weight_in: 0 if depthwise else into, weighted.weight_out: out}
    if weighted.shares_scales:
        axes = {weighted.weight_in: into}
    weight = padded_operand(draft, weighted.weight, weighted.values, axes)
    inputs = {weighted.weight.seen: weight}
    bias = layer.bias
    if out and bias is not None and bias.constant is not None:
        shape = bias.constant.shape
        # A Gemm repeats a bias of one number; the added channels may have it as well.
        if shape and (shape[-1] > 1 or layer.kind in ("Conv", "ConvTranspose")):
            inputs[bias.seen] = padded_operand(draft, bias, bias.constant.array(), {len(shape) - 1: out})
    names = tuple(inputs.get(name, name) for name in core.inputs)
    fresh = rewired(core, names, group=weighted.group + into) if depthwise else rewired(core, names)
    return (*draft.nodes[start:], fresh)


def padded(values: Array, axes: Mapping[int, int], fill: Array) -> Array:
    """`values` with so many more indices at the end of each axis, which hold `fill` (it broadcasts)."""
    shape = tuple(size + axes.get(axis, 0) for axis, size in enumerate(values.shape))
    bounded(*shape)
    wide = np.empty(shape, values.dtype)
    wide[...] = fill.astype(values.dtype)
    wide[tuple(slice(size) for size in values.shape)] = values
    return wide


def padded_operand(draft: Draft, operand: Operand, values: Array, axes: Mapping[int, int]) -> str:
    """A constant operand with zeros added, behind the same Q/DQ; the tensor to read it from."""
    graph, name = draft.graph, operand.tensor
    if operand.seen == operand.tensor:
        return draft.constant(name, padded(values, axes, np.asarray(0)))
    dequantize = dequantize_of(graph, operand.seen)
    assert dequantize is not None and operand.quant is not None
    along = operand.quant.axis % values.ndim if operand.quant.axis is not None else None
    extra = axes.get(along, 0) if along is not None else 0
    bounded(extra + values.size)
    wider: dict[str, str] = {}

    def parameters(node: Node) -> tuple[str, ...]:
        for tensor in node.inputs[1:3]:
            parameter = graph.constants[tensor].array() if tensor else None
            if extra and parameter is not None and parameter.size > 1 and tensor not in wider:
                # The scale of a channel of zeros does not matter; the last one keeps bias = input x weight.
                wider[tensor] = draft.constant(tensor, np.pad(parameter.reshape(-1), (0, extra), mode="edge"))
        return tuple(wider.get(tensor, tensor) for tensor in node.inputs[1:3])

    before = graph.producer(dequantize.input(0))
    in_float = before is not None and is_qdq(before) and before.op == QUANTIZE
    if in_float:
        assert before is not None
        wide = padded(values, axes, np.asarray(0))
        stored = draft.name(before.output(0))
        type_ = TensorType(graph.type(before.output(0)).dtype, wide.shape)
        inputs = (draft.constant(before.input(0), wide), *parameters(before))
        set_axis(draft.copy(before, before.name, inputs, ((stored, type_),)), operand.quant.axis)
    else:
        zero = np.asarray(operand.quant.zero_point)
        if along is not None and zero.size > 1:
            spread = [-1 if axis == along else 1 for axis in range(values.ndim)]
            zero = np.pad(zero, (0, extra), mode="edge").reshape(spread)
        wide = padded(values, axes, zero.reshape(()) if zero.size == 1 else zero)
        stored = draft.constant(name, wide)
    seen = draft.name(operand.seen)
    real = TensorType(graph.type(operand.seen).dtype, wide.shape)
    inputs = (stored, *parameters(dequantize))
    set_axis(draft.copy(dequantize, dequantize.name, inputs, ((seen, real),)), operand.quant.axis)
    return seen


def grid_before(graph: Graph, tensor: str) -> Grid | None:
    """The grid a float tensor's values lie on: of the DQ that writes it, or of one before operators that only move."""
    node = dequantize_before(graph, tensor)
    if node is None or graph.value(node.input(1), 1) is None:
        return None
    return grid_of(graph, node)


def pad_in_front(draft: Draft, weighted: Weighted, extra: int) -> Patch:
    """Zeros behind the channels of the layer's input, by a Pad on the input's own grid, which is exact."""
    layer, graph, source = weighted.layer, weighted.graph, weighted.input
    known = graph.type(source.seen)
    type_ = TensorType(known.dtype, known.shape if known.shape is not None else source.type.shape)
    grid = grid_before(graph, source.seen) if source.quant is not None else None
    read = added_zeros(
        draft, source.seen, type_, AddedChannels(weighted.input_axis, extra), f"{layer.name}_pad", grid
    )
    before = tuple(draft.nodes)
    *weights, core = _padded_layer(draft, weighted, extra, 0)
    nodes = (*before, *weights, substituted(core, {source.seen: read}))
    removed = removed_with(graph, (layer.core,), list(nodes)) - {layer.core.name}
    return Patch(removed, (), tuple(draft.constants), draft.types, {layer.core.name: nodes})


def added_zeros(
    draft: Draft,
    tensor: str,
    type_: TensorType,
    wide: AddedChannels,
    name: str,
    grid: Grid | None,
    into: str = "",
) -> str:
    """A tensor with zeros behind its channels, by a Pad and a Q/DQ on `grid`; what to read, `into` where given."""
    wider = wide_type(type_, wide)
    rank = len(wider.shape or ())
    pads = [0] * rank + [wide.extra if axis == wide.axis else 0 for axis in range(rank)]
    output = into if into and grid is None else draft.name(f"{name}_output")
    # Its value is 0 where none is given; compilers have rejected both an explicit and an empty one.
    if draft.graph.opset >= PADS_ARE_INPUT:
        sizes = draft.constant(f"{name}s", np.array(pads, np.int64))
        draft.node("Pad", name, (tensor, sizes), ((output, wider),), mode="constant")
    else:
        draft.node("Pad", name, (tensor,), ((output, wider),), mode="constant", pads=pads)
    return output if grid is None else draft.quantized(output, wider, grid, into=into)


def slice_behind(draft: Draft, weighted: Weighted, extra: int) -> Patch:
    """Output channels added, and taken away again by a Slice on the layer's own output grid."""
    layer, graph, axis = weighted.layer, weighted.graph, weighted.output_axis
    nodes = list(_padded_layer(draft, weighted, 0, extra))
    core = nodes.pop()
    wide = AddedChannels(axis, extra)
    raw = draft.name(f"{layer.name}_wide_output")
    draft.types[raw] = wide_type(graph.type(core.output(0)), wide)
    nodes.append(rewired(core, None, (raw,)))
    old = [layer.core]
    if weighted.activation is not None:
        old.append(weighted.activation)
        activated = draft.name(f"{layer.name}_wide_activated")
        draft.types[activated] = draft.types[raw]
        nodes.append(rewired(weighted.activation, (raw, *weighted.activation.inputs[1:]), (activated,)))
        raw = activated
    start = len(draft.nodes)
    grid = weighted.output_grid
    source = raw if grid is None else draft.quantized(raw, draft.types[raw], grid)
    result = weighted.output.seen
    first_channels(
        draft, source, axis, weighted.out_channels, f"{layer.name}_slice", result, graph.type(result)
    )
    nodes += draft.nodes[start:]
    removed = removed_with(graph, tuple(old), nodes)
    last = old[-1].name
    return Patch(removed - {last}, (), tuple(draft.constants), draft.types, {last: tuple(nodes)})


def first_channels(
    draft: Draft, tensor: str, axis: int, count: int, name: str, into: str, type_: TensorType
) -> None:
    """A Slice that keeps the first `count` indices of an axis, and writes `into`."""
    outputs = ((into, type_),)
    if draft.graph.opset >= SLICE_BY_INPUTS:
        bounds = tuple(
            draft.constant(f"{name}_{key}", np.array([value], np.int64))
            for key, value in (("starts", 0), ("ends", count), ("axes", axis))
        )
        draft.node("Slice", name, (tensor, *bounds), outputs)
    else:
        draft.node("Slice", name, (tensor,), outputs, starts=[0], ends=[count], axes=[axis])
