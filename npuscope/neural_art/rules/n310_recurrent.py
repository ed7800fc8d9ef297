"""N310: a recurrent layer as one operator."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import tidy
from npuscope.neural_art.mapping.operators import RECURRENT
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    shape = layer.input.dims if layer.input is not None else None
    steps = f" of {shape[0]} steps" if shape and len(shape) == 3 else ""
    yield Finding(
        "N310",
        Severity.ERROR,
        f"{tidy(layer)}{steps} has no NPU unit and no quantized form",
        "The tool's table has no recurrent operator; the front end may import it as float software or refuse it.",
        "unroll it into Gemm, Sigmoid, Tanh, Mul and Add, the state being an input and an output",
        Placement.SW_FLOAT,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N310",
    title="Recurrent operator",
    what="Looks for LSTM, GRU and RNN.",
    why="Each step depends on the one before it, and the operator has no quantized form in ONNX. One step written as "
    "Gemm and elementwise layers, called once per frame, runs on the NPU.",
    fix="Unroll one step per call and keep the state outside.",
    source="FACTS 4 (not in ST's table); the forum case is such an unrolled cell",
    confidence=Confidence.UNKNOWN,
    check=check,
    kinds=RECURRENT,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[5,1,8] x, float[1,16,8] w, float[1,16,4] r) => (float[5,1,1,4] y)
{ y = LSTM <hidden_size = 4> (x, w, r) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Tanh(f)
  y = QuantizeLinear(r, s, z) }""",
)
