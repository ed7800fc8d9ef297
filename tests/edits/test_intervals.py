"""Ranges of sums of products: no value leaves them, and a layer without a Q behind it can be quantized with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.models import from_text

from npuscope.edits.kinds.quantize_layer import QuantizeLayer
from npuscope.edits.toolkit.intervals import output_range
from npuscope.machine.machine import target
from npuscope.model.layers import fold
from npuscope.npu.verdict import Placement
from npuscope.numbers.inputs import random_samples
from npuscope.numbers.runner import Runner
from npuscope.session import Session
from npuscope.snapshot import analyse

WEIGHTS = "{-3, 5, 7, -1, 4, 0, 9, -8, 2, 2, -6, 1}"
HEAD = """<ir_version: 8, opset_import: ["" : 13]>
g (int8[2,3,4] x, int8[2,3] v) => (float[a,b,c] y) <float s = {0.1}, int8 z = {-20}, int8 z0 = {0},
float[4] s4 = {0.1, 0.2, 0.3, 0.4}, int8[4] z4 = {0, 0, 0, 0}, float[4] bias = {1, -2, 3, 4}> {
xf = DequantizeLinear(x, s, z) vf = DequantizeLinear(v, s, z) """
CASES = {
    "Conv": f"w = Constant <value = int8[4,3,1] {WEIGHTS}> () wf = DequantizeLinear <axis = 0> (w, s4, z4) "
    "y = Conv <pads = [1, 1]> (xf, wf, bias) }",
    "Gemm": f"w = Constant <value = int8[4,3] {WEIGHTS}> () wf = DequantizeLinear <axis = 0> (w, s4, z4) "
    "y = Gemm <transB = 1, alpha = -0.5, beta = 2.0> (vf, wf, bias) }",
    "MatMul": f"w = Constant <value = int8[3,4] {WEIGHTS}> () wf = DequantizeLinear <axis = 1> (w, s4, z4) "
    "y = MatMul (vf, wf) }",
    "constant first": f"w = Constant <value = int8[4,3] {WEIGHTS}> () wf = DequantizeLinear (w, s, z0) "
    "y = MatMul (wf, xf) }",
}


@pytest.mark.parametrize("name", CASES)
def test_no_sum_of_products_leaves_its_range(name: str, tmp_path: Path) -> None:
    source = from_text(HEAD + CASES[name], tmp_path)
    layers = fold(source.graph)
    (layer,) = [one for one in layers.layers if one.weight is not None]
    ends = output_range(layer, layers)
    assert ends is not None
    runner = Runner(source, source.graph)
    values = np.concatenate([runner.run(sample)[0].reshape(-1) for sample in random_samples(source, 200)])
    low, high = float(values.min()), float(values.max())
    assert ends[0] - 1e-3 <= low and high <= ends[1] + 1e-3
    assert ends[1] - ends[0] < 3 * (high - low)


BEHIND_A_DQ = """<ir_version: 8, opset_import: ["" : %d]> g (int8[2,3] x) => (float[a,b] y)
<float s = {0.1}, int8 z = {0}, float low = {-1}, float two = {2}, float three = {3}> { f = DequantizeLinear(x, s, z) %s }"""
ENDS: dict[str, tuple[int, str, tuple[float, float] | None]] = {
    "bounds among the attributes": (10, "y = Clip <min = -1.0, max = 2.0> (f)", (-1, 2)),
    "a bound below": (13, "y = Clip(f, low)", (-1, 12.7)),
    "a bound above": (13, "y = Clip(f, , two)", (-12.8, 2)),
    "a bound that is computed": (13, "k = ReduceMax <keepdims = 0> (f) y = Clip(f, k)", None),
    "parts side by side": (13, "r = Relu(f) y = Concat <axis = 0> (r, f)", (-12.8, 12.7)),
    "a quotient": (13, "y = Div(f, two)", (-6.4, 6.35)),
    "a quotient by what may be 0": (13, "y = Div(two, f)", None),
    "three summands": (13, "y = Sum(f, f, f)", (-38.4, 38.1)),
    "a square": (13, "y = Pow(f, two)", (0, 163.84)),
    "a cube": (13, "y = Pow(f, three)", None),
    "the smaller of two": (13, "y = Min(f, two)", (-12.8, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_range_follows_from_the_range_before(name: str, tmp_path: Path) -> None:
    opset, nodes, ends = ENDS[name]
    graph = from_text(BEHIND_A_DQ % (opset, nodes), tmp_path).graph
    layers, maker = fold(graph), graph.producer("y")
    assert maker is not None
    assert output_range(layers.of_node[maker.name], layers) == (ends and pytest.approx(ends))


def test_a_convolution_without_a_q_behind_it_is_offered_one(tmp_path: Path) -> None:
    text = HEAD + CASES["Conv"].replace("y = Conv", "c = Conv").replace(" }", " y = Relu (c) }")
    session = Session.open(from_text(text, tmp_path), target("4.0"))
    assert analyse(session).by_name["Conv_4"].placement is Placement.SW_FLOAT
    edited = session.edit(QuantizeLayer("Conv_4"))
    assert isinstance(edited, Session), edited
    assert analyse(edited).by_name["Conv_4"].placement is Placement.HW
