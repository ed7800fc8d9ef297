"""Layers: what the compiler sees. An operator with the Q/DQ around it folded in, or a QLinear operator.

1. A DequantizeLinear belongs to the first operator that reads it, a QuantizeLinear to the operator that feeds it.
2. A constant made by a node belongs to the layer that first reads it.
3. A Q or DQ that no operator claims is a layer of its own: a border of the graph, or a change of scale.
4. Each node is in exactly one layer, or in `Layers.unattached`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from npuscope.model.graph import Graph, Node
from npuscope.model.quant import Quant, of_node, read
from npuscope.model.scopes import scope_of
from npuscope.model.tensors import Constant, TensorType

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_BORDER_OPS = frozenset({QUANTIZE, DEQUANTIZE})
_QDQ_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft"})

ACTIVATIONS = frozenset({"Relu", "Clip"})
"""Operators that vanish into the output range of the layer before them."""

TRANSPARENT = frozenset(
    {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Dropout", "Slice", "Split"}
)
"""Operators that only move values: without a Q of their own they pass their input's quantization on.

inferred: yolov11n_micro_224 and yamnet_1024 (docs/accuracy.md); nearest Resize does the same.
"""

WEIGHTED = frozenset({"Conv", "Gemm", "MatMul", "ConvTranspose"})
"""Kinds that multiply by weights."""

PARAMETERS: Mapping[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
    **dict.fromkeys(
        ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2",
         "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"), (1,)
    ),
}  # fmt: skip
"""Operator -> positions of the inputs that say what to do rather than what to do it to."""

# QLinear operator -> (kind, operands as (tensor, scale, zero point), output (scale, zero point), bias)
_QLINEAR: dict[str, tuple[str, tuple[tuple[int, int, int], ...], tuple[int, int], int | None]] = {
    "QLinearConv": ("Conv", ((0, 1, 2), (3, 4, 5)), (6, 7), 8),
    "QLinearMatMul": ("MatMul", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QGemm": ("Gemm", ((0, 1, 2), (3, 4, 5)), (7, 8), 6),
    "QLinearAdd": ("Add", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QLinearMul": ("Mul", ((0, 1, 2), (3, 4, 5)), (6, 7), None),
    "QLinearSigmoid": ("Sigmoid", ((0, 1, 2),), (3, 4), None),
    "QLinearLeakyRelu": ("LeakyRelu", ((0, 1, 2),), (3, 4), None),
    "QLinearSoftmax": ("Softmax", ((0, 1, 2),), (3, 4), None),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", ((0, 1, 2),), (3, 4), None),
    "QLinearAveragePool": ("AveragePool", ((0, 1, 2),), (3, 4), None),
    "QLinearReduceMean": ("ReduceMean", ((0, 1, 2),), (3, 4), None),
}


@dataclass(frozen=True, slots=True, eq=False)
class Operand:
    """A tensor as a layer reads or writes it.

    `tensor` is the stored (quantized) tensor and `seen` the one the operator names; they are equal where no
    Q/DQ lies between.
    """

    tensor: str
    seen: str
    type: TensorType
    quant: Quant | None = None
    constant: Constant | None = None

    @property
    def dims(self) -> tuple[int, ...] | None:
        """The shape where it is fully known."""
        return self.type.dims


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer.

    1. `op` is the ONNX operator, `kind` what it computes (QLinearConv: Conv; com.microsoft ones likewise).
    2. `inputs` are the activations, in operator order; `weight` and `bias` are constants of a Conv, Gemm...
    3. `nodes` are the names of the ONNX nodes folded in; `core` is the operator's own.
    4. `parameters` are inputs such as a Reshape's shape or a Resize's scales.
    5. `fused` are activation operators between the operator and its QuantizeLinear.
    """

    name: str
    op: str
    kind: str
    domain: str
    core: Node
    nodes: tuple[str, ...]
    scope: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    weight: Operand | None = None
    bias: Operand | None = None
    parameters: tuple[Operand, ...] = ()
    fused: tuple[str, ...] = ()
    float_reads: tuple[str, ...] = ()
    """Readers of the output before it is quantized: they keep a float copy of it alive."""

    @property
    def input(self) -> Operand | None:
        """The first activation."""
        return self.inputs[0] if self.inputs else None

    @property
    def output(self) -> Operand | None:
        """The first output."""
        return self.outputs[0] if self.outputs else None

    @property
    def qoperator(self) -> bool:
        """Carries its quantization in its own inputs."""
        return self.op in _QLINEAR or self.op == "QLinearConcat"

    @property
    def quantized(self) -> bool:
        """Reads and writes integers: every non-constant float operand has a Q/DQ beside it."""
        return all(o.quant is not None or not _is_float(o) for o in (*self.inputs, *self.outputs))


