"""Make a constant that is added behind a Conv, Gemm or MatMul its bias."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.elementwise import number_of
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.ranges import dequantized
from npuscope.edits.toolkit.rewiring import AXIS_SINCE, QDQ_SINCE, behind_dequantize, only_reader
from npuscope.edits.toolkit.sizes import bounded
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import WEIGHTED, Layer, Layers, Operand
from npuscope.model.names import with_article
from npuscope.model.tensors import Array
from npuscope.record import dataclass

BIAS = 2
"""Where these operators have their bias."""

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x) => (int8[1,3] y)
<float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, float[3] b = {0.5, -0.25, 1.0}, WEIGHTS>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, wz)
  m = MatMul(f, w)
  [op] r = Add(m, b)
  y = QuantizeLinear(r, s, z) }""".replace("WEIGHTS", numbers("int8", "4,3", "wq"))


@dataclass(frozen=True, slots=True)
class AddToBias(Declared):
    """Write a product and the constant added to it as one layer with a bias; a MatMul of two dimensions becomes a Gemm.

    1. `layer` is the Add, or the layer before it, which nothing else reads.
    2. The bias is stored in steps of input scale x weight scale, as onnxruntime's quantizer does; of a float layer in float.
    3. A bias that the layer has is added to it.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "add-to-bias",
        Exactness.ROUNDING,
        "The constant is rounded to a step of the sums, which is less than one of the result.",
        operators=("Add", "Conv", "ConvTranspose", "Gemm", "MatMul"),
        answers=("N101",),
        tried_off_npu=True,
        example=EXAMPLE,
    )

    layer: str

    def describe(self) -> str:
        """'make the constant added at Add_4 a bias'."""
        return f"make the constant added at {self.layer} a bias"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layer with its bias, or why the constant is none."""
        layer = layer_named(layers, self.layer)
        if isinstance(layer, Refusal):
            return layer
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        found = _found(graph, layers, layer)
        if isinstance(found, Refusal):
            return found
        product, add, constant = found
        return _patch(graph, product, add, constant)


def _found(graph: Graph, layers: Layers, layer: Layer) -> tuple[Layer, Node, Operand] | Refusal:
    """The layer that computes the product, the Add behind it, and the constant it adds."""
    node = layer.core
    if node.op == "Add" and node.standard:
        add = node
        makers = [
            maker
            for name in node.inputs
            if (maker := graph.producer(name)) is not None and maker.op in WEIGHTED
        ]
    else:
        reader = only_reader(graph, node.output(0))
        if reader is None or reader.op != "Add" or not reader.standard:
            return Refusal(f"{layer.name} is {with_article(layer.op)} without an Add right behind it")
        add, makers = reader, [node]
    if len(makers) != 1 or not makers[0].standard or only_reader(graph, makers[0].output(0)) is not add:
        return Refusal(f"no Conv, Gemm or MatMul that nothing else reads stands right before {add.name}")
    summed, product = layers.of_node.get(add.name), layers.of_node.get(makers[0].name)
    constant = (
        next((o for o in summed.inputs if o.constant is not None), None) if summed is not None else None
    )
    if product is None or constant is None or constant.seen not in add.inputs:
        return Refusal(f"{add.name} adds no constant")
    return product, add, constant


def _patch(graph: Graph, product: Layer, add: Node, constant: Operand) -> Patch | Refusal:
    core, name = product.core, product.name
    dims = graph.type(core.output(0)).dims
    if dims is None or dims != graph.type(add.output(0)).dims or product.weight is None:
        return Refusal(f"{add.name} changes the shape of what it reads, or {name} has no constant weights")
    if core.op == "MatMul" and (len(dims) != 2 or product.weight.seen != core.input(1)):
        return Refusal(
            f"{name} is no MatMul of two dimensions with weights", "write it as a Conv first: matmul-to-conv"
        )
    if core.op == "Gemm" and (number_of(core, "alpha", 1.0) != 1 or number_of(core, "beta", 1.0) != 1):
        return Refusal(f"{name} has an alpha or a beta")
    axis = 1 if core.op in ("Conv", "ConvTranspose") else len(dims) - 1
    added = _each(constant, dims, axis)
    if core.input(BIAS):
        # Of a Gemm it broadcasts as the constant does; of a Conv it is a vector
        along, of = (dims, axis) if core.op == "Gemm" else (dims[axis : axis + 1], 0)
        own = _each(product.bias, along, of) if product.bias is not None else None
        added = added + own if added is not None and own is not None else None
    if added is None:
        return Refusal(
            f"{add.name} adds more than one number for each output channel, or {name} computes its bias"
        )
    bounded(dims[axis])
    values: Array = np.broadcast_to(added, (dims[axis],)).astype(np.float64)
    if not np.isfinite(values).all():
        return Refusal(f"{add.name} adds what is no number")
    draft = Draft(graph, core)
    bias = _stored(draft, product, values, graph.type(core.output(0)).dtype)
    if isinstance(bias, Refusal):
        return bias
    result = ((add.output(0), graph.type(add.output(0))),)
    inputs = (core.input(0), core.input(1), bias)
    if core.op == "MatMul":
        draft.node("Gemm", f"{name}_Gemm", inputs, result)
    else:
        draft.copy(core, f"{name}_biased", inputs, result)
    return draft.patch(removed_with(graph, (core, add), draft.nodes))


def _each(operand: Operand, dims: tuple[int, ...], axis: int) -> Array | None:
    """The number of each output channel, or one for all; None where a constant has more."""
    if operand.constant is None or operand.constant.size > 1 << 20:
        return None
    values: Array = np.asarray(dequantized(operand, operand.constant.array()), np.float64)
    if values.ndim > len(dims):
        return None
    shape = (*(1,) * (len(dims) - values.ndim), *values.shape)
    if any(size != 1 for i, size in enumerate(shape) if i != axis) or shape[axis] not in (1, dims[axis]):
        return None
    return values.reshape(-1)


def _stored(draft: Draft, product: Layer, values: Array, real: str) -> str | Refusal:
    """The bias in steps of the sums where the layer is quantized, else in float."""
    source, weight = product.inputs[0].quant, product.weight.quant if product.weight is not None else None
    name = f"{product.name}_bias"
    known = source is not None and weight is not None and source.divides and weight.divides
    if source is None or weight is None or not known or source.per_channel or weight.block_size:
        return draft.constant(name, values.astype(real))
    scales = np.asarray(source.scale.reshape(-1)[0] * weight.scale.reshape(-1), np.float64)
    if scales.size not in (1, values.size) or (scales.size > 1 and draft.graph.opset < AXIS_SINCE):
        return draft.constant(name, values.astype(real))
    steps = np.rint(values / scales)
    limit = np.iinfo(np.int32).max
    if np.abs(steps).max(initial=0) > limit:
        return Refusal(f"the constant is more than {limit:,} steps of the sums of {product.name}")
    several = scales.size > 1
    stored, scale = steps.astype(np.int32), scales if several else scales.reshape(())
    return behind_dequantize(draft, name, stored, scale, np.zeros(scale.shape), 0 if several else None, real)
