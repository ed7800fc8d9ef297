"""N108: more dimensions than the compiler's four."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    return Finding(
        "N108",
        Severity.ERROR,
        f"{layer.kind} has a tensor of {cause['rank']} dimensions; the compiler works with {cause['limit']}",
        "Inside the compiler every tensor is batch, height, width, channels; rank 5 has crashed it.",
        f"reshape the data to at most {cause['limit']} dimensions",
        cause.placement,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N108",
    title="More than four dimensions",
    what="Looks for an input or output of rank 5 or more.",
    why="The compiler's internal form has four dimensions. Tensors of rank 5 were seen to end in a crash (signal 11) "
    "or in software.",
    fix="Reshape to four dimensions; a shuffle over five can be written as two transposes over four.",
    source="FACTS 4 (LarocheC/stm32n6-deployment-zoo), LESSONS D2",
    confidence=Confidence.THIRD_PARTY,
    causes=frozenset({Why.MANY_DIMENSIONS}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4,4] x) => (int8[1,2,4,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
