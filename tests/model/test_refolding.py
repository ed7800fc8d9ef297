"""Folding and judging after an edit give what a fresh start gives, and keep what the edit did not touch."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders.models import SAMPLES
from builders.networks.audio_nets import opinions
from onnx import NodeProto, helper

from npuscope.edits.edit import Patch, patched
from npuscope.machine.machine import target
from npuscope.model.after_edits.difference import changed_constants, changed_names, changed_types
from npuscope.model.graph import Graph, Node
from npuscope.model.inspection.parameters import parameters
from npuscope.model.layers import Layer, Layers, Operand, fold
from npuscope.model.load import load
from npuscope.model.tensors import Constant
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot, analyse

MODELS = sorted(path.name for path in SAMPLES.glob("*.onnx"))


def operand(folded: Operand | None) -> object:
    if folded is None:
        return None
    quant = folded.quant
    kept = None if quant is None else (quant.scale.tolist(), quant.zero_point.tolist(), quant.dtype)
    return folded.tensor, folded.seen, folded.type, kept, folded.constant is None


def stated(layer: Layer) -> object:
    """All that a layer says, to compare by value."""
    return (
        layer.name, layer.op, layer.kind, layer.nodes, layer.scope, layer.fused, layer.float_reads,
        tuple(map(operand, layer.inputs)), tuple(map(operand, layer.outputs)), operand(layer.weight),
        operand(layer.bias), tuple(map(operand, layer.parameters)),
    )  # fmt: skip


def same(one: Layers, other: Layers) -> bool:
    return one.unattached == other.unattached and list(map(stated, one.layers)) == list(
        map(stated, other.layers)
    )


def renamed(node: Node, old: str, new: str) -> Node:
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    inputs = tuple(new if name == old else name for name in node.inputs)
    del proto.input[:]
    proto.input.extend(inputs)
    return replace(node, inputs=inputs, proto=proto)


def random_patch(graph: Graph, rng: random.Random, count: int) -> Patch:
    """A node copied, taken out, or an Identity put behind it; or a constant renewed."""
    node = rng.choice(graph.nodes)
    kind = rng.randrange(4)
    if kind == 0 and graph.constants:
        name = rng.choice(sorted(graph.constants))
        return Patch(
            frozenset(), (), constants=(replace(graph.constants[name]),), replace={node.name: replace(node)}
        )
    if kind == 1:
        return Patch(frozenset(), (), replace={node.name: replace(node)})
    if not node.inputs or not node.outputs or node.outputs[0] in graph.output_set:
        return Patch(frozenset(), (), replace={node.name: replace(node)})
    source, result = node.inputs[0], node.outputs[0]
    readers = {i: graph.nodes[i] for i in graph.consumers.get(result, ())}
    if kind == 2 and source in graph.types and readers:
        rewired = {n.name: renamed(n, result, source) for n in readers.values()}
        return Patch(frozenset({node.name}), (), replace=rewired)
    name = f"added{count}"
    proto = helper.make_node("Identity", [result], [name], name=name)
    added = Node(name, "Identity", "", (result,), (name,), proto)
    rewired = {n.name: renamed(n, result, name) for n in readers.values()}
    return Patch(
        frozenset(), (), types={name: graph.type(result)}, replace={**rewired, node.name: (node, added)}
    )


def edited(session: Session, patch: Patch) -> Session:
    state = State(patched(session.graph, patch), session.states[-1])
    return replace(session, states=(*session.states, state))


@pytest.mark.parametrize("name", MODELS)
def test_random_edits_fold_as_from_the_start(name: str) -> None:
    folds_as_from_the_start(SAMPLES / name, name)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_relu_passes_on_to_a_pooling_is_folded_anew_with_what_stands_behind(
    seed: int, tmp_path: Path
) -> None:
    """It has its input's quantization where the pooling behind it has one, and nothing else reads either."""
    path = tmp_path / "model.onnx"
    path.write_bytes(opinions())
    folds_as_from_the_start(path, str(seed))


def folds_as_from_the_start(path: Path, seed: str) -> None:
    rng = random.Random(seed)
    session = Session.open(load(path), target("3.0"))
    assert session.layers.layers
    for count in range(60):
        before = session.graph
        session = edited(session, random_patch(before, rng, count))
        assert same(session.layers, fold(session.graph)), count
        now = session.graph
        assert changed_constants(now, before) == changed_names(now.constants, before.constants)
        assert changed_types(now, before) == changed_names(now.types, before.types)


def verdicts(snapshot: Snapshot) -> object:
    return [(r.name, r.placement, r.findings, r.cost, r.epoch) for r in snapshot.layers], snapshot.epochs


