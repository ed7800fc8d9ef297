"""The work of folding: claims nodes for layers and reads what each layer knows of its tensors.

The rules are those of `npuscope.model.layers`; `Folding` can be told to leave nodes alone that keep their layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from npuscope.model.combined import combined, combines
from npuscope.model.graph import SIZES, Graph, Node
from npuscope.model.inference.moved import moved, moves_constant
from npuscope.model.layer import (
    ACTIVATIONS,
    BORDER_OPS,
    DEQUANTIZE,
    FLOATS,
    PARAMETERS,
    QLINEAR,
    QUANTIZE,
    WEIGHTED,
    Layer,
    Operand,
    is_qdq,
    is_transparent,
    moves_integers,
)
from npuscope.model.quant import Quant, of_node, read
from npuscope.model.scopes import scope_of
from npuscope.model.tensors import UNKNOWN, TensorType


def makes_constant(graph: Graph, node: Node) -> bool:
    """A node, not a Q or DQ, whose outputs are known without running it.

    What writes constants to an output of the graph runs (ssd_mobilenet_v1_256: its anchors are copied), sizes do not.
    """
    if node.op != "Constant" and graph.gives_out(node):
        return graph.is_fixed(node) and all(graph.type(name).dtype in _SIZES for name in node.outputs if name)
    return graph.is_fixed(node) or moves_constant(graph, node)


_SIZES = frozenset({"int64", "int32", "bool"})


def _makes(graph: Graph, node: Node) -> bool:
    """The node may make a constant of constants whose quantization goes on with it."""
    return moves_constant(graph, node) or combines(graph, node)


def _fixed(graph: Graph, tensor: str) -> bool:
    return tensor in graph.constants or tensor in graph.derived


def is_pooled(graph: Graph, node: Node) -> bool:
    """A Relu that nothing but a MaxPool reads, whose result is quantized: it cuts values of the grid it reads, and has none of its own.

    So ONNX Runtime leaves them where it quantizes Conv and Gemm alone. Three such pairs of a DNSMOS (LarocheC/dnsmos_exported, 4.0.1)
    are not in software, by the number of its epochs; one network. inferred for other versions: none was seen.
    """
    if node.op != "Relu" or not node.standard or node.output(0) in graph.output_set:
        return False
    readers = graph.consumers.get(node.output(0), ())
    pool = graph.nodes[readers[0]] if len(readers) == 1 else None
    if pool is None or pool.op != "MaxPool" or not pool.standard or pool.output(0) in graph.output_set:
        return False
    behind = [graph.nodes[i] for i in graph.consumers.get(pool.output(0), ())]
    return bool(behind) and all(is_qdq(n) and n.op == QUANTIZE for n in behind)


class Folding:
    """One run over the nodes of a graph.

    1. `unclaimed` are the nodes that no layer has claimed; all others belong to layers made before and are not looked at.
    2. `known` gives the operand that such a layer passes on without a Q/DQ, None where there is none.
    """

    def __init__(
        self, graph: Graph, unclaimed: Iterable[int], known: Callable[[str], Operand | None] | None = None
    ) -> None:
        self.graph = graph
        self.nodes, self.types, self.constants = graph.nodes, graph.types, graph.constants
        self.producers, self.consumers = graph.producers, graph.consumers
        self.unclaimed = set(unclaimed)
        self.known = known
        self.passed_on: dict[str, Operand] = {}
        self._made: dict[str, Operand | None] = {}

    def run(self) -> dict[int, Layer]:
        """Index of its operator -> layer, for the unclaimed nodes."""
        nodes, live = self.graph.nodes, self.graph.live
        wanted = sorted(self.unclaimed)
        layers: dict[int, Layer] = {}
        borders: list[int] = []
        for i in wanted:
            node = nodes[i]
            if node.op in BORDER_OPS and is_qdq(node):
                borders.append(i)
            elif i in self.unclaimed and i in live and not makes_constant(self.graph, node):
                layers[i] = self.layer(i, node)
        borders = [i for i in borders if i in self.unclaimed]
        for op in (QUANTIZE, DEQUANTIZE):  # a Q takes the DQ before it: together they change the scale
            for i in borders:
                if i in self.unclaimed and i in live and nodes[i].op == op:
                    layers[i] = self.layer(i, nodes[i])
        return layers

    def layer(self, index: int, node: Node) -> Layer:
        owned = {index}
        self.unclaimed.remove(index)
        for tensor in node.inputs:
            if tensor in self.producers:
                self.claim_before(tensor, owned)
        fused, last = self.fused_activations(node, owned)
        kind, inputs, weight, bias = self.operands(node)
        parameters: tuple[Operand, ...] = ()
        if node.op in PARAMETERS and node.standard:
            names = {node.input(i) for i in PARAMETERS[node.op]}
            parameters = tuple([self.parameter(o) for o in inputs if o.seen in names])
            inputs = tuple([o for o in inputs if o.seen not in names])
        outputs, float_reads = self.outputs(node, last, owned)
        if inputs and (quant := inputs[0].quant) is not None and quant.axis is None:
            # What a mover passed on has a quantization, but the operator reads floats all the same.
            stored = (
                inputs[0].tensor == inputs[0].seen and self.graph.type(inputs[0].tensor).dtype not in FLOATS
            )
            integers = stored and moves_integers(node)
            if integers or is_transparent(node) or is_pooled(self.graph, node):
                outputs = tuple([self.pass_on(o, quant) for o in outputs])
        if kind in WEIGHTED and node.op not in BORDER_OPS:
            inputs, weight, bias = _split_weight(kind, inputs, weight, bias)
        all_nodes = self.nodes
        nodes = tuple([all_nodes[i].name for i in sorted(owned)])
        scope = scope_of(node.proto, node.name)
        return Layer(
            node.name, node.op, kind, node.domain, node, nodes, scope,
            inputs, outputs, weight, bias, parameters, fused, float_reads,
        )  # fmt: skip

    def parameter(self, operand: Operand) -> Operand:
        """An operand that says what to do: its value as the operator reads it, also where it is quantized or a size."""
        value = self.graph.derived.get(operand.seen)
        if value is None:
            return operand
        return Operand(operand.seen, operand.seen, self.graph.type(operand.seen), None, value)

    def pass_on(self, output: Operand, quant: Quant) -> Operand:
        """The output of an operator that only moves values, quantized as its input where it has no Q.

        A float output of the graph stays float: its DequantizeLinear lies before the operator.
        """
        if output.quant is not None or output.seen in self.graph.output_set:
            return output
        moved = Operand(output.tensor, output.seen, TensorType(quant.dtype, output.type.shape), quant)
        self.passed_on[output.seen] = moved
        return moved

    def claim_before(self, tensor: str, owned: set[int]) -> None:
        """Take the DQ before a tensor, and the nodes that only make constants for it."""
        pending, producers, unclaimed = [tensor], self.producers, self.unclaimed
        while pending:
            index = producers.get(pending.pop(), -1)
            if index < 0 or index not in unclaimed:
                continue
            node = self.nodes[index]
            if is_qdq(node):
                if node.op != DEQUANTIZE and not _fixed(self.graph, node.input(0)):
                    continue
                pending += node.inputs
            elif not makes_constant(self.graph, node):
                continue
            elif node.op not in SIZES:
                pending += node.inputs
            unclaimed.remove(index)
            owned.add(index)

    def fused_activations(self, node: Node, owned: set[int]) -> tuple[tuple[str, ...], Node]:
        """The Relu or Clip between an operator and its Q, where nothing else reads what lies between.

        What only moves values has no range of its own: behind it they are a layer.
        """
        if node.op in ACTIVATIONS or len(node.outputs) != 1 or is_qdq(node) or is_transparent(node):
            return (), node
        (result,) = node.outputs
        readers = self.consumers.get(result, ())
        if len(readers) != 1 or result in self.graph.output_set:
            return (), node
        after = self.nodes[readers[0]]
        if after.op not in ACTIVATIONS or not after.standard or readers[0] not in self.unclaimed:
            return (), node
        if not any(is_qdq(n) and n.op == QUANTIZE for n in self.readers(after.output(0))):
            return (), node
        owned.add(readers[0])
        self.unclaimed.remove(readers[0])
        for tensor in after.inputs[1:]:
            self.claim_before(tensor, owned)
        return (after.op,), after

    def readers(self, tensor: str) -> Iterator[Node]:
        return (self.nodes[i] for i in self.consumers.get(tensor, ()))

    def outputs(self, node: Node, last: Node, owned: set[int]) -> tuple[tuple[Operand, ...], tuple[str, ...]]:
        graph = self.graph
        if node.op in BORDER_OPS and is_qdq(node):
            quant = of_node(graph, node) if node.op == QUANTIZE else None
            name = node.output(0)
            return (Operand(name, name, graph.type(name), quant),), ()
        if node.op in QLINEAR or node.op == "QLinearConcat":
            name = node.output(0)
            return (Operand(name, name, graph.type(name), _written(graph, node)),), ()
        outputs: list[Operand] = []
        float_reads: list[str] = []
        for tensor in last.outputs:
            if not tensor:
                continue
            quantizer = None
            others = []
            for i in self.consumers.get(tensor, ()):
                reader = self.nodes[i]
                if reader.op not in BORDER_OPS or not is_qdq(reader):
                    others.append(reader.name)
                elif reader.op == QUANTIZE and i in self.unclaimed and reader.input(0) == tensor:
                    owned.add(i)
                    self.unclaimed.remove(i)
                    for parameter in reader.inputs[1:]:
                        if parameter in self.producers:
                            self.claim_before(parameter, owned)
                    quantizer = quantizer or reader
            if quantizer is None:
                outputs.append(Operand(tensor, tensor, graph.type(tensor)))
                continue
            if tensor in graph.output_set:
                others.append("graph output")
            float_reads += others
            stored = quantizer.output(0)
            type_ = self.types.get(stored, UNKNOWN)
            if type_.shape is None:
                type_ = TensorType(type_.dtype, graph.type(tensor).shape)
            outputs.append(Operand(stored, tensor, type_, of_node(graph, quantizer)))
        return tuple(outputs), tuple(float_reads)

    def operands(self, node: Node) -> tuple[str, tuple[Operand, ...], Operand | None, Operand | None]:
        graph = self.graph
        if node.op in BORDER_OPS and is_qdq(node):
            operand = self.operand(node.input(0)) if node.op == QUANTIZE else _stored(graph, node)
            return node.op, (operand,), None, None
        if node.op in QLINEAR and not (node.standard and node.op not in _STANDARD_QLINEAR):
            kind, triples, _, bias = QLINEAR[node.op]
            operands = tuple(
                self.qlinear(node, *triple, axis=_qlinear_axis(kind, i)) for i, triple in enumerate(triples)
            )
            bias_operand = self.operand(node.input(bias)) if bias is not None and node.input(bias) else None
            return kind, operands, None, bias_operand
        if node.op == "QLinearConcat":
            starts = range(2, len(node.inputs) - 2, 3)
            return "Concat", tuple(self.qlinear(node, i, i + 1, i + 2) for i in starts), None, None
        inputs = tuple([self.operand(tensor) for tensor in node.inputs if tensor])
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
        index = self.producers.get(tensor)
        if index is None:
            return Operand(tensor, tensor, graph.type(tensor), None, graph.constant(tensor))
        node = self.nodes[index]
        if node.op == DEQUANTIZE and is_qdq(node):
            return _stored(graph, node, tensor)
        if _makes(graph, node) and (made := self.made(tensor)) is not None:
            return made
        if self.known is not None and (kept := self.known(tensor)) is not None:
            return kept
        return Operand(tensor, tensor, graph.type(tensor), _written(graph, node), graph.constant(tensor))

    def made(self, tensor: str) -> Operand | None:
        """What nodes of constants make of them. Each is asked once, after what it reads: there may be many."""
        made, graph = self._made, self.graph
        pending = [] if tensor in made else [tensor]
        while pending:
            name = pending[-1]
            node = graph.producer(name)
            assert node is not None
            if name not in made:
                made[name] = None  # so that a node that reads itself ends
                before = [
                    i for i in node.inputs if i not in made and (p := graph.producer(i)) and _makes(graph, p)
                ]
                pending.extend(before)
                if before:
                    continue
            pending.pop()
            if moves_constant(graph, node):
                made[name] = moved(graph, node, self.operand(node.input(0)))
            if made[name] is None:
                made[name] = combined(graph, node, name, self.operand)
        return made[tensor]

    def qlinear(self, node: Node, tensor: int, scale: int, zero: int, axis: int = 1) -> Operand:
        graph, name = self.graph, node.input(tensor)
        kind = graph.type(name)
        quant = read(graph, node.input(scale), node.input(zero), kind.dtype, axis=axis)
        return Operand(name, name, kind, quant, graph.constant(name) or graph.derived.get(name))


_STANDARD_QLINEAR = frozenset({"QLinearConv", "QLinearMatMul"})


def _written(graph: Graph, node: Node) -> Quant | None:
    """The quantization of the integers that a QuantizeLinear or a QLinear operator writes."""
    if is_qdq(node) and node.op == QUANTIZE:
        return of_node(graph, node)
    if node.op in QLINEAR:
        scale, zero = QLINEAR[node.op][2]
    elif node.op == "QLinearConcat":
        scale, zero = 0, 1
    else:
        return None
    return read(graph, node.input(scale), node.input(zero), graph.type(node.output(0)).dtype)


def _stored(graph: Graph, node: Node, seen: str = "") -> Operand:
    """The integers a DQ reads, with its parameters; looks through a Q of a constant (float weights kept in QDQ)."""
    stored = node.input(0)
    constant = graph.constants.get(stored)
    if constant is None and (index := graph.producers.get(stored)) is not None:
        before = graph.nodes[index]
        if before.op == QUANTIZE and is_qdq(before):
            constant = graph.constants.get(before.input(0))
    type_ = graph.types.get(stored, UNKNOWN)
    if type_.shape is None:
        type_ = TensorType(type_.dtype, graph.type(node.output(0)).shape)
    return Operand(stored, seen or stored, type_, of_node(graph, node), constant)


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
