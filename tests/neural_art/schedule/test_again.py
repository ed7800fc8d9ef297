"""What a session keeps from one analysis to the next changes nothing in the figures."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
import pytest
from builders.models import SAMPLES, from_text
from onnx import TensorProto, helper

from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.kinds.split_output import SplitOutput
from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse

FOUND = [path.stem for path in sorted(SAMPLES.glob("*.onnx"))]


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("version", ["2.1", "4.0"])
def test_a_changed_layer_costs_the_same_as_in_a_model_read_anew(name: str, version: str) -> None:
    session = Session.open(load(SAMPLES / f"{name}.onnx"), target(version))
    before = analyse(session)
    for report in before.layers:
        dims = report.layer.output.dims if report.layer.output is not None else None
        if report.layer.weight is None or dims is None or len(dims) < 2:
            continue
        channels = dims[1] if report.layer.kind == "Conv" else dims[-1]
        after = session.edit(SplitOutput(report.name, (channels // 2, channels - channels // 2)))
        if not isinstance(after, Session):
            continue
        again, anew = analyse(after, before), analyse(after)
        assert again.epochs == anew.epochs
        assert again.memory == anew.memory
        assert again.summary == anew.summary
        assert {r.name: r.cost for r in again.layers} == {r.name: r.cost for r in anew.layers}
        return


def test_what_is_said_of_a_far_layer_follows_the_whole_model(tmp_path: Path) -> None:
    """Whether to quantize the model, or this layer as the rest of it, is another question after the first int8 layer."""
    chain = " ".join(f"t{i + 1} = Tanh(t{i})" for i in range(12))
    text = f"""<ir_version: 8, opset_import: ["" : 13]>
    g (float[1,4,6,6] x) => (float[1,4,6,6] y) <float[4,4,1,1] w = {{{", ".join("7" * 16)}}},
      float s = {{0.1}}, int8 z = {{0}}> {{
      t0 = Conv(x, w) {chain} v = Softplus(t12)
      q = QuantizeLinear(v, s, z) y = DequantizeLinear(q, s, z) }}"""
    session = Session.open(from_text(text, tmp_path), target())
    before = analyse(session)
    first, far = before.layers[0].name, before.layers[8].name
    edited = session.edit(QuantizeLayer(first, (("x", 0.1, 0), ("t0", 0.1, 0))))
    assert isinstance(edited, Session)
    again, anew = analyse(edited, before), analyse(edited)
    assert [r.findings for r in again.layers] == [r.findings for r in anew.layers]
    assert before.by_name[far].findings != again.by_name[far].findings
    assert [r.findings for r in analyse(session, again).layers] == [r.findings for r in before.layers]


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("version", ["2.0", "2.2", "3.0", "4.0"])
def test_figures_are_sound(name: str, version: str) -> None:
    """Finite, not negative, and each epoch at least as long as what computes in it."""
    snapshot = analyse(Session.open(load(SAMPLES / f"{name}.onnx"), target(version)))
    for epoch in snapshot.epochs:
        figures = (epoch.compute_cycles, epoch.cycles, epoch.milliseconds, epoch.millijoules)
        assert all(math.isfinite(figure) and figure >= 0 for figure in figures), epoch
        assert epoch.cycles >= epoch.compute_cycles
        assert epoch.milliseconds >= epoch.start_milliseconds
    assert snapshot.summary.cycles == sum(epoch.cycles for epoch in snapshot.epochs)
    assert snapshot.memory.activations_bytes >= snapshot.memory.peak_activations


@pytest.mark.parametrize(
    ("shapes", "attributes"),
    [
        (([8, 5, 16], [8, 16, 7]), {}),
        (([8, 16, 5], [8, 16, 7]), {"transA": 1}),
        (([5, 8, 16], [8, 16, 7]), {"transBatchA": 1}),
        (([16, 8, 5], [8, 16, 7]), {"transA": 1, "transBatchA": 1}),
    ],
)
def test_products_of_a_turned_batch(
    shapes: tuple[list[int], list[int]], attributes: dict[str, int], tmp_path: Path
) -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip("aby", (*shapes, [8, 5, 7]), strict=True)
    ]
    node = helper.make_node("FusedMatMul", ["a", "b"], ["y"], "F", domain="com.microsoft", **attributes)
    graph = helper.make_graph([node], "g", values[:2], values[2:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "m.onnx")
    snapshot = analyse(Session.open(load(tmp_path / "m.onnx"), target("2.1")))
    assert snapshot.summary.macs == 8 * 5 * 7 * 16
