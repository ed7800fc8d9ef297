"""N104: 16-bit integers, and floats of 8 bits."""

from __future__ import annotations

from npuscope.model.inspection.weights import fits_int8
from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.PLAIN_DATA:
        return Finding(
            "N104",
            Severity.ERROR,
            f"the {cause['role']} of {printable_kind(layer)} is {cause['dtype']}, which is not a quantized type",
            "The accelerators compute on 8-bit integers with a scale; counts, indices and texts are for the CPU.",
            "compute it in the application, or as quantized numbers",
            cause.placement,
            Confidence.DOCUMENTED,
        )
    return Finding(
        "N104",
        Severity.ERROR,
        f"the {cause['role']} of {printable_kind(layer)} is quantized to {cause['dtype']}",
        "The tool takes 8-bit integers; it has no way to the accelerators' 16-bit modes, and they have none for floats."
        if str(cause["dtype"]).startswith("float")
        else "The tool takes 8-bit activations and 8-bit weights; the accelerators' 16-bit modes are not reachable.",
        (
            "they are no larger than int8: store them so (edit narrow-weights)"
            if cause["role"] == "weight" and fits_int8(layer)
            else "quantize to int8, or split the range so that int8 is enough"
        )
        if not str(cause["dtype"]).startswith("float")
        else "quantize to int8 in place of an 8-bit float",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N104",
    title="Quantized to 16 bits, or to an 8-bit float",
    what="Looks for an activation or a weight quantized to 16 (or 32) bits, or to 8-bit floats, and for arithmetic on plain 32- or 64-bit integers, strings and complex numbers.",
    why="Models are taken as 8b/8b. The CONV accelerators could multiply 16x16, but the compiler offers no way to use that, and a layer whose type it does not know stays float on the Cortex-M55.",
    fix="Quantize to int8.",
    source="LESSONS C10 (ST documentation: 8b/8b), FACTS 1.1 (16x16 mode of the hardware)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.WIDE_INTEGERS, Why.PLAIN_DATA}),
    word=word,
    failing="""<ir_version: 10, opset_import: ["" : 21]>
g (int16[1,8,4,4] x) => (int16[1,8,4,4] y) <float s = {0.1}, int16 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 10, opset_import: ["" : 21]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
