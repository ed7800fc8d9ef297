"""What an edit changes far away is found out by the layers whose verdict depends on it."""

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
from npuscope.session import Session, State
from npuscope.snapshot import Snapshot, analyse

FAR_AWAY = 9
BESIDE = "f2 = DequantizeLinear(x2, s, z) w2 = DequantizeLinear(wq, s, z) r2 = Conv(f2, w2) y2 = QuantizeLinear(r2, s, z)"
"""It keeps the model quantized whatever becomes of the rest."""


def chain(first: str, lines: str) -> tuple[str, str]:
    """The same lines one behind the other, IN and OUT in the place of what each reads and writes; the last name."""
    made, name = [], first
    for i in range(FAR_AWAY):
        made.append(lines.replace("IN", name).replace("OUT", f"{first}_{i}").replace("@", f"_{first}{i}"))
        name = f"{first}_{i}"
    return " ".join(made), name


POOLS, POOLED = chain("x", "OUT = MaxPool <kernel_shape = [1, 1]> (IN)")
ACTS, ACTIVE = chain("q", "d@ = DequantizeLinear(IN, s, z) r@ = Sigmoid(d@) OUT = QuantizeLinear(r@, s, z)")
COUNTS, COUNTED = chain("n", "OUT = Add(IN, one)")
FLOATS, SCALED = chain("fx", "OUT = Add(IN, half)")

CASES = {
    "integers whose scale is stated behind them": (
        "x, int8[1,4,4,4] x2) => (float[1,4,4,4] y, int8[1,4,4,4] y2",
        f"{POOLS} f = DequantizeLinear({POOLED}, s, z) y = Sigmoid(f)",
        ("f", "Cast", (POOLED,), {"to": 1}),
    ),
    "rows joined of what a convolution wrote": (
        "x, int8[1,4,4,4] x2) => (int8[1,4,8,4] y, int8[1,4,4,4] y2",
        "f = DequantizeLinear(x, s, z) w = DequantizeLinear(wq, s, z) c = Conv(f, w) q = QuantizeLinear(c, s, z) "
        + f"{ACTS} j0 = DequantizeLinear({ACTIVE}, s, z) j = Concat <axis = 2> (j0, j0) y = QuantizeLinear(j, s, z)",
        ("c", "MaxPool", ("f",), {"kernel_shape": [1, 1]}),
    ),
    "numbers counted from a shape": (
        "x, int8[1,4,4,4] x2, int64[4] m) => (int64[4] y, int8[1,4,4,4] y2",
        f"n = Identity(m) {COUNTS} y = Add({COUNTED}, one)",
        ("n", "Shape", ("x",), {}),
    ),
    "an input that is normalised": (
        "x, int8[1,4,4,4] x2, float[1,4,4,4] fx0) => (int8[1,4,4,4] y, int8[1,4,4,4] y2",
        f"fx = Mul(fx0, half) {FLOATS} y = QuantizeLinear({SCALED}, s, z)",
        ("fx", "Sin", ("fx0",), {}),
    ),
}


def judged(snapshot: Snapshot) -> list[object]:
    return [(report.name, report.placement, report.causes, report.findings) for report in snapshot.layers]


@pytest.mark.parametrize("name", CASES)
def test_what_changes_far_away_is_judged_as_from_the_start(name: str) -> None:
    ends, lines, (result, op, reads, attributes) = CASES[name]
    text = (
        f'<ir_version: 8, opset_import: ["" : 13]> g (int8[1,4,4,4] {ends}) '
        "<float s = {0.1}, int8 z = {0}, int8[4,4,1,1] wq = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}, "
        "int64[1] one = {1}, float half = {0.5}> "
        f"{{ {lines} {BESIDE} }}"
    )
    session = Session.open(source_of(Path("m.onnx"), onnx.parser.parse_model(text)), target())
    before = analyse(session)
    old = session.graph.producer(result)
    assert old is not None
    proto = helper.make_node(op, reads, [result], name=old.name, **attributes)
    edit = Patch(frozenset(), (), replace={old.name: Node(old.name, op, "", reads, (result,), proto)})
    state = State(patched(session.graph, edit), session.states[-1])
    later = replace(session, states=(*session.states, state))
    after, anew = analyse(later, before), analyse(later)
    assert judged(after) == judged(anew)
    was = {report.name: report for report in before.layers}
    far = [report for report in after.layers if report.name != old.name and report.name in was]
    assert any(
        (report.placement, report.findings) != (was[report.name].placement, was[report.name].findings)
        for report in (far[:1] if result == "f" else far[FAR_AWAY - 1 :])
    )
