"""A model of an older opset as one of opset 7, and what of it the older opset does not allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache

from onnx import GraphProto, ModelProto, NodeProto, TensorProto
from onnx.helper import make_tensor_value_info

from npuscope.model.graph import ONNX_DOMAINS, Graph, Node, bodies_of, nodes_and_bodies, unique_names
from npuscope.model.names import quoted
from npuscope.model.upgrade.changes import BROADCASTING, CHANGES
from npuscope.model.upgrade.older import attributes_gone, broken_rule
from npuscope.model.upgrade.on_trial import FORMS
from npuscope.model.upgrade.writing import Names, NoFormError, Writing
from npuscope.record import dataclass

TARGET = 7
"""The oldest opset that onnxruntime guarantees and that ST's documentation of its front end names."""

INITIALIZERS_ARE_INPUTS_BELOW = 4
"""IR version up to which each initializer must be a graph input as well."""

LAST_ON_TRIAL = max(last for last, _ in FORMS.values())
"""Opset up to which there are operators that were on trial."""

FIRST_IR_WITH_OPSETS = 3
"""IR versions below it have no opset_import; their models are of opset 1."""


@dataclass(frozen=True, eq=False)
class Upgrade:
    """A model brought to a newer form."""

    proto: ModelProto
    """The model in its newer form; tensors keep their names."""
    older: ModelProto
    version: int
    """The opset of the older form."""
    notes: tuple[str, ...]
    unwritten: Mapping[str, str] = field(default_factory=dict)
    """Tensor -> why the node that writes it has no newer form, in a clause."""

    def faults(self, graph: Graph) -> dict[str, str]:
        """Tensor -> what of the node that writes it its own opset does not allow. `graph` is that of the newer form."""
        faults = dict(self.unwritten)
        nodes = self.older.graph.node
        for name, proto in zip(unique_names(nodes), nodes, strict=True):
            node = Node(name, proto.op_type, proto.domain, tuple(proto.input), tuple(proto.output), proto)
            if not node.standard or _on_trial(proto, self.version):
                continue
            clause = broken_rule(graph, node, self.version)
            if clause:
                faults.update((output, clause) for output in node.outputs[:1] if output not in faults)
        return faults


def stated_opset(proto: ModelProto) -> int | None:
    """The opset of ONNX's own operators; None where the model states none and must."""
    opsets = {entry.domain: entry.version for entry in proto.opset_import}
    version = opsets.get("", opsets.get("ai.onnx"))
    if version is None and not opsets and 1 <= proto.ir_version < FIRST_IR_WITH_OPSETS:
        return 1
    return version


def upgraded(proto: ModelProto, understood: Callable[[ModelProto], Graph]) -> Upgrade | None:
    """The model in its newer form, None where it has that already. `proto` is not changed.

    `understood` finds the types of a model of opset 7; it is asked at most once, where ranks decide.
    """
    version = stated_opset(proto)
    if version is None or version < 1 or version > max(TARGET - 1, LAST_ON_TRIAL):
        return None
    alike = {(node.domain, node.op_type): node for node in nodes_and_bodies(proto.graph)}
    trial = sorted({op for (_, op), node in alike.items() if _on_trial(node, version)})
    if version >= TARGET and not trial:
        return None
    made = ModelProto()
    made.CopyFrom(proto)
    _state_opset(made, max(version, TARGET))
    writer = _Writer(version, Names(_names(made.graph)), cache(lambda: understood(_draft(proto, version))))
    writer.write(made)
    return Upgrade(made, proto, version, tuple(_notes(proto, version, trial, writer)), writer.unwritten)