@pytest.mark.parametrize("name", MODELS)
def test_random_edits_are_judged_as_from_the_start(name: str) -> None:
    rng = random.Random(name)
    session = Session.open(load(SAMPLES / name), target("2.2"))
    snapshot = analyse(session)
    for count in range(12):
        session = edited(session, random_patch(session.graph, rng, count))
        snapshot = analyse(session, snapshot)
        assert verdicts(snapshot) == verdicts(analyse(session)), count


def chain(length: int, path: Path) -> Path:
    import onnx

    lines = ["q0 = QuantizeLinear(x, s, z)"]
    for i in range(length):
        lines.append(f"f{i} = DequantizeLinear(q{i}, s, z)")
        lines.append(f"r{i} = Sigmoid(f{i})")
        lines.append(f"q{i + 1} = QuantizeLinear(r{i}, s, z)")
    text = (
        '<ir_version: 8, opset_import: ["" : 13]>\n'
        f"g (float[1,4,4,4] x) => (int8[1,4,4,4] q{length}) <float s = {{0.1}}, int8 z = {{0}}>\n{{ "
        + "\n".join(lines)
        + " }"
    )
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def ones_own(graph: Graph) -> Graph:
    """The same graph, of which nothing is known yet."""
    return replace(graph)


def tables(graph: Graph, layers: Layers) -> object:
    """All that is taken over from the state before."""
    return (
        dict(graph.producers),
        dict(graph.consumers),
        dict(graph.node_index),
        [len(one) for one in (graph.producers, graph.consumers, graph.node_index)],
        graph.live,
        {name: layer.name for name, layer in layers.by_name.items()},
        {name: layer.name for name, layer in layers.of_node.items()},
        {name: layer.name for name, layer in layers.writers.items()},
        {name: [layer.name for layer in read] for name, read in layers.readers.items()},
    )


@pytest.mark.parametrize("name", MODELS)
def test_random_edits_index_as_from_the_start(name: str) -> None:
    rng = random.Random(name)
    session = Session.open(load(SAMPLES / name), target("2.2"))
    parameters(session.graph)
    taken_over = 0
    for count in range(60):
        before = session.graph
        tables(before, session.layers)  # what is known by then is taken over
        session = edited(session, random_patch(before, rng, count))
        graph = session.graph
        taken_over += "single_writers" in vars(graph)
        assert tables(graph, session.layers) == tables(ones_own(graph), fold(ones_own(graph))), count
        assert parameters(graph, before) == parameters(ones_own(graph)), count
    assert taken_over > 40


def test_a_node_that_only_a_known_size_reads_is_dead_after_an_edit() -> None:
    """x -> Relu a -> Identity b -> out, and a Shape of a whose sizes are fixed: taken away, b leaves a without a use."""
    made = [
        Node(n, op, "", (i,), (o,), helper.make_node(op, [i], [o], name=n))
        for n, op, i, o in (
            ("first", "Relu", "x", "a"),
            ("shape", "Shape", "a", "sizes"),
            ("second", "Identity", "a", "b"),
            ("third", "Relu", "x", "c"),
        )
    ]
    sizes = Constant.of("sizes", np.array([1, 4]))
    graph = Graph(tuple(made), {}, {}, ("x",), ("b", "c", "sizes"), {"": 13}, derived={"sizes": sizes})
    assert graph.live == frozenset(range(4)) and graph.consumers and graph.node_index
    read = renamed(made[2], "a", "c")
    after = patched(graph, Patch(frozenset(), (), replace={"second": read}))
    assert after.live == ones_own(after).live == frozenset({1, 2, 3})


def test_untouched_layers_and_reports_are_the_same_objects(tmp_path: Path) -> None:
    session = Session.open(load(chain(40, tmp_path / "m.onnx")), target("2.2"))
    before = analyse(session)
    layer = session.layers.layers[20]
    later = edited(session, Patch(frozenset(), (), replace={layer.core.name: replace(layer.core)}))
    kept = [new is old for new, old in zip(later.layers.layers, session.layers.layers, strict=True)]
    assert kept.count(False) == 1 and not kept[20]
    after = analyse(later, before)
    shared = [new is old for new, old in zip(after.layers, before.layers, strict=True)]
    assert shared.count(True) >= 28 and not shared[20]


def test_another_target_judges_all_anew(tmp_path: Path) -> None:
    session = Session.open(load(chain(3, tmp_path / "m.onnx")), target("2.2"))
    before = analyse(session)
    after = analyse(session.with_target(target("4.0")), before)
    assert not any(new is old for new, old in zip(after.layers, before.layers, strict=True))
