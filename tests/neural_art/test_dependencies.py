"""After an edit a layer is judged again where it looked at something that changed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import helper

from npuscope.edits.edit import Patch, patched
from npuscope.machine.machine import target
from npuscope.model.graph import Node
from npuscope.model.load import source_of
from npuscope.neural_art.dependencies import Dependencies, changed
from npuscope.neural_art.vicinity import outdated
from npuscope.session import Session, State
from npuscope.snapshot import analyse

TEXT = """<ir_version: 8, opset_import: ["" : 13]> g (int8[1,4,4,4] x1, int8[1,4,4,4] x2) =>
(int8[1,4,8,4] y1, int8[1,4,8,4] y2) <float s = {0.1}, int8 z = {0}> {
    a1 = DequantizeLinear(x1, s, z) b1 = Sigmoid(a1) c1 = QuantizeLinear(b1, s, z)
    d1 = DequantizeLinear(c1, s, z) e1 = Concat <axis = 2> (d1, d1) y1 = QuantizeLinear(e1, s, z)
    a2 = DequantizeLinear(x2, s, z) b2 = Sigmoid(a2) c2 = QuantizeLinear(b2, s, z)
    d2 = DequantizeLinear(c2, s, z) e2 = Concat <axis = 2> (d2, d2) y2 = QuantizeLinear(e2, s, z)
}"""
"""Two branches that share their scale and nothing else."""


def opened() -> Session:
    session = Session.open(source_of(Path("m.onnx"), onnx.parser.parse_model(TEXT)), target())
    assert session.layers.layers  # folded now, so that an edit keeps what it does not touch
    return session


def dependencies(session: Session) -> Dependencies:
    return Dependencies(session.graph, session.layers, session.target)


def edited(session: Session, result: str, op: str) -> Session:
    old = session.graph.producer(result)
    assert old is not None
    proto = helper.make_node(op, old.inputs, [result], name=old.name)
    edit = Patch(frozenset(), (), replace={old.name: Node(old.name, op, "", old.inputs, (result,), proto)})
    state = State(patched(session.graph, edit), session.states[-1])
    return replace(session, states=(*session.states, state))


@pytest.mark.parametrize(("result", "branch", "other"), [("b1", "1", "2"), ("b2", "2", "1")])
def test_what_did_not_look_there_still_holds(result: str, branch: str, other: str) -> None:
    session = opened()
    later = edited(session, result, "Tanh")
    names = outdated(dependencies(later), dependencies(session), worded=True)
    by_end = {
        layer.outputs[0].seen[1]: layer.name for layer in session.layers.layers if layer.kind == "Concat"
    }
    assert names is not None
    assert by_end[branch] in names
    assert by_end[other] not in names
    before = analyse(session)
    after = analyse(later, before)
    assert after.by_name[by_end[other]].findings is before.by_name[by_end[other]].findings


def test_a_layer_looks_past_its_own_tensors() -> None:
    session = opened()
    concat = next(layer for layer in session.layers.layers if layer.kind == "Concat")
    looks = dependencies(session).of(concat)
    assert looks is not None
    assert {"c1", "x1"} <= looks.links
    assert not looks.links & {"c2", "x2"}


def test_a_scale_that_all_share_did_not_change() -> None:
    session = opened()
    differs = changed(dependencies(edited(session, "b1", "Tanh")), dependencies(session))
    assert differs is not None
    assert "c1" in differs.links
    assert "c2" not in differs.links
    assert not differs.values


def test_nothing_is_narrowed_where_nodes_changed_places() -> None:
    session = opened()
    nodes = session.graph.nodes
    turned = (nodes[6], *nodes[1:6], nodes[0], *nodes[7:])
    other = replace(session, states=(State(replace(session.graph, nodes=turned), session.states[-1]),))
    assert changed(dependencies(other), dependencies(session)) is None


def test_what_holds_is_taken_over() -> None:
    session = opened()
    before = analyse(session)
    after = analyse(edited(session, "b1", "Tanh"), before)
    assert before.dependencies is not None
    assert after.dependencies is not None
    kept = {layer.outputs[0].seen for layer in after.dependencies.known}
    assert "e2" in kept
    assert "b1" not in kept
    anew = dependencies(edited(session, "b1", "Tanh"))
    by_name = anew.layers.by_name
    assert all(anew.of(by_name[layer.name]) == looks for layer, looks in after.dependencies.known.items())
