"""What an edit is, what it does to a graph, and why it may refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import Enum
from typing import Any, ClassVar, Protocol

from npuscope.model.after_edits.difference import note_origin
from npuscope.model.after_edits.reindexing import take_over
from npuscope.model.budget import OutOfTimeError
from npuscope.model.errors import ModelError, TooLargeError, one_line
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.model.tensors import Constant, TensorType
from npuscope.record import dataclass

DAMAGED = (
    ModelError, LookupError, ValueError, TypeError, ArithmeticError, AssertionError, AttributeError, MemoryError,
)  # fmt: skip
"""What arithmetic on shapes, attributes and weights raises where a model contradicts itself."""


class Exactness(Enum):
    """What an edit does to the numbers."""

    BIT_EXACT = "bit-exact"
    """Exact on integers; sums of float layers may round differently."""
    ROUNDING = "exact up to output rounding"
    APPROXIMATE = "approximate"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an edit cannot be made, in one sentence, and what to do instead."""

    reason: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A change to a graph.

    1. The nodes named in `remove` go; `insert` takes the place of the last of them.
    2. `constants` are added; a constant that nobody reads any more goes with its last reader.
    3. `types` are those of all tensors the inserted nodes write, and of tensors whose type changes.
    4. `replace` puts one node or several in the place of the one it is named by, which is not in `remove`.
    5. `fixes_sizes`: the sizes of the graph's inputs are given; none is free any more, the batch included.
    """

    remove: frozenset[str]
    insert: tuple[Node, ...]
    constants: tuple[Constant, ...] = ()
    types: Mapping[str, TensorType] = field(default_factory=dict)
    replace: Mapping[str, Node | tuple[Node, ...]] = field(default_factory=dict)
    fixes_sizes: bool = False

    def at(self, node: Node) -> tuple[Node, ...]:
        """What stands in a node's place, `insert` left out: nothing, itself, or what replaces it."""
        if node.name in self.remove:
            return ()
        replacement = self.replace.get(node.name, node)
        return replacement if isinstance(replacement, tuple) else (replacement,)

    @property
    def touched(self) -> frozenset[str]:
        """Names of the nodes removed or replaced."""
        return self.remove | self.replace.keys()

    @property
    def added(self) -> tuple[Node, ...]:
        """The nodes it puts in."""
        placed = (
            replacement if isinstance(replacement, tuple) else (replacement,)
            for replacement in self.replace.values()
        )
        return (*self.insert, *(node for nodes in placed for node in nodes))


