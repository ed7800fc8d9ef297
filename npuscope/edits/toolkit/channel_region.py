"""The tensors that get more channels together: from the layers that make them to the layers that read them.

The added channels are multiplied by zero weights in the end, so their values do not matter as long as they are
finite; only shapes must agree. A region is closed: whoever makes or reads one of its tensors is part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import field

from npuscope.edits.toolkit.weighted import Weighted, weighted_layer
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import RESHAPES
from npuscope.model.layers import Layers, is_qdq
from npuscope.record import dataclass

UNARY = frozenset(
    [
        "Relu",
        "Clip",
        "LeakyRelu",
        "Sigmoid",
        "Tanh",
        "HardSigmoid",
        "HardSwish",
        "ThresholdedRelu",
        "Elu",
        "Selu",
        "Celu",
        "Softplus",
        "Softsign",
        "Erf",
        "Gelu",
        "Abs",
        "Neg",
        "Sin",
        "Cos",
        "Atan",
        "Identity",
        "Dropout",
        "Mish",
        "Swish",
    ]
)
"""Operators on each element alone that make finite values of finite ones."""

BINARY = frozenset(["Add", "Sub", "Mul", "Max", "Min", "PRelu", "Sum", "Mean"])
"""Elementwise operators of several operands, likewise."""

POOLS = frozenset(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
"""Operators on each channel alone; channels are axis 1."""

AXIS_RESHAPES = RESHAPES - {"Identity"}

LARGEST_REGION = 400
"""Nodes from which on a region is given up: an edit of one layer should not rewrite the model."""


@dataclass(frozen=True, slots=True)
class AddedChannels:
    """So many channels more, at the end of an axis."""

    axis: int
    extra: int


class NotClosedError(Exception):
    """The channels cannot be added everywhere they would have to be; the message is a clause that says where."""


@dataclass(eq=False)
class Region:
    """What gets more channels.

    1. `tensors` are activations, and constants that meet them element by element.
    2. `nodes` are carried along; `layers` have weights to pad: (input channels, output channels) added.
    """

    graph: Graph
    tensors: dict[str, AddedChannels] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    layers: dict[str, tuple[Weighted, int, int]] = field(default_factory=dict)


def region(graph: Graph, layers: Layers, start: str, wide: AddedChannels) -> Region:
    """The region around a tensor. Raises NotClosedError where it cannot be closed."""
    return Growth(graph, layers).run(start, wide)


class Growth:
    """Joins what a tensor with more channels touches, until nothing is left."""

    def __init__(self, graph: Graph, layers: Layers) -> None:
        self.graph, self.layers = graph, layers
        self.region = Region(graph)
        self.pending: list[str] = []

    def run(self, start: str, wide: AddedChannels) -> Region:
        self.widen(start, wide)
        while self.pending:
            tensor = self.pending.pop()
            if tensor in self.graph.inputs or tensor in self.graph.output_set:
                raise NotClosedError(f"{tensor} is an input or output of the model")
            if self.graph.constant(tensor) is not None:
                continue
            maker = self.graph.producer(tensor)
            if maker is None:
                raise NotClosedError(f"nothing in the model makes {tensor}")
            self.join(maker, tensor)
            for index in self.graph.consumers.get(tensor, ()):
                self.join(self.graph.nodes[index], tensor)
        return self.region

    def widen(self, tensor: str, wide: AddedChannels) -> None:
        known = self.region.tensors.get(tensor)
        if known is None:
            if not 0 <= wide.axis < len(self.dims(tensor)):
                raise NotClosedError(f"{tensor} has no axis {wide.axis}")
            self.region.tensors[tensor] = wide
            self.pending.append(tensor)
        elif known != wide:
            raise NotClosedError(f"{tensor} would need channels in two places")

    def dims(self, tensor: str) -> tuple[int, ...]:
        constant = self.graph.constant(tensor)
        dims = constant.shape if constant is not None else self.graph.type(tensor).dims
        if dims is None:
            raise NotClosedError(f"the shape of {tensor} is not known")
        return dims

    def join(self, node: Node, tensor: str) -> None:
        if len(self.region.nodes) + len(self.region.layers) >= LARGEST_REGION:
            raise NotClosedError(f"more than {LARGEST_REGION} nodes would change")
        layer = self.layers.of_node.get(node.name)
        if layer is not None and layer.core is node and layer.weight is not None:
            self.join_weighted(node, tensor, layer.name)
            return
        for name, wide in self.widened_with(node, tensor, self.region.tensors[tensor]):
            self.widen(name, wide)
        self.region.nodes[node.name] = node

    def join_weighted(self, node: Node, tensor: str, name: str) -> None:
        weighted = weighted_layer(self.graph, self.layers, name, qlinear=False)
        if not isinstance(weighted, Weighted):
            raise NotClosedError(weighted.reason)
        wide = self.region.tensors[tensor]
        reads, writes = tensor == weighted.input.seen, tensor == node.output(0)
        if (reads and wide.axis != weighted.input_axis) or (writes and wide.axis != weighted.output_axis):
            raise NotClosedError(f"{name} has its channels on another axis")
        _, into, out = self.region.layers.get(name, (weighted, 0, 0))
        if weighted.group == 1:
            into, out = wide.extra if reads else into, wide.extra if writes else out
        else:
            into, out = self.through_groups(weighted, wide, reads)
        self.region.layers[name] = (weighted, into, out)

    def through_groups(self, weighted: Weighted, wide: AddedChannels, reads: bool) -> tuple[int, int]:
        """A depthwise layer carries channels; each added one is a group of its own."""
        each = weighted.out_channels // weighted.group
        if weighted.in_channels != weighted.group or (not reads and wide.extra % each):
            raise NotClosedError(f"{weighted.layer.name} has {weighted.group} groups")
        extra = wide.extra if reads else wide.extra // each
        self.widen(weighted.input.seen, AddedChannels(weighted.input_axis, extra))
        self.widen(weighted.layer.core.output(0), AddedChannels(weighted.output_axis, extra * each))
        return extra, extra * each

    def widened_with(
        self, node: Node, tensor: str, wide: AddedChannels
    ) -> Iterator[tuple[str, AddedChannels]]:
        """The other activations of a node, and what each gets."""
        one, result = node.input(0), node.output(0)
        if is_qdq(node):
            if self.graph.value(node.input(1), 1) is None:
                raise NotClosedError(f"{node.name} has a scale per channel")
            yield from ((one, wide), (result, wide))
        elif not node.standard or (
            tensor not in (one, result) and node.op not in BINARY | {"Concat", "Split"}
        ):
            raise NotClosedError(f"{node.name} ({node.op}) needs the channels as they are")
        elif len(node.outputs) == 1 and (node.op in UNARY or (node.op in POOLS and wide.axis == 1)):
            yield from ((one, wide), (result, wide))
        elif node.op in BINARY:
            yield from self.broadcast(node, tensor, wide)
        elif node.op == "Transpose":
            rank = len(self.dims(one))
            order = node.integers("perm") or tuple(reversed(range(rank)))
            axis = wide.axis if tensor == one else order[wide.axis]
            yield from (
                (one, AddedChannels(axis, wide.extra)),
                (result, AddedChannels(order.index(axis), wide.extra)),
            )
        elif node.op in AXIS_RESHAPES:
            if node.op == "Reshape" and self.graph.value(node.input(1), 64) is None:
                raise NotClosedError(f"the shape {node.name} gives is computed by the model")
            if self.dims(tensor)[wide.axis] == 1:
                raise NotClosedError(f"{node.name} handles one channel, which it may drop")
            other = result if tensor == one else one
            yield other, reshaped(self.dims(tensor), wide, self.dims(other), node.name)
        elif node.op in ("Concat", "Split"):
            axis = node.integer("axis", 0)
            rank = len(self.dims(one))
            if axis % rank == wide.axis:
                raise NotClosedError(f"{node.name} ({node.op}) cuts or joins the channels")
            names = node.inputs if node.op == "Concat" else (one, *node.outputs)
            yield from ((name, wide) for name in (*names, *node.outputs) if name)
        else:
            raise NotClosedError(f"{node.name} ({node.op}) needs the channels as they are")

    def broadcast(self, node: Node, tensor: str, wide: AddedChannels) -> Iterator[tuple[str, AddedChannels]]:
        result = node.output(0)
        shape = self.dims(result)
        axis = wide.axis + len(shape) - len(self.dims(tensor))
        if self.dims(tensor)[wide.axis] != shape[axis]:
            raise NotClosedError(f"{node.name} ({node.op}) repeats {tensor} along its channels")
        yield result, AddedChannels(axis, wide.extra)
        for name in node.inputs:
            dims = self.dims(name)
            own = axis - (len(shape) - len(dims))
            if own >= 0 and dims[own] == shape[axis]:
                yield name, AddedChannels(own, wide.extra)


def reshaped(
    before: tuple[int, ...], wide: AddedChannels, after: tuple[int, ...], name: str
) -> AddedChannels:
    """Where channels added at the end of an axis lie once the tensor has another shape.

    They must stay the end of one axis: the sizes before it make the same product in both shapes, and the added
    elements fill whole steps of it.
    """
    outer = math.prod(before[: wide.axis])
    added = wide.extra * math.prod(before[wide.axis + 1 :])
    fitting = [
        axis
        for axis in range(len(after))
        if math.prod(after[:axis]) == outer and added % math.prod(after[axis + 1 :]) == 0
    ]
    # Axes of size 1 around the channels fit as well where the numbers happen to divide.
    fitting.sort(key=lambda axis: (after[axis] != before[wide.axis], after[axis] == 1))
    if math.prod(before) != math.prod(after) or not fitting:
        raise NotClosedError(f"{name} mixes the channels with another axis")
    return AddedChannels(fitting[0], added // math.prod(after[fitting[0] + 1 :]))
