"""N313: an operator of a domain the tool does not know."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import printable, shortened
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.neural_art.mapping.facts import tidy
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if layer.core.standard or layer.qoperator or layer.domain == "com.microsoft":
        return
    if (layer.domain, layer.core.op) in context.graph.functions:
        yield Finding(
            "N313",
            Severity.ERROR,
            f"{tidy(layer)} is a function of the model ({printable(shortened(layer.domain, 40))})",
            "Its body is a graph of its own; no layers are recognised in it, and the compiler may not take it at all.",
            "write it out: onnx.inliner.inline_local_functions(model), then open the model again",
            Placement.SW_FLOAT,
            Confidence.UNKNOWN,
        )
        return
    quantizer = foreign_quantizer(layer.core)
    if quantizer is not None:
        yield Finding(
            "N313",
            Severity.ERROR,
            f"{tidy(layer)} is a quantizer of {printable(shortened(quantizer.tool, 40))}, not an ONNX operator",
            "ST's tools read QuantizeLinear and DequantizeLinear; what other operators quantize stays float for them.",
            quantizer.way,
            Placement.SW_FLOAT,
            Confidence.DOCUMENTED,
        )
        return
    yield Finding(
        "N313",
        Severity.ERROR,
        f"{tidy(layer)} is a custom operator ({printable(shortened(layer.domain, 40))})",
        "Custom operators are not supported; the front end will refuse the model.",
        "cut the model there and run the operator in the application",
        Placement.SW_FLOAT,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N313",
    title="Custom operator",
    what="Looks for operators outside the ONNX and com.microsoft domains, functions of the model and quantizers of other tools among them.",
    why="ST's documentation lists custom operators, TFLite_Detection_PostProcess and NMS as unsupported.",
    fix="Leave it to the application.",
    source="FACTS 4 (ST documentation)",
    confidence=Confidence.DOCUMENTED,
    check=check,
    decides=True,
    failing="""<ir_version: 8, opset_import: ["" : 13, "my.ops" : 1]>
g (float[1,8] x) => (float[1,8] y)
{ y = my.ops.Fancy(x) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Tanh(f)
  y = QuantizeLinear(r, s, z) }""",
)
