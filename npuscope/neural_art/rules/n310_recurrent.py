"""N310: a recurrent layer as one operator."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.operators import RECURRENT
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    shape = layer.input_dims
    steps = f" of {shape[0]} steps" if shape and len(shape) == 3 else ""
    return Finding(
        "N310",
        Severity.ERROR,
        f"{printable_kind(layer)}{steps} has no NPU unit and no quantized form",
        "The tool's table has no recurrent operator; the front end may import it as float software or refuse it.",
        "unroll it into Gemm, Sigmoid, Tanh, Mul and Add, with the state as an input and an output",
        cause.placement,
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
    causes=frozenset({Why.RECURRENT}),
    word=word,
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