def _is_float(operand: Operand) -> bool:
    return operand.type.dtype in FLOATS


FLOATS = frozenset({"float32", "float16", "float64", "bfloat16", "unknown"})


@dataclass(frozen=True, eq=False)
class Layers:
    """All layers of a graph, in graph order."""

    layers: tuple[Layer, ...]
    unattached: tuple[str, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Layer name -> layer."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def of_node(self) -> Mapping[str, Layer]:
        """ONNX node name -> the layer that holds it."""
        return {node: layer for layer in self.layers for node in layer.nodes}

    @cached_property
    def writers(self) -> Mapping[str, Layer]:
        """Tensor (stored or seen) -> the layer that writes it."""
        return {t: layer for layer in self.layers for o in layer.outputs for t in (o.seen, o.tensor)}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Layer, ...]]:
        """Tensor (stored or seen) -> the layers that read it as an activation, once each."""
        found: dict[str, dict[int, Layer]] = {}
        for layer in self.layers:
            for operand in layer.inputs:
                for tensor in {operand.seen, operand.tensor}:
                    found.setdefault(tensor, {})[id(layer)] = layer
        return {tensor: tuple(layers.values()) for tensor, layers in found.items()}


def fold(graph: Graph) -> Layers:
    """The layers of a graph."""
    return _Folding(graph).run()


