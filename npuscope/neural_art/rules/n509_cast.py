"""N509: a Cast between integers and floats."""

from __future__ import annotations

from npuscope.model.layers import FLOATS, Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    behind = cause["to"] in FLOATS and layer.output is not None and layer.output.quant is not None
    also = ", and the QuantizeLinear behind it runs on the CPU" if behind else ""
    return Finding(
        "N509",
        Severity.WARNING,
        f"Cast from {cause['from']} to {cause['to']} is a routine in which the CPU drives the NPU's DMAs{also}",
        "Integers that are cast have no scale, so the compiler does not take them for quantized data.",
        "let the input be int8 with the scale of the QuantizeLinear, and prepare the data so"
        if behind
        else "leave the change of type to the application",
        cause.placement,
        Confidence.INFERRED
        if cause["to"] in FLOATS
        else Confidence.UNKNOWN,  # no build was seen that casts to integers
    )


RULE = Rule(
    code="N509",
    title="Cast of data",
    what="Looks for a Cast from integers to floats or back, except Casts of shapes.",
    why="It is a hybrid epoch (LL_ATON_LIB_Cast); what reads or writes quantized data next to it needs its own Q or DQ.",
    fix="Feed quantized data, without a Cast.",
    source="FACTS 4 (ST documentation: Cast by the DMA library or in software); public report of rps_int8 (Core 4.0.1): a uint8 "
    "input, hybrid Cast, QuantizeLinear in software",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CAST_ROUTINE}),
    word=word,
    kinds=frozenset({"Cast"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (uint8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = Cast <to = 1> (x)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
