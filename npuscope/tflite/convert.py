"""A TFLite subgraph as an ONNX model, operator by operator, as ST's front end lays it out."""

from __future__ import annotations

import math

import numpy as np
from onnx import ModelProto, helper

from npuscope.tflite import batch, convolution, elementwise, movers, rare, recurrent, spatial
from npuscope.tflite.branches import branches_taken
from npuscope.tflite.context import STORED, Context, UnscaledError, UnsupportedError
from npuscope.tflite.dilated import dilations_joined
from npuscope.tflite.flatbuffer import DamagedError
from npuscope.tflite.folding import folded
from npuscope.tflite.rare import choice
from npuscope.tflite.schema import Operator, Subgraph
from npuscope.tflite.variables import FIRST_KEY, VARIABLES_KEY, states_at_the_border, variables_at_the_border
from npuscope.tflite.writer import ELEMENT_TYPES

DOMAIN = "tflite"
"""Of operators kept under their own name."""

CONVERTERS: dict[str, elementwise.Converter] = {
    "CONV_2D": convolution.conv_2d,
    "DEPTHWISE_CONV_2D": convolution.depthwise_conv_2d,
    "TRANSPOSE_CONV": convolution.transpose_conv,
    "FULLY_CONNECTED": convolution.fully_connected,
    "BATCH_MATMUL": convolution.batch_matmul,
    **elementwise.CONVERTERS,
    **spatial.CONVERTERS,
    **batch.CONVERTERS,
    **recurrent.CONVERTERS,
    **movers.CONVERTERS,
    **rare.CONVERTERS,
}

ON_MAPS = {
    "CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "TRANSPOSE_CONV": 2, "AVERAGE_POOL_2D": 0, "MAX_POOL_2D": 0,
    "RESIZE_BILINEAR": 0, "RESIZE_NEAREST_NEIGHBOR": 0, "SPACE_TO_DEPTH": 0, "DEPTH_TO_SPACE": 0,
}  # fmt: skip
"""Operators that need channels first, and the operand they need so."""

FOLLOWING = frozenset({*elementwise.CONVERTERS, "PAD", "PADV2", "MIRROR_PAD", "CONCATENATION"}) - {
    "SOFTMAX", "LOG_SOFTMAX"
}  # fmt: skip
"""Operators that write the order they read."""

PARTS = frozenset({"SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE"})
"""Operators that take parts of a map."""


def prepared(graph: Subgraph) -> Subgraph:
    """The graph as it is converted: known branches taken, no variables, dilated convolutions as one operator."""
    return dilations_joined(states_at_the_border(variables_at_the_border(branches_taken(graph))))


def convert(graph: Subgraph, size: int) -> ModelProto:
    """The ONNX model of a subgraph from a file of `size` bytes. Raises DamagedError."""
    return _converted(graph, size, _Depth())


class _Depth:
    """How far choices at run time lie within one another, and the operators in them that may still be converted."""

    def __init__(self, level: int = 0, left: list[int] | None = None) -> None:
        self.level = level
        self.left = [MOST_CHOSEN] if left is None else left

    def within(self, body: Subgraph) -> _Depth:
        """One further in. Raises UnsupportedError where that is too far."""
        self.left[0] -= len(body.operators) + 1
        if self.level >= choice.MOST_LEVELS or self.left[0] < 0:
            raise UnsupportedError("decides at run time in more levels or branches than are converted")
        return _Depth(self.level + 1, self.left)


MOST_CHOSEN = 1 << 14
"""Operators of all branches together that are chosen at run time."""


def _converted(graph: Subgraph, size: int, depth: _Depth) -> ModelProto:
    graph = prepared(graph)
    context = Context(graph, 4 * size + (16 << 20) + _written_out(graph))
    _enter(context, graph)
    later = {number: operator for operator in graph.operators for number in operator.outputs}
    for operator in graph.operators:
        for number in operator.inputs:
            writer = later.get(number)
            if writer is not None and writer.index >= operator.index and not context.written(number):
                name = graph.tensors[number].name
                raise DamagedError(f"has {operator.name} read '{name}' before {writer.name} writes it")
        context.operator = operator
        _convert(context, operator, depth)
        if any(n in context.of_maps or context.cf(n) for n in (*operator.inputs, *operator.outputs)):
            context.of_maps.update(operator.outputs)
    context.operator = None
    outputs = tuple(dict.fromkeys(graph.outputs))
    for number in outputs:
        if not context.written(number) and context.constant(number) is None:
            raise DamagedError(f"names the output '{graph.tensors[number].name}', which nothing writes")
        context.deliver(number)
    for number in outputs:
        tensor = graph.tensors[number]
        context.proto.output.append(_typed(tensor.name, tensor.dtype, tensor.shape))
    return _model(context, graph)


FLOATS_KEY = "tflite.floats"
"""Metadata of a converted model: the tensors that the file itself holds as floats beside its QUANTIZE and DEQUANTIZE."""

MOST_WRITTEN_OUT = 256 << 20


def _written_out(graph: Subgraph) -> int:
    """Bytes that sparse constants take when they are written out, as they are and converted to floats."""
    sparse = {id(t.data): math.prod(t.shape) for t in graph.tensors if t.sparsity is not None}
    return min(16 * sum(sparse.values()), MOST_WRITTEN_OUT)


def _typed(name: str, dtype: str, shape: tuple[int, ...]) -> object:
    return helper.make_tensor_value_info(name, ELEMENT_TYPES.get(dtype, 0), shape)


