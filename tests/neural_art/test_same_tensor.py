"""An Identity, and a Dropout outside training, change nothing: ST's front end leaves them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from builders.models import analysed
from builders.network_text import network
from builders.networks.audio_nets import keywords, wake_words
from builders.networks.small_cnns import handwriting
from onnx import helper

from npuscope.edits.kinds.split_input import SplitInput
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

NECK = """
    x: 1x16x16x16
    a = Conv(x, w32x16x1x1)
    s = Sigmoid(a) @0.00390625 ^-128
    g = Mul(a, s)
    b, c = Split(g) axis=1 num_outputs=2
    d = Conv(b, w16x16x3x3) pads=[1,1,1,1] ^-128
    r = Relu(d) ^-128
    p = Pad(r, [0 0 0 0 0 8 0 0])
    e = MaxPool(p) kernel_shape=[5,5] pads=[2,2,2,2]
    f = Concat(c, e) axis=1
    h = ReduceMean(f, [2 3])
    m = Mul(f, h)
    t = Transpose(m) perm=[0,2,3,1]
    u = Reshape(t, [1 10240])
    y = Gemm(u, w8x10240) transB=1
"""
FLOATS = "x: 1x8x8x8\na = Conv(x, w8x8x1x1)\nb = Exp(a) float\nc = Mul(b, a)\ny = Sub(1.0, c)\nz = Mul(y, a)"


def named_anew(proto: onnx.ModelProto, behind: str, op: str) -> onnx.ModelProto:
    """Every result of that operator that is computed goes by another name first."""
    other, names = onnx.ModelProto(), dict[str, str]()
    other.CopyFrom(proto)
    fixed = {tensor.name for tensor in proto.graph.initializer} | {value.name for value in proto.graph.output}
    for node in proto.graph.node:
        if not any(node.input) or all(name in fixed for name in node.input if name):
            fixed.update(node.output)
    del other.graph.node[:]
    for node in proto.graph.node:
        made = other.graph.node.add()
        made.CopyFrom(node)
        made.input[:] = [names.get(name, name) for name in node.input]
        result = node.output[0]
        if node.op_type == behind and result not in fixed:
            names[result] = f"{result}_anew"
            other.graph.node.append(helper.make_node(op, [result], [names[result]], name=f"{result}_{op}"))
    assert names
    return other


def runs(snapshot: Snapshot) -> object:
    anew = {report.name for report in snapshot.layers if report.layer.kind in ("Identity", "Dropout")}
    assert all(report.epoch is None for report in snapshot.layers if report.name in anew)
    layers = {report.name: report.placement for report in snapshot.layers if report.name not in anew}
    return layers, [(e.op, e.placement, e.layers, e.cycles, e.milliseconds) for e in snapshot.epochs]


@pytest.mark.parametrize("toolchain", ["2.2", "4.0"])
@pytest.mark.parametrize(
    "made", [lambda: network(NECK), lambda: network(FLOATS), *(lambda m=m: onnx.load_from_string(m()) for m in (keywords, wake_words, handwriting))]
)  # fmt: skip
def test_nothing_changes(made: Callable[[], onnx.ModelProto], toolchain: str, tmp_path: Path) -> None:
    path, proto = tmp_path / "m.onnx", made()
    seen = []
    for other in (
        proto,
        named_anew(proto, "DequantizeLinear", "Identity"),
        named_anew(proto, "QuantizeLinear", "Identity"),
        named_anew(named_anew(proto, "DequantizeLinear", "Dropout"), "Dropout", "Identity"),
    ):
        onnx.save(other, path)
        seen.append(runs(analysed(load(str(path)), toolchain)))
    assert all(one == seen[0] for one in seen)


def test_after_an_edit_it_is_as_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(named_anew(network(NECK), "DequantizeLinear", "Identity"), path)
    session = Session.open(load(str(path)), target("4.0"))
    first = analyse(session, keep=True)
    edited = session.edit(SplitInput("d", (8, 8)))
    assert isinstance(edited, Session)
    assert runs(analyse(edited, first)) == runs(analyse(edited))
    assert all(report.layer is session.layers.by_name[report.name] for report in first.layers)


@pytest.mark.parametrize("move", ["Identity(c)", "Reshape(c, [1 16 64 1])", "Transpose(c) perm=[0,2,3,1]"])
def test_a_relu_behind_a_mover_is_a_step(move: str, tmp_path: Path) -> None:
    """What only moves values has no range that a Relu could vanish in."""
    onnx.save(
        network(f"x: 1x16x8x8\nc = Conv(x, w16x16x1x1)\nm = {move} float\nr = Relu(m) ^-128\ny = Sigmoid(r)"),
        tmp_path / "m.onnx",
    )
    snapshot = analysed(load(str(tmp_path / "m.onnx")), "4.0")
    relu = snapshot.by_name["r"]
    assert (relu.placement, relu.layer.fused) == (Placement.HW, ())
    assert relu.epoch is not None
