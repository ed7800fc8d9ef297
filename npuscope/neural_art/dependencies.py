"""What the verdict on a layer rests on beside the layer itself: the tensors it asked about, seen as it was judged again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from npuscope.machine.machine import Target
from npuscope.model.after_edits.difference import changed_constants, changed_names, replaced
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers, changed_layers
from npuscope.neural_art.judge import judge
from npuscope.neural_art.kernels.streams import planar
from npuscope.neural_art.price.estimate import layer_cost
from npuscope.npu.rule import Context
from npuscope.npu.verdict import Placement

Value = TypeVar("Value")


class Looks(NamedTuple):
    """Tensors: of `links`, who writes and reads them; of `values`, the constants that they are."""

    links: frozenset[str]
    values: frozenset[str]

    def meet(self, others: Looks) -> bool:
        """Some are the same."""
        return not (self.links.isdisjoint(others.links) and self.values.isdisjoint(others.values))


class Dependencies:
    """What verdicts and prices of one analysis rest on, found out for the layers somebody asks about."""

    def __init__(self, graph: Graph, layers: Layers, target: Target) -> None:
        self.graph, self.layers, self.target = graph, layers, target
        self.known: dict[Layer, Looks | None] = {}
        self._watch: _Watch | None = None
        self._lock = Lock()

    def of(self, layer: Layer) -> Looks | None:
        """What was looked at; None where the words on a layer may rest on the model as a whole."""
        if layer not in self.known:
            with self._lock:  # trials in the background ask as well
                if self._watch is None:
                    self._watch = _Watch(Context(self.graph, self.layers, self.target))
                self.known[layer] = self._watch.judged(layer)
        return self.known[layer]

    def take_over(self, older: Dependencies, holding: Collection[str]) -> None:
        """Of layers of these names, whose verdicts still hold, it holds as well."""
        by_name = self.layers.by_name
        for layer, looks in list(older.known.items()):
            if layer.name in holding and by_name.get(layer.name) is layer:
                self.known[layer] = looks


class _Watch:
    """Judges layers by tables that note what they are asked for."""

    def __init__(self, context: Context) -> None:
        graph, layers = copy(context.graph), copy(context.layers)
        self.links: set[str] = set()
        self.values: set[str] = set()
        vars(graph).update(
            producers=_Noting(context.graph.producers, self.links),
            consumers=_Noting(context.graph.consumers, self.links),
            constants=_Noting(context.graph.constants, self.values),
            derived=_Noting(context.graph.derived, self.values),
        )
        vars(layers).update(
            of_node=context.layers.of_node,
            writers=_Noting(context.layers.writers, self.links),
            readers=_Noting(context.layers.readers, self.links),
        )
        self.context = Context(graph, layers, context.target)

    def judged(self, layer: Layer) -> Looks | None:
        context = self.context
        context.floats.clear()  # what is known is not looked at again
        self.links.clear()
        self.values.clear()
        placement = judge(layer, context).placement
        cost = layer_cost(layer, placement, context.target, context.layers)
        if placement is Placement.SW_FLOAT or cost is None:
            return None  # which nodes round, and which sizes are free, is found out of all nodes at once
        return Looks(frozenset(self.links), frozenset(self.values))


class _Noting(Mapping[str, Value], Generic[Value]):
    """A table that notes which keys it is asked for."""

    def __init__(self, table: Mapping[str, Value], asked: set[str]) -> None:
        self._table, self._note = table, asked.add

    def __getitem__(self, key: str) -> Value:
        self._note(key)
        return self._table[key]

    def get(self, key: str, default: Value | None = None) -> Value | None:  # type: ignore[override]
        self._note(key)
        return self._table.get(key, default)

    def __contains__(self, key: object) -> bool:
        self._note(str(key))
        return key in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def changed(now: Dependencies, was: Dependencies) -> Looks | None:
    """Tensors of which anything is not what it was before an edit; None where layers changed places."""
    graph, before = now.graph, was.graph
    added, removed, kept = replaced(graph, before)
    if kept:
        stayed = {id(node) for node in kept}
        if [node for node in before.nodes if id(node) in stayed] != kept:
            return None
    links = set(planar(now.layers) ^ planar(was.layers))
    names = changed_layers(now.layers, was.layers)
    for one, nodes in ((now, added), (was, removed)):
        by_name = one.layers.by_name
        links |= _around(one.graph, nodes, [by_name[name] for name in names if name in by_name])
    values = changed_constants(graph, before) | changed_names(graph.derived, before.derived)
    return Looks(frozenset(links), frozenset(values))


def _around(graph: Graph, nodes: Iterable[Node], layers: Iterable[Layer]) -> set[str]:
    """All tensors that nodes and layers touch."""
    touched: set[str] = set()
    index = graph.node_index
    held = [graph.nodes[index[name]] for layer in layers for name in layer.nodes]
    for node in (*nodes, *held):
        touched.update(node.inputs)
        touched.update(node.outputs)
        if node.subgraphs:
            touched |= graph.outer_reads(node)
    for layer in layers:
        for o in (*layer.inputs, *layer.parameters, *layer.outputs):
            touched.update((o.tensor, o.seen))
    touched.discard("")
    return touched