def _enter(context: Context, graph: Subgraph) -> None:
    for number in graph.inputs:
        tensor = graph.tensors[number]
        if tensor.free:
            raise DamagedError(
                f"leaves sizes of the input '{tensor.name}' open; convert it with a fixed shape"
            )
        context.enter(number)
        context.proto.input.append(_typed(tensor.name, tensor.dtype, tensor.shape))
    context.wanted = _wanted(context, graph)
    for number in graph.inputs:
        if number in context.wanted:
            context.turn_input(number)


def _wanted(context: Context, graph: Subgraph) -> set[int]:
    """Tensors that end in an operator on maps, through others that follow their order."""
    wanted: set[int] = set()
    for operator in reversed(graph.operators):
        if operator.kind in ON_MAPS:
            wanted.add(operator.input(ON_MAPS[operator.kind]))
        elif operator.kind == "BATCH_TO_SPACE_ND":
            continue
        elif operator.outputs and operator.outputs[0] in wanted:
            shape = context.shape(operator.outputs[0])
            for number in operator.inputs:
                known = context.shape(number) if number >= 0 else ()
                kept = operator.kind in ("RESHAPE", "EXPAND_DIMS", "SQUEEZE") and (
                    len(known) > 2 and known[0] == shape[0] and known[-1] == shape[-1]
                )
                if kept or (operator.kind in FOLLOWING | PARTS and len(known) == len(shape)):
                    wanted.add(number)
    return wanted


def _convert(context: Context, operator: Operator, depth: _Depth) -> None:
    mark = context.mark()
    converter = CONVERTERS.get(operator.kind) if not operator.custom else None
    if not operator.custom and folded(context, operator):
        return
    reason: UnsupportedError | None = None
    if converter is not None and operator.outputs:
        try:
            _ask_for_scales(context, operator)
            converter(context, operator)
            return
        except UnsupportedError as error:
            reason = error
    elif operator.kind == "WHILE" and not operator.custom:
        reason = UnsupportedError("decides at run time what is computed")
    elif operator.kind == "IF" and not operator.custom and operator.outputs:
        try:
            choice.chosen(context, operator, lambda body, given: _converted(body, given, depth.within(body)))
            return
        except UnsupportedError as error:
            reason = error
    context.take_back(mark)
    _keep(context, operator, reason)


COMPUTING = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "AVERAGE_POOL_2D",
     "ADD", "SUB", "MUL", "DIV", "SQUARED_DIFFERENCE", "LOGISTIC", "TANH", "SOFTMAX", "LOG_SOFTMAX", "HARD_SWISH",
     "LEAKY_RELU", "PRELU", "ELU", "GELU", "EXP", "SQRT", "RSQRT", "MEAN", "SUM", "L2_NORMALIZATION", "RELU6", "RELU_N1_TO_1"}
)  # fmt: skip
"""Operators that compute with the real numbers behind integers."""


def _ask_for_scales(context: Context, operator: Operator) -> None:
    """Raise UnscaledError where an operator computes on integers of 8 or 16 bits that state no scale."""
    if operator.kind not in COMPUTING:
        return
    for number in (*operator.inputs, *operator.outputs):
        tensor = context.graph.tensors[number] if number >= 0 else None
        if tensor is not None and tensor.finer:
            raise UnscaledError(f"reads '{tensor.name[:120]}', which is quantized {tensor.finer}")
        if tensor is not None and tensor.dtype in STORED and tensor.quant is None:
            raise UnscaledError(
                f"computes on '{tensor.name[:120]}', {tensor.dtype} without a scale and a zero point"
            )


REASON_KEY, UNSCALED_KEY = "tflite.reason", "tflite.unscaled"
"""Metadata of a node that is kept under its own name: why it has no form in ONNX, in a clause, and whether that is a scale."""


def _keep(context: Context, operator: Operator, reason: UnsupportedError | None) -> None:
    """A node of the operator's own name, on tensors in the file's order."""
    inputs = []
    for number in operator.inputs:
        try:
            inputs.append("" if number < 0 else context.read(number, False))
        except UnsupportedError:
            inputs.append("")
    outputs = [context.write(number, False) for number in operator.outputs]
    context.node(operator.kind, inputs, outputs, operator.name, DOMAIN)
    if reason is not None:
        metadata = context.proto.node[-1].metadata_props
        metadata.add(key=REASON_KEY, value=str(reason))
        if isinstance(reason, UnscaledError):
            metadata.add(key=UNSCALED_KEY, value="true")
    for number, name in zip(operator.outputs, outputs, strict=True):
        if context.quant(number) is not None:
            context.state(name, "float32", context.shape(number))
        context.close(number, name, False)


AXES_AS_INPUT_SINCE = 18
"""Opset from which all reductions take their axes as an input; one operator alone may ask for it, behind others."""


def _axes_as_inputs(context: Context) -> None:
    for node in choice.all_nodes(context.proto):
        stated = [a for a in node.attribute if a.name == "axes"] if node.op_type.startswith("Reduce") else []
        for attribute in stated:
            axes = np.array(attribute.ints, np.int64)
            node.input.append(context.initializer(f"{node.name}_axes", axes))
            node.attribute.remove(attribute)


def _model(context: Context, graph: Subgraph) -> ModelProto:
    if context.opset >= AXES_AS_INPUT_SINCE:
        _axes_as_inputs(context)
    model = context.model
    model.ir_version = 10 if context.opset > 20 else 8
    model.producer_name, model.producer_version = "tflite", graph.description[:200]
    model.opset_import.add(domain="", version=context.opset)
    if graph.variables:
        model.metadata_props.add(key=VARIABLES_KEY, value=str(graph.variables))
        model.metadata_props.add(key=FIRST_KEY, value=graph.first)
    if context.floats:
        model.metadata_props.add(key=FLOATS_KEY, value="\n".join(context.floats))
    if any(node.domain == DOMAIN for node in model.graph.node):
        model.opset_import.add(domain=DOMAIN, version=1)
    return model
