"""N104: 16-bit quantization."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, tidy
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity

WIDE = frozenset({"int16", "uint16", "int32"})


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    # A constant of 32 bits is a bias: onnxruntime writes that of a LayerNormalization so.
    held = [
        o for o in layer.inputs if o.constant is not None and o.quant is not None and o.quant.dtype != "int32"
    ]
    operands = [("input", o) for o in layer.inputs if o.constant is None]
    operands += [("output", o) for o in layer.outputs] + [("constant", o) for o in held]
    if layer.weight is not None:
        operands.append(("weight", layer.weight))
    for role, operand in operands:
        dtype = operand.quant.dtype if operand.quant is not None else ""
        if dtype in WIDE or dtype.startswith("float"):
            yield Finding(
                "N104",
                Severity.ERROR,
                f"the {role} of {tidy(layer)} is quantized to {dtype}",
                "The tool takes 8-bit activations and 8-bit weights; the accelerators' 16-bit modes are not reachable.",
                "quantize to int8, or split the range so that int8 is enough",
                Placement.SW_FLOAT,
                Confidence.DOCUMENTED,
            )
            return


RULE = Rule(
    code="N104",
    title="16-bit quantization",
    what="Looks for an activation or a weight quantized to 16 (or 32) bits, or to floats of 8.",
    why="Models are taken as 8b/8b. The CONV accelerators could multiply 16x16, but the compiler offers no way to it, "
    "and a layer whose type it does not know stays float on the Cortex-M55.",
    fix="Quantize to int8.",
    source="LESSONS C10 (ST documentation: 8b/8b), FACTS 1.1 (16x16 mode of the hardware)",
    confidence=Confidence.DOCUMENTED,
    check=check,
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
