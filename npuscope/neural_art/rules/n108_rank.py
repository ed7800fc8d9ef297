"""N108: more dimensions than the compiler's four."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, on_cpu
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    limit = context.target.limits.rank
    worst = max(
        (len(o.type.shape) for o in (*layer.inputs, *layer.outputs) if o.type.shape is not None), default=0
    )
    if worst > limit:
        yield Finding(
            "N108",
            Severity.ERROR,
            f"{layer.kind} has a tensor of {worst} dimensions; the compiler works with {limit}",
            "Inside the compiler every tensor is batch, height, width, channels; rank 5 has crashed it.",
            f"reshape the data to at most {limit} dimensions",
            on_cpu(layer, context),
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
    check=check,
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
