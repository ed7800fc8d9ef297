"""Nodes that stay themselves with other tensors around them, and Q/DQ pairs put on a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper

from npuscope.edits.toolkit.drafting import Draft, Grid
from npuscope.edits.toolkit.ranges import quantization
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, is_qdq
from npuscope.model.tensors import Array, TensorType

QDQ_SINCE = 10
"""Opset from which ONNX has QuantizeLinear and DequantizeLinear."""

AXIS_SINCE = 13
"""Opset from which they take a scale per channel."""

ACTIVATION_TYPE = "int8"
"""What activations are quantized to where the layer says nothing else."""


def rewired(
    node: Node,
    inputs: tuple[str, ...] | None = None,
    outputs: tuple[str, ...] | None = None,
    **attributes: Any,
) -> Node:
    """The node, under its own name, reading and writing other tensors; an attribute of None is taken away."""
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    if inputs is not None:
        proto.input[:] = inputs
    if outputs is not None:
        proto.output[:] = outputs
    if attributes:
        kept = [a for a in proto.attribute if a.name not in attributes]
        added = [helper.make_attribute(key, value) for key, value in attributes.items() if value is not None]
        del proto.attribute[:]
        proto.attribute.extend([*kept, *added])
    proto.name = node.name
    return Node(node.name, node.op, node.domain, tuple(proto.input), tuple(proto.output), proto)


def substituted(node: Node, tensors: dict[str, str]) -> Node:
    """The node, reading other tensors in the place of some."""
    return rewired(node, tuple(tensors.get(name, name) for name in node.inputs))


def only_reader(graph: Graph, tensor: str) -> Node | None:
    """The node that alone reads a tensor; None where several do, or the tensor is an output."""
    readers = graph.consumers.get(tensor, ())
    return graph.nodes[readers[0]] if len(readers) == 1 and tensor not in graph.output_set else None


def like_of(graph: Graph) -> Node:
    """A Q whose domain new ones take: the first that is per tensor, or one of ONNX's own."""
    for node in graph.nodes:
        if is_qdq(node) and node.op == QUANTIZE:
            return node
    return Node("", QUANTIZE, "", (), (), NodeProto(op_type=QUANTIZE))


def new_grid(
    draft: Draft,
    wanted: str,
    scale: float,
    zero_point: int,
    stored: str = ACTIVATION_TYPE,
    real: str = "float32",
) -> Grid:
    """A grid with constants of its own, named `<wanted>_scale` and `<wanted>_zero_point`."""
    like = like_of(draft.graph)
    bare = Node("", QUANTIZE, like.domain, (), (), NodeProto(op_type=QUANTIZE, domain=like.domain))
    return Grid(
        draft.constant(f"{wanted}_scale", np.asarray(scale, real)),
        draft.constant(f"{wanted}_zero_point", np.asarray(zero_point, stored)),
        stored,
        real,
        bare,
    )


def behind_dequantize(
    draft: Draft, wanted: str, stored: Array, scale: Array, zero_point: Array, axis: int | None, real: str
) -> str:
    """Add integers behind a DQ, as the quantizer leaves a weight; the tensor the DQ writes."""
    inputs = (
        draft.constant(f"{wanted}_quantized", stored),
        draft.constant(f"{wanted}_scale", np.asarray(scale, real)),
        draft.constant(f"{wanted}_zero_point", np.asarray(zero_point, stored.dtype)),
    )
    seen = draft.name(f"{wanted}_{DEQUANTIZE}_Output")
    attributes = {} if axis is None else {"axis": axis}
    type_ = TensorType(real, tuple(stored.shape))
    draft.node(
        DEQUANTIZE,
        f"{wanted}_{DEQUANTIZE}",
        inputs,
        ((seen, type_),),
        like_of(draft.graph).domain,
        **attributes,
    )
    return seen


def quantized_constant(draft: Draft, wanted: str, values: Array, stored: str, real: str) -> str:
    """Quantize a constant as onnxruntime does an activation: one asymmetric scale over its range, 0 in it."""
    _representable(values)
    ends = (float(values.min(initial=0.0)), float(values.max(initial=0.0)))
    scale, zero_point = quantization(*ends, stored)
    limits = np.iinfo(stored)
    steps = np.rint(values.astype(np.float64) / scale) + zero_point
    clipped = np.asarray(np.clip(steps, limits.min, limits.max), stored)
    return behind_dequantize(draft, wanted, clipped, np.asarray(scale), np.asarray(zero_point), None, real)


def _representable(values: Array, scales: Array | float = 1.0) -> None:
    """Raises ValueError for numbers or scales that no integers stand for."""
    if not (np.isfinite(values).all() and np.isfinite(scales).all() and np.all(np.asarray(scales) > 0)):
        raise ValueError("a constant to be quantized is not finite, or its scale not a positive number")


def weight_scales(values: Array, axis: int | None) -> Array:
    """Symmetric int8 scales: one, or one for each index of `axis`."""
    summed = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values.astype(np.float64)).max(axis=summed, initial=0.0)
    scales = np.asarray(largest / 127, np.float32)
    return np.asarray(np.where(scales < np.finfo(np.float32).tiny, 1, scales), np.float32)


def on_axis(values: Array, axis: int | None, rank: int) -> Array:
    """One value per index of `axis`, shaped to broadcast over `rank` axes."""
    if axis is None or values.ndim == 0:
        return values
    return values.reshape([-1 if i == axis else 1 for i in range(rank)])


def symmetric(
    values: Array, scales: Array, axis: int | None, dtype: str, smallest: int | None = None
) -> Array:
    """Integers that stand for `values` at zero point 0; int8 leaves out -128 unless `smallest` allows it."""
    _representable(values, scales)
    limits = np.iinfo(dtype)
    least = smallest if smallest is not None else -127 if dtype == "int8" else limits.min
    real = values.astype(np.float64) / on_axis(scales.astype(np.float64), axis, values.ndim)
    return np.asarray(np.clip(np.rint(real), least, limits.max), dtype)