class _Folding:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.claimed: set[int] = set()
        self.passed_on: dict[str, Operand] = {}

    def run(self) -> Layers:
        graph = self.graph
        found: dict[int, Layer] = {}
        for i, node in enumerate(graph.nodes):
            if i not in self.claimed and not is_qdq(node) and not self.makes_constant(node):
                found[i] = self.layer(i, node)
        for wanted in (QUANTIZE, DEQUANTIZE):  # a Q takes the DQ before it: together they change the scale
            for i, node in enumerate(graph.nodes):
                if i not in self.claimed and node.op == wanted:
                    found[i] = self.layer(i, node)
        unattached = tuple(node.name for i, node in enumerate(graph.nodes) if i not in self.claimed)
        return Layers(tuple(found[i] for i in sorted(found)), unattached)

    def layer(self, index: int, node: Node) -> Layer:
        owned = {index}
        self.claimed.add(index)
        for tensor in node.inputs:
            self.claim_before(tensor, owned)
        fused, last = self.fused_activations(node, owned)
        kind, inputs, weight, bias = self.operands(node)
        parameters: tuple[Operand, ...] = ()
        if node.standard and node.op in PARAMETERS:
            said = {node.input(i) for i in PARAMETERS[node.op]}
            parameters = tuple(o for o in inputs if o.seen in said)
            inputs = tuple(o for o in inputs if o.seen not in said)
        outputs, float_reads = self.outputs(node, last, owned)
        if (
            is_transparent(node)
            and inputs
            and inputs[0].quant is not None
            and not inputs[0].quant.per_channel
        ):
            outputs = tuple(self.pass_on(o, inputs[0].quant) for o in outputs)
        if node.op not in _BORDER_OPS and kind in WEIGHTED:
            inputs, weight, bias = _split_weight(kind, inputs, weight, bias)
        nodes = tuple(self.graph.nodes[i].name for i in sorted(owned))
        scope = scope_of(node.proto, node.name)
        return Layer(
            node.name, node.op, kind, node.domain, node, nodes, scope,
            inputs, outputs, weight, bias, parameters, fused, float_reads,
        )  # fmt: skip

    def makes_constant(self, node: Node) -> bool:
        """A node whose value is known without running it."""
        return node.op in ("Constant", "ConstantOfShape") and self.graph.constant(node.output(0)) is not None

    def pass_on(self, output: Operand, quant: Quant) -> Operand:
        """The output of an operator that only moves values, quantized as its input where it has no Q."""
        if output.quant is not None:
            return output
        moved = Operand(output.tensor, output.seen, TensorType(quant.dtype, output.type.shape), quant)
        self.passed_on[output.seen] = moved
        return moved

    def claim_before(self, tensor: str, owned: set[int]) -> None:
        """Take the DQ before a tensor, and the nodes that only make constants for it."""
        pending = [tensor]
        while pending:
            index = self.graph.producers.get(pending.pop(), -1)
            if index < 0 or index in self.claimed:
                continue
            node = self.graph.nodes[index]
            if node.op == "Constant":
                pass
            elif (node.op == "ConstantOfShape" and self.graph.constant(node.output(0)) is not None) or (is_qdq(node) and node.op == DEQUANTIZE) or (is_qdq(node) and self.graph.constant(node.input(0)) is not None):
                pending += node.inputs
            else:
                continue
            self.claimed.add(index)
            owned.add(index)

    def fused_activations(self, node: Node, owned: set[int]) -> tuple[tuple[str, ...], Node]:
        """The Relu or Clip between an operator and its Q, where nothing else reads what lies between."""
        if is_qdq(node) or node.op in ACTIVATIONS or len(node.outputs) != 1:
            return (), node
        readers = self.graph.consumers.get(node.output(0), ())
        if len(readers) != 1 or node.output(0) in self.graph.output_set:
            return (), node
        after = self.graph.nodes[readers[0]]
        if after.op not in ACTIVATIONS or not after.standard or readers[0] in self.claimed:
            return (), node
        if not any(is_qdq(n) and n.op == QUANTIZE for n in self.readers(after.output(0))):
            return (), node
        owned.add(readers[0])
        self.claimed.add(readers[0])
        for tensor in after.inputs[1:]:
            self.claim_before(tensor, owned)
        return (after.op,), after

    def readers(self, tensor: str) -> Iterator[Node]:
        return (self.graph.nodes[i] for i in self.graph.consumers.get(tensor, ()))

    def outputs(self, node: Node, last: Node, owned: set[int]) -> tuple[tuple[Operand, ...], tuple[str, ...]]:
        graph = self.graph
        if is_qdq(node):
            quant = of_node(graph, node) if node.op == QUANTIZE else None
            name = node.output(0)
            return (Operand(name, name, graph.type(name), quant),), ()
        if node.op in _QLINEAR or node.op == "QLinearConcat":
            scale, zero = _QLINEAR[node.op][2] if node.op in _QLINEAR else (0, 1)
            name = node.output(0)
            quant = read(graph, node.input(scale), node.input(zero), graph.type(name).dtype)
            return (Operand(name, name, graph.type(name), quant),), ()
        found: list[Operand] = []
        float_reads: list[str] = []
        for tensor in last.outputs:
            if not tensor:
                continue
            quantizer = None
            others = []
            for i in graph.consumers.get(tensor, ()):
                reader = graph.nodes[i]
                if (
                    is_qdq(reader)
                    and reader.op == QUANTIZE
                    and i not in self.claimed
                    and reader.input(0) == tensor
                ):
                    owned.add(i)
                    self.claimed.add(i)
                    for parameter in reader.inputs[1:]:
                        self.claim_before(parameter, owned)
                    quantizer = quantizer or reader
                elif not is_qdq(reader):
                    others.append(reader.name)
            if quantizer is None:
                found.append(Operand(tensor, tensor, graph.type(tensor)))
                continue
            if tensor in graph.output_set:
                others.append("graph output")
            float_reads += others
            stored = quantizer.output(0)
            type_ = graph.type(stored)
            if type_.shape is None:
                type_ = TensorType(type_.dtype, graph.type(tensor).shape)
            found.append(Operand(stored, tensor, type_, of_node(graph, quantizer)))
        return tuple(found), tuple(float_reads)

    def operands(self, node: Node) -> tuple[str, tuple[Operand, ...], Operand | None, Operand | None]:
        graph = self.graph
        if is_qdq(node):
            return (
                node.op,
                (self.operand(node.input(0)) if node.op == QUANTIZE else _stored(graph, node),),
                None,
                None,
            )
        if node.op in _QLINEAR and not (node.standard and node.op not in _STANDARD_QLINEAR):
            kind, triples, _, bias = _QLINEAR[node.op]
            found = tuple(
                self.qlinear(node, *triple, axis=_qlinear_axis(kind, i)) for i, triple in enumerate(triples)
            )
            held = self.operand(node.input(bias)) if bias is not None and node.input(bias) else None
            return kind, found, None, held
        if node.op == "QLinearConcat":
            starts = range(2, len(node.inputs) - 2, 3)
            return "Concat", tuple(self.qlinear(node, i, i + 1, i + 2) for i in starts), None, None
        inputs = tuple(self.operand(tensor) for tensor in node.inputs if tensor)
        if node.op in WEIGHTED and node.standard:
            bias_at = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}.get(node.op)
            if bias_at is not None and node.input(bias_at):
                return node.op, inputs[:2], None, inputs[2] if len(inputs) > 2 else None
        return node.op, inputs, None, None

    def operand(self, tensor: str) -> Operand:
        """A tensor as an operator reads it, looking through the DQ before it."""
        graph = self.graph
        if tensor in self.passed_on:
            return self.passed_on[tensor]
        node = graph.producer(tensor)
        if node is None or not is_qdq(node) or node.op != DEQUANTIZE:
            return Operand(tensor, tensor, graph.type(tensor), None, graph.constant(tensor))
        found = _stored(graph, node)
        return Operand(found.tensor, tensor, found.type, found.quant, found.constant)

    def qlinear(self, node: Node, tensor: int, scale: int, zero: int, axis: int = 1) -> Operand:
        graph, name = self.graph, node.input(tensor)
        kind = graph.type(name)
        quant = read(graph, node.input(scale), node.input(zero), kind.dtype, axis=axis)
        return Operand(name, name, kind, quant, graph.constant(name))


