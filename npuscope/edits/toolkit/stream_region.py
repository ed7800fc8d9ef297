"""The tensors that get more channels together where not all that surrounds them can: a region with borders.

Where what makes a tensor cannot make the channels, zeros are added behind it; where what reads one cannot take them,
the first channels are cut out for it. Both happen where a grid is at hand: at the output of a DQ, or a cut in front of the Q of an integer output.
"""

from __future__ import annotations

from npuscope.edits.toolkit.channel_region import AddedChannels, Growth, NotClosedError, Region
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, Layers, is_qdq
from npuscope.record import dataclass

TRIES = 40
"""How often a region is grown again with a border moved to the output of a DQ."""


@dataclass(eq=False)
class Stream:
    """A region and its borders.

    `padded` have a maker that stays as it is; `cut` are made with more channels and read somewhere without. DQs write
    them, but for what a Q outside the region reads.
    """

    region: Region
    padded: tuple[str, ...]
    cut: tuple[str, ...]


def stream(graph: Graph, layers: Layers, start: str, wide: AddedChannels) -> Stream:
    """The region around a tensor, with borders. Raises NotClosedError where no borders close it."""
    forced, refused = set[str](), set[str]()
    for _ in range(TRIES):
        growth = _Stream(graph, layers, frozenset(forced), frozenset(refused))
        region = growth.run(start, wide)
        inner = [name for name in growth.padded if not _behind_dq(graph, name)]
        if inner:
            forced |= _dequantized(graph, region, inner[0])
            continue
        ends = [name for name in growth.cut if not (_behind_dq(graph, name) or growth.only_quantized(name))]
        if ends:
            refused.add(_before(graph, region, ends[0]).name)
            continue
        return Stream(region, tuple(growth.padded), tuple(growth.cut))
    raise NotClosedError("it has too many borders")


class _Stream(Growth):
    """Grows over what can be joined, and remembers what cannot."""

    def __init__(self, graph: Graph, layers: Layers, forced: frozenset[str], refused: frozenset[str]) -> None:
        super().__init__(graph, layers)
        self.forced, self.refused = forced, refused
        self.padded: dict[str, None] = {}
        self.cut: dict[str, None] = {}

    def run(self, start: str, wide: AddedChannels) -> Region:
        self.widen(start, wide)
        while self.pending:
            tensor = self.pending.pop()
            if self.graph.constant(tensor) is not None:
                continue
            maker = self.graph.producer(tensor)
            made = maker is not None and tensor not in self.forced and self.joined(maker, tensor)
            if not made:
                self.padded[tensor] = None
            readers = [self.graph.nodes[index] for index in self.graph.consumers.get(tensor, ())]
            left_out = [node for node in readers if not self.joined(node, tensor)]
            if made and (left_out or tensor in self.graph.output_set):
                self.cut[tensor] = None
        return self.region

    def joined(self, node: Node, tensor: str) -> bool:
        """Join a node; where it cannot be, leave everything as it was."""
        if node.name in self.refused:
            return False
        region, pending = self.region, list(self.pending)
        self.region = Region(self.graph, dict(region.tensors), dict(region.nodes), dict(region.layers))
        try:
            self.join(node, tensor)
        except NotClosedError:
            self.region, self.pending = region, pending
            return False
        return True

    def only_quantized(self, tensor: str) -> bool:
        """Without the channels it is read by Qs alone, so that it can be cut on their grid."""
        readers = [self.graph.nodes[index] for index in self.graph.consumers.get(tensor, ())]
        left_out = [node for node in readers if node.name in self.refused]
        return (
            tensor not in self.graph.output_set
            and all(node.name in self.refused or node.name in self.region.nodes for node in readers)
            and len(left_out) == 1
            and is_qdq(left_out[0])
        )


def _behind_dq(graph: Graph, tensor: str) -> bool:
    maker = graph.producer(tensor)
    return maker is not None and is_qdq(maker) and maker.op == DEQUANTIZE


def _dequantized(graph: Graph, region: Region, tensor: str) -> set[str]:
    """The outputs of the DQs of the region through which a tensor is read."""
    tensors: set[str] = set()
    pending = [tensor]
    while pending:
        name = pending.pop()
        inside = [
            graph.nodes[i] for i in graph.consumers.get(name, ()) if graph.nodes[i].name in region.nodes
        ]
        if not inside or not all(is_qdq(node) for node in inside):
            raise NotClosedError(f"{tensor} is not quantized")
        for node in inside:
            (tensors.add if node.op == DEQUANTIZE else pending.append)(node.output(0))
    return tensors


def _before(graph: Graph, region: Region, tensor: str) -> Node:
    """The node that has to stay without the channels so that a tensor behind it does."""
    maker = graph.producer(tensor)
    if maker is None or maker.name not in region.nodes:
        raise NotClosedError(f"{tensor} is not quantized")
    return maker
