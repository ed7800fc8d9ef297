"""N303: Softmax."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.LOG_SOFTMAX:
        return Finding(
            "N303",
            Severity.ERROR,
            "LogSoftmax has no NPU unit",
            "ST's operator table does not list it: the compiler may run it in float on the Cortex-M55, or refuse it.",
            "leave it to the application: the largest value is the same without it",
            cause.placement,
            Confidence.UNKNOWN,
        )
    expandable = context.target.toolchain.expand_softmax
    return Finding(
        "N303",
        Severity.ERROR,
        f"{layer.kind} has no NPU unit",
        "It runs on the Cortex-M55, in int8 where it is quantized on both sides, else in float.",
        "compile with --expand-softmax (from 4.0), or leave it to the application"
        if expandable
        else "leave it to the application, or use 4.0 with --expand-softmax",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N303",
    title="Softmax has no NPU unit",
    what="Looks for Softmax and LogSoftmax.",
    why="No accelerator computes a normalised exponential. The compiler option --expand-softmax (4.0) lowers it to "
    "elementwise layers; without it Softmax is software in every version.",
    fix="Compile with --expand-softmax, drop a final Softmax (the largest logit stays the largest), or accept it.",
    source="FACTS 4 (ST documentation), LESSONS C4 (all networks seen)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.SOFTMAX, Why.LOG_SOFTMAX}),
    word=word,
    kinds=frozenset({"Softmax", "LogSoftmax"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,10] x) => (int8[1,10] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Softmax(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,10] x) => (int8[1,10] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
