"""Ifs whose condition is known: the branch that is taken in place of the node, as onnxsim writes it.

Exporters write them where a model asks for a size that is fixed (PyTorch's squeeze) or for its mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node

MOST_LEVELS = 8
"""Branches within branches that are followed."""


def branches_taken(proto: ModelProto, graph: Graph) -> tuple[ModelProto, tuple[str, ...]] | None:
    """The model with the branch for each If of the main graph whose condition is known, and the names of these Ifs.

    None where there is none. `graph` is the model's; the model itself is not changed.
    """
    if not any(node.op == "If" for node in graph.nodes):
        return None
    bodies = [_body(graph, node) for node in graph.nodes]
    if not any(body is not None for body in bodies):
        return None
    made = ModelProto()
    made.CopyFrom(proto)
    del made.graph.node[:]
    names = _Names(_defined(made.graph) | {name for node in graph.nodes for name in node.outputs})
    for node, body in zip(graph.nodes, bodies, strict=True):
        # What a branch defines is seen by all bodies behind it from now on: none may define a tensor of that name.
        for inner in [node.proto] if body is None else body.node:
            names.hold(_written_within(inner))
    for node, body in zip(graph.nodes, bodies, strict=True):
        if body is None:
            made.graph.node.append(node.proto)
        else:
            _write_out(made.graph, node, body, names)
    return made, tuple(n.name for n, body in zip(graph.nodes, bodies, strict=True) if body is not None)


def _body(graph: Graph, node: Node) -> GraphProto | None:
    """The branch that an If takes; None where that is not known, or it is no branch of it."""
    if node.op != "If" or not node.standard or not node.input(0):
        return None
    try:
        value = graph.value(node.input(0), 1)
    except ModelError:  # in a file that is not there
        return None
    if value is None or value.size != 1 or value.dtype != bool:
        return None
    wanted = "then_branch" if value.reshape(-1)[0] else "else_branch"
    for attribute in node.proto.attribute:
        if attribute.name == wanted and attribute.type == AttributeProto.GRAPH:
            body = attribute.g
            return body if not body.input and len(body.output) == len(node.outputs) else None
    return None


class _Names:
    """Names of tensors that are taken."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._repeats: dict[str, int] = {}

    def hold(self, names: Iterable[str]) -> None:
        """Let no other tensor have these."""
        self._taken.update(names)

    def free(self, name: str) -> str:
        """A name, with a suffix where another tensor has it."""
        made = name
        while made in self._taken:
            self._repeats[name] = self._repeats.get(name, 1) + 1
            made = f"{name}#{self._repeats[name]}"
        self._taken.add(made)
        return made


def _write_out(graph: GraphProto, node: Node, body: GraphProto, free: _Names) -> None:
    """The nodes of a body, behind those that are there; its tensors get names of their own."""
    computed = {name for inner in body.node for name in inner.output if name}
    within = {name for inner in body.node for name in _written_within(inner)}
    names: dict[str, str] = {}
    for given, wanted in zip(body.output, node.outputs, strict=True):
        if wanted and given.name in computed and wanted not in within:
            names.setdefault(given.name, wanted)
    for name in sorted(_defined(body) | computed):
        if name not in names:
            names[name] = free.free(name)
    for tensor in body.initializer:
        graph.initializer.add().CopyFrom(tensor)
        graph.initializer[-1].name = names[tensor.name]
    for sparse in body.sparse_initializer:
        graph.sparse_initializer.add().CopyFrom(sparse)
        graph.sparse_initializer[-1].values.name = names[sparse.values.name]
    for value in body.value_info:
        if names.get(value.name, "") not in node.outputs:  # what is said of those is said outside
            graph.value_info.add().CopyFrom(value)
            graph.value_info[-1].name = names.get(value.name, value.name)
    for inner in body.node:
        graph.node.add().CopyFrom(inner)
        _rename(graph.node[-1], names)
    for i, (given, wanted) in enumerate(zip(body.output, node.outputs, strict=True)):
        source = names.get(given.name, given.name)
        if wanted and source != wanted:  # a constant, one from outside, one named twice or hidden within
            graph.node.add(op_type="Identity", name=f"{node.name}_{i}", input=[source], output=[wanted])


def _defined(graph: GraphProto) -> set[str]:
    """Names of inputs, outputs and stored tensors."""
    stored = {tensor.name for tensor in graph.initializer}
    stored |= {sparse.values.name for sparse in graph.sparse_initializer}
    return stored | {value.name for value in graph.input}


def _written_within(node: NodeProto) -> Iterator[str]:
    """Tensors that the bodies of a node define, and those within them."""
    pending = list(_bodies(node))
    while pending:
        body = pending.pop()
        yield from _defined(body)
        for inner in body.node:
            yield from inner.output
            pending += _bodies(inner)


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    """Let a node read and write tensors under their new names, its own bodies included."""
    pending: list[tuple[NodeProto, Mapping[str, str]]] = [(node, names)]
    while pending:
        current, known = pending.pop()
        current.input[:] = [known.get(name, name) for name in current.input]
        current.output[:] = [known.get(name, name) for name in current.output]
        for body in _bodies(current):
            own = _defined(body) | {name for inner in body.node for name in inner.output}
            inside = {name: new for name, new in known.items() if name not in own}
            for value in body.output:
                value.name = inside.get(value.name, value.name)
            pending += [(inner, inside) for inner in body.node]


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs
