"""N313: an operator of a domain the tool does not know."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable, shortened
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.facts import printable_kind
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    domain = printable(shortened(layer.domain, 40))
    if cause.why is Why.MODEL_FUNCTION:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is a function of the model ({domain})",
            "Its body is a graph of its own; no layers are recognised in it, and the compiler may not take it at all.",
            "write it out: onnx.inliner.inline_local_functions(model), then open the model again",
            cause.placement,
            Confidence.UNKNOWN,
        )
    quantizer = foreign_quantizer(layer.core)
    if quantizer is not None:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is a quantizer of {printable(shortened(quantizer.tool, 40))}, not an ONNX operator",
            "ST's tools read QuantizeLinear and DequantizeLinear; what other operators quantize stays float for them.",
            quantizer.way,
            cause.placement,
            Confidence.DOCUMENTED,
        )
    if (
        context.graph.tflite and layer.op.isupper()
    ):  # the schema's own names are capitals; custom ones are not
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} of the TFLite file has no form in ONNX here",
            "The operator is one of TFLite's own, which npuscope does not convert: it is shown as a layer on the CPU, nothing is "
            "known of what the compiler makes of it, and the model can be neither run nor verified from here on.",
            "convert the network without it (fixed loops and branches unrolled), or cut the model there",
            cause.placement,
            Confidence.UNKNOWN,
        )
    return Finding(
        "N313",
        Severity.ERROR,
        f"{printable_kind(layer)} is a custom operator ({domain})",
        "Custom operators are not supported; the front end will refuse the model.",
        "cut the model there and run the operator in the application",
        cause.placement,
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
    causes=frozenset({Why.CUSTOM, Why.MODEL_FUNCTION}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13, "my.ops" : 1]>
g (float[1,8] x) => (float[1,8] y)
{ y = my.ops.Fancy(x) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Tanh(f)
  y = QuantizeLinear(r, s, z) }""",
)