class _Writer:
    """Writes nodes in their newer form. `draft`: for their ranks alone, before any are known."""

    def __init__(self, version: int, names: Names, known: Callable[[], Graph], draft: bool = False) -> None:
        self._version, self._names, self._known, self._draft = version, names, known, draft
        self.changed: list[str] = []
        self.constants: list[TensorProto] = []
        self.unwritten: dict[str, str] = {}

    def write(self, model: ModelProto) -> None:
        """Write all nodes of a model anew; what constants they need are those of its main graph."""
        self._write(model.graph)
        model.graph.initializer.extend(self.constants)
        if model.ir_version < INITIALIZERS_ARE_INPUTS_BELOW:
            model.graph.input.extend(
                make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                for tensor in self.constants
            )

    def _write(self, graph: GraphProto) -> None:
        nodes: list[NodeProto] = []
        for node in graph.node:
            made = NodeProto()
            made.CopyFrom(node)
            nodes += self._written(made)
        del graph.node[:]
        graph.node.extend(nodes)

    def _written(self, node: NodeProto) -> list[NodeProto]:
        for body in bodies_of(node):
            self._write(body)
        if node.domain not in ONNX_DOMAINS:
            return [node]
        before, writing = node.SerializeToString(), Writing(node, self._names, self._known)
        try:
            if _on_trial(node, self._version):
                FORMS[node.op_type][1](writing)
            elif self._version < TARGET:
                self._bring_up(node, writing)
        except NoFormError as error:
            if self._draft and node.op_type in _OF_ITS_FIRST:
                writing.last("Identity", *node.input[:1])
            self.unwritten.update((name, str(error)) for name in node.output[:1])
        if node.SerializeToString() != before:
            self.changed.append(node.name or next(iter(node.output), node.op_type))
        self.constants += writing.constants
        return [*writing.made, node]

    def _bring_up(self, node: NodeProto, writing: Writing) -> None:
        last, change = CHANGES.get(node.op_type, (0, None))
        if change is not None and self._version <= last:
            change(writing)
        writing.drop(*attributes_gone(node.op_type, self._version, TARGET))


_OF_ITS_FIRST = BROADCASTING | {"PRelu", "Tile"}
"""Operators whose result has the rank of their first operand, whatever the others are."""

_NOTHING = Graph((), {}, {}, (), (), {})


def _draft(proto: ModelProto, version: int) -> ModelProto:
    """The model in a form that has the ranks of the newer one, though not its values."""
    made = ModelProto()
    made.CopyFrom(proto)
    _state_opset(made, max(version, TARGET))
    _Writer(version, Names(_names(made.graph)), lambda: _NOTHING, draft=True).write(made)
    return made


def _on_trial(node: NodeProto, version: int) -> bool:
    return node.domain in ONNX_DOMAINS and version <= FORMS.get(node.op_type, (0, None))[0]


def _state_opset(proto: ModelProto, version: int) -> None:
    own = [entry for entry in proto.opset_import if entry.domain in ONNX_DOMAINS]
    for entry in own or [proto.opset_import.add(domain="")]:
        entry.version = version
    proto.ir_version = max(proto.ir_version, FIRST_IR_WITH_OPSETS)


def _notes(proto: ModelProto, version: int, trial: list[str], writer: _Writer) -> Iterator[str]:
    total = len(proto.graph.node)
    if version < TARGET:
        count = len(writer.changed)
        what = f"{count} of {total} nodes changed" if count else "no node had to change"
        yield (
            f"The file is of opset {version}, brought to opset {TARGET} in memory ({what}); exports are of opset {TARGET}. "
            f"onnxruntime guarantees opsets from {TARGET} on, and ST's documentation names {TARGET} to 20."
        )
    if trial:
        yield (
            f"{', '.join(trial)}: ONNX had such operators on trial up to opset 9; here and in exports they are written out in "
            "operators that stayed."
        )
    training = [node for node in proto.graph.node if version < TARGET and _trains(node)]
    if training:
        name = training[0].name or next(iter(training[0].output), training[0].op_type)
        more = f" and {len(training) - 1} more" if len(training) > 1 else ""
        yield (
            f"{quoted(name)!r}{more} may be in training mode (is_test is 0): judged, run and exported as in inference, as opset "
            f"{TARGET} has it."
        )


def _trains(node: NodeProto) -> bool:
    if node.op_type not in ("BatchNormalization", "Dropout") or node.domain not in ONNX_DOMAINS:
        return False
    return not any(attribute.name == "is_test" and attribute.i for attribute in node.attribute)


def _names(graph: GraphProto) -> Iterator[str]:
    """All names of tensors in a graph and the bodies in it."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield from (tensor.name for tensor in current.initializer)
        yield from (sparse.values.name for sparse in current.sparse_initializer)
        yield from (value.name for value in current.input)
        for node in current.node:
            yield from node.input
            yield from node.output
            pending += bodies_of(node)
