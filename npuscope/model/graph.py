"""The graph as an index: nodes, tensors, who makes them and who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import chain
from typing import Any

from onnx import FunctionProto

from npuscope.model.node import (
    ONNX_DOMAINS,
    Node,
    attribute_value,
    bodies_of,
    nodes_and_bodies,
    nodes_of,
    unique_names,
)
from npuscope.model.tensors import UNKNOWN, Array, Constant, TensorType
from npuscope.record import dataclass

__all__ = [
    "CONTROL_FLOW",
    "MANY",
    "ONNX_DOMAINS",
    "SIZES",
    "Graph",
    "Node",
    "attribute_value",
    "bodies_of",
    "in_order",
    "nodes_and_bodies",
    "nodes_of",
    "unique_names",
]


@dataclass(frozen=True, eq=False)
class Graph:
    """The main graph of a model. Frozen; an edit makes a new one that shares what it did not touch.

    1. `nodes` is in file order. `constants` holds initializers, the outputs of Constant nodes, and what nodes compute
       of constants alone.
    2. `inputs` leaves out inputs that an initializer gives a value.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    types: Mapping[str, TensorType]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opsets: Mapping[str, int]
    sizes_fixed: bool = False
    """An edit gave every graph input its sizes: a batch that the file leaves free is free no more."""
    free_batches: frozenset[str] = frozenset()
    """Names of free first sizes of inputs, which are taken as 1."""
    functions: Mapping[tuple[str, str], FunctionProto] = field(default_factory=dict)
    """(domain, name) of the operators whose bodies the model holds -> the body."""
    derived: Mapping[str, Constant] = field(default_factory=dict)
    """Values that follow from the sizes of the inputs, and real numbers behind the DequantizeLinear of a constant."""
    stated_otherwise: Mapping[str, str] = field(default_factory=dict)
    """Tensors that cannot be as the file has them, in type or in who makes them: what is wrong, in a clause."""
    disallowed: Mapping[str, str] = field(default_factory=dict)
    """Of a model brought to a newer opset: tensors whose nodes its own opset does not allow, and why, in a clause."""
    is_part: bool = False
    """A stretch of a graph: what its nodes write is read outside it."""
    imported: bool = False
    """ST's front end wrote it: an intermediate model, opened with its quantization."""
    stored_ends: frozenset[str] = frozenset()
    """Of an intermediate model: the inputs and outputs that its quantization stores in integers."""
    stored_floats: frozenset[str] = frozenset()
    """The tensors that an intermediate model's quantization calls float, or that a TFLite file holds as floats."""
    tflite: bool = False
    """Made from a TFLite file, whose borders are of the types the file gives them."""
    as_int8: bool = False
    """A float model judged as if quantized: it can be neither run nor written."""
    assumed: frozenset[str] = frozenset()
    """Of such a model: the scales and zero points that stand for values nobody knows yet."""

    @cached_property
    def opset(self) -> int:
        """Version of the ONNX operator set, 0 where the model imports none."""
        return self.opsets.get("", self.opsets.get("ai.onnx", 0))

    @cached_property
    def producers(self) -> Mapping[str, int]:
        """Tensor name -> index of the node that makes it."""
        return {name: i for i, node in enumerate(self.nodes) for name in node.outputs if name}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[int, ...]]:
        """Tensor name -> indices of the nodes that read it, once per use; subgraphs read through their node."""
        consumers: dict[str, tuple[int, ...]] = {}
        more: dict[str, list[int]] = {}  # a scale may have thousands of readers
        for i, node in enumerate(self.nodes):
            for name in (*node.inputs, *_outer_reads(node)) if node.op in CONTROL_FLOW else node.inputs:
                first = (i,)
                if consumers.setdefault(name, first) is not first:
                    more.setdefault(name, []).append(i)
        for name, indices in more.items():
            consumers[name] = (*consumers[name], *indices)
        consumers.pop("", None)
        return consumers

    @cached_property
    def node_index(self) -> Mapping[str, int]:
        """Node name -> index."""
        return {node.name: i for i, node in enumerate(self.nodes)}

    @cached_property
    def with_bodies(self) -> tuple[Node, ...]:
        """The nodes that hold graphs of their own."""
        return tuple([node for node in self.nodes if node.op in CONTROL_FLOW])

    @cached_property
    def input_set(self) -> frozenset[str]:
        """Names of the graph's inputs."""
        return frozenset(self.inputs)

    @cached_property
    def input_places(self) -> Mapping[str, int]:
        """Input -> its position; a model may have a hundred thousand."""
        return {name: place for place, name in enumerate(self.inputs)}

    @cached_property
    def output_places(self) -> Mapping[str, int]:
        """Output -> its first position."""
        return {name: len(self.outputs) - 1 - place for place, name in enumerate(reversed(self.outputs))}

    @cached_property
    def output_set(self) -> frozenset[str]:
        """Names of the graph's outputs."""
        return frozenset(self.outputs)

    @cached_property
    def read_quants(self) -> dict[tuple[str, str, str, int, int], Any]:
        """What `quant.read` read of this graph: every Q and DQ of a model asks."""
        return {}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What was found out of the graph as a whole, under the name of what asks: each layer asks again."""
        return {}

    @cached_property
    def node_faults(self) -> dict[str, str]:
        """Node name -> what `validity.faults` found wrong with it: each trial of an edit asks, and each target."""
        return {}

    def is_fixed(self, node: Node) -> bool:
        """All the node writes is known without running it."""
        outputs = node.outputs
        if len(outputs) == 1:  # as it mostly is
            name = outputs[0]
            return bool(name) and (name in self.constants or name in self.derived)
        if len(outputs) > MANY:
            return self._wide(node)[0]
        return any(node.outputs) and all(
            not name or name in self.constants or name in self.derived for name in node.outputs
        )

    def gives_out(self, node: Node) -> bool:
        """The node writes an output of the graph."""
        return (
            self._wide(node)[1] if len(node.outputs) > MANY else not self.output_set.isdisjoint(node.outputs)
        )

    def _wide(self, node: Node) -> tuple[bool, bool]:
        """Both for a node with many outputs, which is asked about for each of them: looked at once."""
        pair = self._wide_nodes.get(node)
        if pair is None:
            known = (not name or name in self.constants or name in self.derived for name in node.outputs)
            pair = any(node.outputs) and all(known), not self.output_set.isdisjoint(node.outputs)
            self._wide_nodes[node] = pair
        return pair

    @cached_property
    def _wide_nodes(self) -> dict[Node, tuple[bool, bool]]:
        return {}

    @cached_property
    def live(self) -> frozenset[int]:
        """Indices of the nodes that an output of the graph needs run; all where no output is known."""
        if self.is_part or not self.outputs or self.all_needed:
            return frozenset(range(len(self.nodes)))
        live: set[int] = set()
        producers = self.producers
        pending = [index for name in self.outputs if (index := producers.get(name)) is not None]
        while pending:
            index = pending.pop()
            if index in live:
                continue
            node = self.nodes[index]
            live.add(index)
            if node.op in SIZES and node.standard and self.is_fixed(node):
                continue  # a size that is known asks for no data
            for name in (*node.inputs, *_outer_reads(node)) if node.op in CONTROL_FLOW else node.inputs:
                if name in producers:
                    pending.append(producers[name])
        return frozenset(live)

    @cached_property
    def in_order(self) -> bool:
        """Each tensor is written once, before it is read."""
        return in_order(self.nodes)

    @cached_property
    def single_writers(self) -> bool:
        """No two nodes write one tensor, or have one name."""
        if len(self.nodes) > len(self.node_index):
            return False
        written = () if self.in_order else list(chain.from_iterable([node.outputs for node in self.nodes]))
        return self.in_order or len(written) - written.count("") == len(self.producers)

    @cached_property
    def all_needed(self) -> bool:
        """One look finds all nodes live, as it mostly does where they are sorted."""
        if not self.single_writers:
            return False  # of several that write one tensor only the last one is live
        if self.in_order and SIZES.isdisjoint([node.op for node in self.nodes]):
            # What is read is read further on, by what is read further on or is an output in the end.
            read = self.consumers.keys() | self.output_set
            return not any(map(read.isdisjoint, [node.outputs for node in self.nodes]))
        needed, others = set(self.outputs), CONTROL_FLOW | SIZES
        for node in reversed(self.nodes):
            if needed.isdisjoint(node.outputs):
                return False
            if node.op in others:
                if node.op in CONTROL_FLOW:
                    needed |= _outer_reads(node)
                elif node.standard and self.is_fixed(node):
                    continue
            needed.update(node.inputs)
            needed.discard("")
        return True

    def know_as(self, other: Graph) -> None:
        """Take over what another graph of the very same nodes found out of them."""
        assert self.nodes is other.nodes
        known = vars(other)
        vars(self).update({name: known[name] for name in _OF_NODES if name in known})

    def outer_reads(self, node: Node) -> frozenset[str]:
        """Tensors that the bodies of a control-flow node take from outside."""
        return frozenset(_outer_reads(node))

    def producer(self, tensor: str) -> Node | None:
        """The node that makes a tensor, None for inputs, initializers and ''."""
        index = self.producers.get(tensor)
        return None if index is None else self.nodes[index]

    def type(self, tensor: str) -> TensorType:
        """Type and shape, as far as they are known."""
        return self.types.get(tensor, UNKNOWN)

    def constant(self, tensor: str) -> Constant | None:
        """The constant a tensor holds, None where it is computed."""
        return self.constants.get(tensor)

    def value(self, tensor: str, limit: int = 1 << 20) -> Array | None:
        """The array of a constant, or of a value that is fixed, of at most `limit` elements; None for anything else."""
        constant = self.constants.get(tensor) or self.derived.get(tensor)
        if constant is None or constant.size > limit:
            return None
        return constant.array()


_OF_NODES = ("producers", "consumers", "node_index", "with_bodies", "in_order", "single_writers")

MANY = 16
"""Outputs above which a node is looked at once for all of them."""

SIZES = frozenset({"Shape", "Size"})
"""Operators that read a tensor for its sizes alone."""

CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})


def _outer_reads(node: Node) -> set[str]:
    """Tensors that the bodies of a control-flow node take from outside."""
    reads: set[str] = set()
    pending = list(node.subgraphs)
    while pending:
        body = pending.pop()
        inner = {i.name for i in body.input} | {t.name for t in body.initializer}
        inner |= {name for n in body.node for name in n.output}
        for child in body.node:
            reads |= {name for name in child.input if name and name not in inner}
            pending += bodies_of(child)
    return reads - set(node.inputs)


def in_order(nodes: Sequence[Node]) -> bool:
    """Each tensor is written once, before it is read."""
    written = list(chain.from_iterable([node.outputs for node in nodes]))
    ahead = set(written)
    if len(ahead) < len(written) - max(written.count("") - 1, 0):
        return False
    ahead.discard("")
    for node in nodes:
        if not ahead.isdisjoint(node.inputs):
            return False
        ahead.difference_update(node.outputs)
    return True
