"""A tensor of a graph: its type, its quantization, who makes it and who reads it."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inspection.extent import dtype_bits, elements
from npuscope.model.layer import DEQUANTIZE, QUANTIZE, Layer, is_qdq
from npuscope.model.quant import Quant, of_node
from npuscope.model.tensors import Constant, TensorType
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class TensorFacts:
    """What is known of a tensor. `nbytes` is None where a size is not known; `quant` where it has no scale."""

    name: str
    type: TensorType
    nbytes: int | None
    constant: Constant | None
    quant: Quant | None
    producer: Node | None
    readers: tuple[Node, ...]
    is_input: bool
    is_output: bool


def tensor_facts(graph: Graph, name: str, layer: Layer | None = None) -> TensorFacts:
    """Look up a tensor; `layer` is one that reads or writes it, whose operands know scales a node alone does not."""
    constant = graph.constant(name)
    kind = graph.type(name) if constant is None else TensorType(constant.dtype, constant.shape)
    dims = kind.shape_if_known
    size = (
        None
        if dims is None or kind.dtype == "unknown"
        else (elements(dims) * dtype_bits(kind.dtype) + 7) // 8
    )
    readers = tuple(graph.nodes[index] for index in dict.fromkeys(graph.consumers.get(name, ())))
    return TensorFacts(
        name,
        kind,
        size,
        constant,
        _quant(graph, name, layer, readers),
        graph.producer(name),
        readers,
        name in graph.input_set,
        name in graph.output_set,
    )


def _quant(graph: Graph, name: str, layer: Layer | None, readers: tuple[Node, ...]) -> Quant | None:
    producer = graph.producer(name)
    if producer is not None and is_qdq(producer) and producer.op == QUANTIZE:
        return of_node(graph, producer)
    for reader in readers:
        if is_qdq(reader) and reader.op == DEQUANTIZE and reader.input(0) == name:
            return of_node(graph, reader)
    if layer is None:
        return None
    operands = [*layer.inputs, *layer.outputs, *layer.parameters]
    operands += [operand for operand in (layer.weight, layer.bias) if operand is not None]
    return next((operand.quant for operand in operands if name in (operand.tensor, operand.seen)), None)
