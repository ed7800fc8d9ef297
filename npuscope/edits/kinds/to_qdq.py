"""QLinear operators as the same operator between DequantizeLinear and QuantizeLinear, the form the compiler is for."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from onnx import helper

from npuscope.edits.edit import Declaration, Declared, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, layer_named, removed_with
from npuscope.edits.toolkit.examples import numbers
from npuscope.edits.toolkit.rewiring import AXIS_SINCE, QDQ_SINCE
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import QLINEAR
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.names import with_article
from npuscope.model.tensors import Array, TensorType
from npuscope.record import dataclass

AXES_ARE_INPUT = 18
"""Opset from which ReduceMean takes its axes as an input."""

SOFTMAX_ON_ONE_AXIS = 13
"""Opset from which Softmax works on one axis; before, on all from it on."""

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "Conv": ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    "Gemm": ("alpha", "transA", "transB"),
    "LeakyRelu": ("alpha",),
    "Softmax": ("axis",),
    "AveragePool": ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides"),
    "ReduceMean": ("axes", "keepdims"),
    "Concat": ("axis",),
}
"""Attributes that an operator takes over from its QLinear form."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4] x) => (int8[1,3] y) <float s = {0.1}, int8 z = {5}, float ws = {0.01}, int8 wz = {0}, WEIGHTS>
{ [op] y = QLinearMatMul(x, s, z, wq, ws, wz, s, z) }""".replace("WEIGHTS", numbers("int8", "4,3", "wq"))


@dataclass(frozen=True, slots=True)
class ToQdq(Declared):
    """Turn QLinearConv, QGemm, QLinearAdd... into Conv, Gemm, Add... between DQ and Q; `layer` is one, '' all of them.

    1. Stored tensors, scales and zero points stay; the operator keeps the layer's name.
    2. An int32 bias gets its scale, input scale x weight scale, written out.
    3. A QLinear kernel rounds sums times a scale, Q rounds a quotient: a result half-way between two steps
       may come out one step apart.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "to-qdq",
        Exactness.ROUNDING,
        "Each layer's output is the same up to its rounding.",
        example=EXAMPLE,
    )

    layer: str = ""

    def describe(self) -> str:
        """'convert Conv_3 to QDQ form'."""
        return f"convert {self.layer or 'all QLinear operators'} to QDQ form"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The layers in QDQ form, or why one cannot be put so."""
        if self.layer:
            layer = layer_named(layers, self.layer)
            if isinstance(layer, Refusal):
                return layer
            if not layer.qoperator:
                return Refusal(f"{self.layer} is {with_article(layer.op)}, not a QLinear operator")
            chosen = [layer]
        else:
            chosen = [layer for layer in layers.layers if layer.qoperator]
            if not chosen:
                return Refusal("the model has no QLinear operators")
        if graph.opset < QDQ_SINCE:
            return Refusal(f"opset {graph.opset} has no QuantizeLinear; {QDQ_SINCE} or later has")
        return _converted(graph, chosen)


def _converted(graph: Graph, chosen: list[Layer]) -> Patch | Refusal:
    draft = Draft(graph, chosen[0].core)
    seen: dict[tuple[str, ...], str] = {}
    changed: dict[str, tuple[Node, ...]] = {}
    for layer in chosen:
        draft.pattern = layer.core
        start = len(draft.nodes)
        refusal = _Conversion(draft, layer, seen).run()
        if refusal is not None:
            return refusal
        changed[layer.core.name] = tuple(draft.nodes[start:])
    old = tuple(layer.core for layer in chosen)
    removed = removed_with(graph, old, list(draft.nodes)) - changed.keys()
    return Patch(removed, (), tuple(draft.constants), draft.types, changed)


class _Conversion:
    def __init__(self, draft: Draft, layer: Layer, seen: dict[tuple[str, ...], str]) -> None:
        self.draft, self.graph, self.layer = draft, draft.graph, layer
        self.node = layer.core
        self.seen = seen
        """(tensor, scale, zero point) -> what its DQ writes: a tensor gets one DQ for all that read it."""

    def run(self) -> Refusal | None:
        operands, output, bias_at = self.positions()
        attributes = self.attributes()
        refusal = attributes if isinstance(attributes, Refusal) else self.unfit(operands, output)
        if refusal is not None:
            return refusal
        assert not isinstance(attributes, Refusal)
        inputs = [self.dequantized(place, *positions) for place, positions in enumerate(operands)]
        if bias_at is not None and self.node.input(bias_at):
            inputs.append(self.bias(bias_at, operands))
        if self.layer.kind == "ReduceMean" and self.graph.opset >= AXES_ARE_INPUT and "axes" in attributes:
            axes = np.array(attributes.pop("axes"), np.int64)
            inputs.append(self.draft.constant(f"{self.node.name}_axes", axes))
        self.operator(inputs, output, attributes)
        return None

    def positions(self) -> tuple[tuple[tuple[int, int, int], ...], tuple[int, int], int | None]:
        if self.node.op == "QLinearConcat":
            starts = range(2, len(self.node.inputs) - 2, 3)
            return tuple((i, i + 1, i + 2) for i in starts), (0, 1), None
        return QLINEAR[self.node.op][1:]

    def unfit(self, operands: tuple[tuple[int, int, int], ...], output: tuple[int, int]) -> Refusal | None:
        name, node = self.layer.name, self.node
        scales = {
            place: self.graph.constant(node.input(scale)) for place, (_, scale, _) in enumerate(operands)
        }
        wanted = [node.input(i) for _, scale, zero in operands for i in (scale, zero)]
        wanted += [node.input(i) for i in output]
        for tensor in wanted:
            if tensor and self.graph.constant(tensor) is None:
                return Refusal(f"{name} takes the scale or zero point {tensor}, which the model computes")
        if any(not node.input(scale) for _, scale, _ in operands) or not node.input(output[0]):
            return Refusal(f"{name} leaves out a scale")
        for place, scale in scales.items():
            weights = place == 1 and self.layer.kind in ("Conv", "Gemm", "MatMul")
            if scale is not None and scale.size > 1 and not weights:
                return Refusal(
                    f"{name} has {scale.size} scales for input {place}; only weights can have several"
                )
            if scale is not None and scale.size > 1 and self.graph.opset < AXIS_SINCE:
                return Refusal(
                    f"{name} has {scale.size} scales for its weights, which DequantizeLinear takes from opset "
                    f"{AXIS_SINCE} on; the model has {self.graph.opset}"
                )
        return None

    def attributes(self) -> dict[str, Any] | Refusal:
        node, kind = self.node, self.layer.kind
        if node.integer("channels_last", 0):
            return Refusal(f"{self.layer.name} has its channels last, as no ONNX operator has them")
        attributes = {key: node.attribute(key) for key in _ATTRIBUTES.get(kind, ())}
        attributes = {key: value for key, value in attributes.items() if value is not None}
        if kind == "Softmax":
            old = node.integer("opset", self.graph.opset) < SOFTMAX_ON_ONE_AXIS
            axis = attributes.get("axis", 1 if old else -1)
            shape = self.layer.outputs[0].type.shape
            last = shape is not None and axis in (-1, len(shape) - 1)
            if old != (self.graph.opset < SOFTMAX_ON_ONE_AXIS) and not last:
                return Refusal(
                    f"{self.layer.name} takes the exponents of all axes from {axis} on, as Softmax did before opset 13"
                )
            attributes["axis"] = axis
        return attributes

    def dequantized(self, place: int, tensor: int, scale: int, zero: int) -> str:
        """What a DQ of an operand writes: one that stands before the layer, or a new one."""
        node, graph = self.node, self.graph
        names = (node.input(tensor), node.input(scale), node.input(zero))
        if names in self.seen:
            return self.seen[names]
        for index in graph.consumers.get(names[0], ()):
            reader = graph.nodes[index]
            same = (reader.input(0), reader.input(1), reader.input(2)) == names
            if is_qdq(reader) and reader.op == DEQUANTIZE and same and index < graph.node_index[node.name]:
                return reader.output(0)
        constant = graph.constant(names[0])
        type_ = graph.type(names[0])
        dtype = constant.dtype if constant is not None else type_.dtype
        shape = constant.shape if constant is not None else type_.shape
        scales, zeros = self.parameters(names[1], names[2], dtype)
        axis = {"axis": self.weight_axis(len(shape or ()))} if place == 1 and self.many(names[1]) else {}
        self.seen[names] = self.behind(names[0], (names[0], scales, zeros), shape, **axis)
        return self.seen[names]

    def many(self, scale: str) -> bool:
        return self.graph.constants[scale].size > 1

    def weight_axis(self, rank: int) -> int:
        """The axis of output channels of the weights."""
        if self.layer.kind == "Conv" or (self.layer.kind == "Gemm" and self.node.integer("transB", 0)):
            return 0
        return rank - 1

    def parameters(self, scale: str, zero: str, dtype: str) -> tuple[str, str]:
        """Names of a scale and a zero point of one shape, a single one without axes."""
        scales = self.graph.constants[scale].array()
        zeros = self.graph.constants[zero].array() if zero else np.zeros(scales.shape, dtype)
        shape = scales.shape if scales.size > 1 else ()
        if scales.shape != shape:
            scale = self.draft.constant(scale, scales.reshape(shape))
        if not zero or zeros.shape != shape:
            spread = np.broadcast_to(zeros.reshape(-1), shape) if zeros.size == 1 and shape else zeros
            zero = self.draft.constant(zero or f"{scale}_zero_point", spread.reshape(shape))
        return scale, zero

    def behind(
        self, tensor: str, inputs: tuple[str, ...], shape: tuple[Any, ...] | None, **attributes: int
    ) -> str:
        base = tensor.removesuffix("_quantized")
        real = self.draft.name(f"{base}_{DEQUANTIZE}_Output")
        outputs = ((real, TensorType("float32", shape)),)
        name, domain = f"{base}_{DEQUANTIZE}", ""
        if "axis" in attributes:
            self.draft.node(DEQUANTIZE, name, inputs, outputs, domain, axis=attributes["axis"])
        else:
            self.draft.node(DEQUANTIZE, name, inputs, outputs, domain)
        return real

    def bias(self, place: int, operands: tuple[tuple[int, int, int], ...]) -> str:
        """The int32 bias behind a DQ of its own; a float one as it is."""
        name = self.node.input(place)
        constant = self.graph.constant(name)
        dtype = constant.dtype if constant is not None else self.graph.type(name).dtype
        if dtype != "int32":
            return name
        source, weight = (self.scale(scale) for _, scale, _ in operands[:2])
        alpha = self.node.attribute("alpha") if self.layer.kind == "Gemm" else None
        gain = np.float32(alpha if isinstance(alpha, float) else 1.0)
        scales = (source.reshape(()) * weight * gain).astype(np.float32)
        scales = scales.reshape(scales.shape if scales.size > 1 else ())
        scale = self.draft.constant(f"{name}_scale", scales)
        zero = self.draft.constant(f"{name}_zero_point", np.zeros(scales.shape, np.int32))
        shape = constant.shape if constant is not None else self.graph.type(name).shape
        if scales.size > 1:
            return self.behind(name, (name, scale, zero), shape, axis=max(len(shape or ()) - 1, 0))
        return self.behind(name, (name, scale, zero), shape)

    def scale(self, position: int) -> Array:
        return self.graph.constants[self.node.input(position)].array()

    def operator(self, inputs: list[str], output: tuple[int, int], attributes: dict[str, Any]) -> None:
        """The operator itself, under the layer's name, and the Q that writes what it wrote."""
        draft, node = self.draft, self.node
        stored = node.output(0)
        type_ = self.graph.type(stored)
        zero = self.graph.constant(node.input(output[1]))
        dtype = zero.dtype if zero is not None else type_.dtype if type_.dtype != "unknown" else "uint8"
        base = stored.removesuffix("_quantized")
        real = draft.name(base if base != stored else f"{stored}_{QUANTIZE}_Input")
        proto = helper.make_node(self.layer.kind, inputs, [real], name=node.name, **attributes)
        proto.metadata_props.extend(node.proto.metadata_props)
        draft.nodes.append(Node(node.name, proto.op_type, "", tuple(inputs), (real,), proto))
        draft.types[real] = TensorType("float32", type_.shape)
        parameters = self.parameters(node.input(output[0]), node.input(output[1]), dtype)
        outputs = ((stored, TensorType(dtype, type_.shape)),)
        draft.node(QUANTIZE, f"{base}_{QUANTIZE}", (real, *parameters), outputs)
