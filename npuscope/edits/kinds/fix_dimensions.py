"""Give the inputs of the graph fixed sizes: the compiler takes static shapes only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from npuscope.edits.edit import Declaration, Declared, Edit, Exactness, Patch, Refusal, patched
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.shape_pass import inferred
from npuscope.edits.toolkit.sizes import machine_limits
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import Layer, Layers
from npuscope.model.tensors import Dim, TensorType
from npuscope.model.validity.faults import fault
from npuscope.record import dataclass

EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (float[1,N,4] x) => (float[1,N,4] y) <float s = {0.1}>
{ [op] y = Relu(x) }"""


@dataclass(frozen=True, slots=True)
class FixDimensions(Declared):
    """Set free sizes of the graph's inputs, and infer all shapes again.

    1. `sizes` gives a size by its name in the model ('batch'), or of one input by 'input:axis' ('x:0').
    2. A free batch that it does not mention becomes 1, as the compiler takes it.
    3. Only free sizes can be set; the model computes the same.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "fix-dimensions",
        Exactness.BIT_EXACT,
        "Shapes are fixed, values stay.",
        answers=("N107",),
        asks="sizes",
        example=EXAMPLE,
        fields={"sizes": (("N", 1),)},
    )

    sizes: tuple[tuple[str, int], ...] = ()

    @property
    def layer(self) -> str:
        """'': the whole model."""
        return ""

    @classmethod
    def for_layer(cls, layer: Layer) -> Iterator[Edit]:
        """None: which sizes are meant, only the user knows."""
        yield from ()

    def describe(self) -> str:
        """'fix sizes batch=1, frames=30'."""
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes)
        return f"fix sizes {sizes}" if sizes else "fix the batch at 1"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The model with fixed shapes, or which size is still free."""
        if graph.sizes_fixed:
            return Refusal("the sizes of the model's inputs are fixed already")
        inputs = self._inputs(graph)
        if isinstance(inputs, Refusal):
            return inputs
        types = inferred(graph, inputs)
        clash = _clash(graph, types)
        if clash is not None:
            return clash
        emptied = next((n for n, t in types.items() if t.empty and not graph.type(n).empty), None)
        if emptied is not None:
            return Refusal(f"these sizes leave {emptied} without elements", "give larger ones")
        changed = {name: type_ for name, type_ in types.items() if graph.types.get(name) != type_}
        replaced: dict[str, Node | tuple[Node, ...]] = {
            node.name: rewired(node)
            for node in graph.nodes
            if any(name in changed for name in (*node.inputs, *node.outputs))
        }
        patch = Patch(frozenset(), (), (), changed, replaced, fixes_sizes=True)
        return _misfit(graph, patched(graph, patch), replaced) or patch

    def _inputs(self, graph: Graph) -> dict[str, TensorType] | Refusal:
        wanted = dict(self.sizes)
        for name, size in wanted.items():
            if not 1 <= size <= machine_limits().dimension:
                return Refusal(
                    f"size {size} for {name} is not one the compiler takes",
                    f"give 1 to {machine_limits().dimension}",
                )
        used: set[str] = set()
        types = {}
        for name in graph.inputs:
            type_ = graph.type(name)
            if type_.shape is None:
                return Refusal(f"input {name} has no known rank, so its sizes cannot be named")
            shape: list[Dim] = []
            for axis, dim in enumerate(type_.shape):
                key = f"{name}:{axis}"
                named = next((k for k in (key, dim) if isinstance(k, str) and k in wanted), None)
                if named is not None and (not isinstance(dim, int) or wanted[named] == dim):
                    used.add(named)
                    shape.append(wanted[named])
                elif named is not None:
                    return Refusal(f"axis {axis} of input {name} has size {dim}, which is not free")
                else:
                    shape.append(dim)
            types[name] = TensorType(type_.dtype, tuple(shape))
        for name in graph.free_batches & wanted.keys():
            if wanted[name] != 1:
                return Refusal(f"the batch {name} is taken as 1, as the compiler takes it", f"give {name}=1")
            used.add(name)
        unused = [name for name in wanted if name not in used]
        if unused:
            return Refusal(f"no input of the model has a free size {unused[0]!r}", _free_names(graph))
        for name, given in types.items():
            for axis, dim in enumerate(given.shape or ()):
                if not isinstance(dim, int):
                    hint = f"{dim}=N" if dim else f"{name}:{axis}=N"
                    return Refusal(f"axis {axis} of input {name} would still be free", f"give {hint}")
        return types


def _misfit(before: Graph, after: Graph, names: Iterable[str]) -> Refusal | None:
    """The first node that these sizes make one ONNX does not allow, as a window larger than its map."""
    for name in names:
        found = fault(after, after.nodes[after.node_index[name]])
        if found and not fault(before, before.nodes[before.node_index[name]]):
            return Refusal(f"these sizes do not fit {name}: {found}", _free_names(before))
    return None


def _free_names(graph: Graph) -> str:
    free = {
        str(dim) if dim else f"{name}:{axis}"
        for name in graph.inputs
        for axis, dim in enumerate(graph.type(name).shape or ())
        if not isinstance(dim, int)
    }
    return f"free are {', '.join(sorted(free))}" if free else "all of them are known"


def _clash(graph: Graph, types: Mapping[str, TensorType]) -> Refusal | None:
    """The first output whose stated shape the sizes contradict."""
    for name in graph.outputs:
        before, after = graph.type(name).shape, types[name].shape if name in types else None
        for axis, (old, new) in enumerate(zip(before or (), after or (), strict=False)):
            if isinstance(old, int) and isinstance(new, int) and old != new:
                return Refusal(
                    f"the sizes do not fit the model: axis {axis} of {name} is {old} and would be {new}"
                )
    return None