Ranges = Sequence[tuple[float, float]]
"""(smallest, largest) value of each tensor that was watched."""


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """What an edit wants to know from runs of the model.

    1. `tensors` are watched; `finish` makes the finished edit of their ranges, in that order. No tensor: nothing is
       to be run, and `finish(())` is the edit.
    2. `nodes`, `constants` and `types` compute what the model itself does not, beside it.
    """

    tensors: tuple[str, ...]
    finish: Callable[[Ranges], Edit]
    nodes: tuple[Node, ...] = ()
    constants: tuple[Constant, ...] = ()
    types: Mapping[str, TensorType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a kind of edit says of itself; the registry, proposals, help, docs and tests follow from it.

    1. `because` is the reason for its `exactness`, in one sentence.
    2. `operators` are the kinds of layers it can be made of; empty: any, or the whole model.
    3. `answers` are codes of findings that are no longer said after it, though it may save no time of its own.
    4. `tried_off_npu`: worth a trial, with nothing but the layer's name, on any such layer that is off the NPU.
    5. `replaces_one_layer`: it changes nothing but the layer it names, so its preview tells all of its effect.
    6. `same_by_shape`: it means the same on any layer of the same shape.
    7. `asks` is what only the user can say, where the edit cannot be tried without: 'sizes'.
    8. `example` is a model as ONNX text, with a layer 'op' the edit can be made of with these `fields`.
    """

    kind: str
    exactness: Exactness
    because: str
    operators: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    tried_off_npu: bool = False
    replaces_one_layer: bool = False
    same_by_shape: bool = False
    asks: str = ""
    example: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def applies_to(self, kind: str) -> bool:
        """Whether it can be made of layers of this kind, as far as the kind tells."""
        return not self.operators or kind in self.operators


class Edit(Protocol):
    """A fix, as a frozen, hashable value that names the layer it is for."""

    declaration: ClassVar[Declaration]

    @property
    def kind(self) -> str:
        """Short name of the edit, e.g. 'split-in'."""
        ...

    @property
    def layer(self) -> str:
        """Name of the layer it changes."""
        ...

    @property
    def exactness(self) -> Exactness:
        """What it does to the numbers."""
        ...

    def describe(self) -> str:
        """The edit in one short line: 'split inputs of Gemm_28 as 144+113'."""
        ...

    def apply(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The change it makes to this graph, or why it cannot be made."""
        ...

    def takes_scales(self, user_supplied: bool) -> bool:
        """Whether runs of the model would finish it; `user_supplied`: on samples of the user's own."""
        ...

    def probe(self, graph: Graph, layers: Layers) -> Probe | Refusal:
        """What those runs have to tell, or why it cannot be made of this graph."""
        ...


class Declared:
    """What edits have in common: kind and exactness come from the class's declaration, and runs tell them nothing."""

    __slots__ = ()
    declaration: ClassVar[Declaration]

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The change it makes to a graph that is what it says it is."""
        raise NotImplementedError

    def apply(self: Any, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The change it makes to this graph, or why it cannot be made; a damaged model is a reason."""
        try:
            patch: Patch | Refusal = self.patch(graph, layers)
        except OutOfTimeError:
            raise
        except TooLargeError as error:
            return Refusal(
                f"{self.kind} has no room: {error}", "divide the layer before the model is exported"
            )
        except DAMAGED as error:
            return Refusal(
                f"{self.kind} found a contradiction around {self.layer or 'the model'}: {one_line(str(error), 80)}",
                "check the model with onnx.checker: its shapes, attributes or weights are inconsistent",
            )
        return patch

    @property
    def kind(self) -> str:
        """Short name of the edit, e.g. 'split-in'."""
        return self.declaration.kind

    @property
    def exactness(self) -> Exactness:
        """What it does to the numbers."""
        return self.declaration.exactness

    @classmethod
    def for_layer(cls, layer: Layer) -> Iterator[Edit]:
        """The edits of this kind that are worth a trial on a layer."""
        make: Any = cls
        yield make(layer.name)

    def takes_scales(self, user_supplied: bool) -> bool:
        """Nothing that runs could tell."""
        return False

    def probe(self: Any, graph: Graph, layers: Layers) -> Probe | Refusal:
        """Nothing to watch."""
        return Probe((), lambda _: self)


def patched(graph: Graph, patch: Patch) -> Graph:
    """The graph with the patch in place; everything untouched is shared."""
    places = sorted([(graph.node_index[name], name in patch.remove) for name in patch.touched])
    last = max([i for i, removed in places if removed], default=None)
    nodes = list(graph.nodes)
    if last is None:
        nodes += patch.insert
    for i, _ in reversed(places):  # from the back, so that places before stay what they are
        nodes[i : i + 1] = [*patch.at(graph.nodes[i]), *(patch.insert if i == last else ())]
    constants = dict(graph.constants)
    constants.update((constant.name, constant) for constant in patch.constants)
    changed = replace(
        graph,
        nodes=tuple(nodes),
        constants=constants,
        types={**graph.types, **patch.types},
        sizes_fixed=graph.sizes_fixed or patch.fixes_sizes,
    )
    begin, end = (places[0][0], places[-1][0] + 1) if places else (len(graph.nodes), len(graph.nodes))
    take_over(graph, changed, begin, end)
    orphans = {
        name
        for removed in patch.touched
        for name in (
            *graph.nodes[graph.node_index[removed]].inputs,
            *graph.nodes[graph.node_index[removed]].outputs,
        )
        if name in constants and name not in changed.consumers and name not in changed.output_set
    }
    for name in orphans:
        del constants[name]
    changed = _without_makers(changed, orphans)
    named = {constant.name for constant in patch.constants}
    note_origin(changed, graph, frozenset(named | orphans | patch.types.keys()))
    return changed


def _without_makers(graph: Graph, orphans: set[str]) -> Graph:
    """The graph without the Constant nodes whose values nobody reads any more: left behind they would be layers."""
    removed = {
        i
        for i in (graph.producers.get(name, -1) for name in orphans)
        if i >= 0 and graph.nodes[i].op == "Constant" and graph.nodes[i].standard
    }
    if not removed:
        return graph
    return replace(graph, nodes=tuple(node for i, node in enumerate(graph.nodes) if i not in removed))