def is_transparent(node: Node) -> bool:
    """Only moves values: a Reshape and its like, or a nearest Resize."""
    if not node.standard:
        return False
    return node.op in TRANSPARENT or (
        node.op in ("Resize", "Upsample") and node.text("mode", "nearest") == "nearest"
    )


_STANDARD_QLINEAR = frozenset({"QLinearConv", "QLinearMatMul"})


def quantization_inputs(node: Node) -> tuple[int, ...]:
    """Positions of the scales and zero points among the inputs of a QLinear operator."""
    if node.op == "QLinearConcat":
        return (0, 1, *(i for i in range(3, len(node.inputs)) if (i - 2) % 3))
    if node.op not in _QLINEAR:
        return ()
    _, operands, output, _ = _QLINEAR[node.op]
    return (*(i for _, scale, zero in operands for i in (scale, zero)), *output)


def is_qdq(node: Node) -> bool:
    """A QuantizeLinear or DequantizeLinear of ONNX or com.microsoft."""
    return node.op in _BORDER_OPS and node.domain in _QDQ_DOMAINS


def _stored(graph: Graph, node: Node) -> Operand:
    """The integers a DQ reads, with its parameters; looks through a Q of a constant (float weights kept in QDQ)."""
    stored = node.input(0)
    constant = graph.constant(stored)
    before = graph.producer(stored)
    if constant is None and before is not None and is_qdq(before) and before.op == QUANTIZE:
        constant = graph.constant(before.input(0))
    type_ = graph.type(stored)
    if type_.shape is None:
        type_ = TensorType(type_.dtype, graph.type(node.output(0)).shape)
    return Operand(stored, stored, type_, of_node(graph, node), constant)


def _qlinear_axis(kind: str, operand: int) -> int:
    """Axis of per-channel weights: QLinearConv keeps OCH first, QGemm and QLinearMatMul last."""
    return 0 if kind == "Conv" and operand == 1 else -1


def _split_weight(
    kind: str, inputs: tuple[Operand, ...], weight: Operand | None, bias: Operand | None
) -> tuple[tuple[Operand, ...], Operand | None, Operand | None]:
    """Set the constant operand apart from the activations."""
    if len(inputs) < 2:
        return inputs, weight, bias
    if inputs[1].constant is not None:
        return (inputs[0], *inputs[2:]), inputs[1], bias
    if kind == "MatMul" and inputs[0].constant is not None:
        return inputs[1:], inputs[0], bias
    if bias is not None and bias.constant is None:
        return (*inputs, bias), None, None
    return inputs, None, bias
