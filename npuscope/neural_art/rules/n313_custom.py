"""N313: an operator of a domain the tool does not know."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable, printable_kind, quoted, shortened
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.functions import way_out
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    domain = quoted(layer.domain)
    if cause.why is Why.MODEL_FUNCTION and cause.numbers:
        node = context.graph.nodes[context.graph.node_index[str(cause["node"])]]
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable(node.op)} is an operator of ONNX and a function of the model",
            "ONNX leaves it to each tool which of the two it takes: onnxruntime runs the operator, onnx's inliner writes the "
            "function. What ST's compiler takes is not known, so npuscope checks nothing else about it.",
            way_out(context.graph, node),
            cause.placement,
            Confidence.UNKNOWN,
        )
    if cause.why is Why.MODEL_FUNCTION:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is a function of the model ({domain})",
            "Its body is a graph of its own; no layers are recognised in it, and the compiler may not take it at all.",
            way_out(context.graph, layer.core),
            cause.placement,
            Confidence.UNKNOWN,
        )
    quantizer = foreign_quantizer(layer.core)
    if quantizer is not None:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is a quantizer of {quoted(quantizer.tool)}, not an ONNX operator",
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
            f"{printable_kind(layer)} of the TFLite file has no ONNX form in npuscope{_reason(layer)}",
            "The operator is one of TFLite's own, which npuscope does not convert: it is shown as a layer on the CPU, nothing is "
            "known of what the compiler makes of it, and the model can be neither run nor verified from here on.",
            _way(layer),
            cause.placement,
            Confidence.UNKNOWN,
        )
    known = _KNOWN.get(layer.domain)
    if known is not None:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is an operator of {known[0]} ({domain})",
            "Operators outside the ONNX domain are not supported; the front end will refuse the model.",
            known[1],
            cause.placement,
            Confidence.DOCUMENTED,
        )
    compiled = _COMPILED.get(layer.op) if context.graph.tflite else None
    if compiled is not None:
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is a program for {compiled}: the file was compiled for it",
            "What the network computes is hidden in the operator's data, which another device alone can read.",
            "open the .tflite file it was compiled from",
            cause.placement,
            Confidence.DOCUMENTED,
        )
    if context.graph.tflite and layer.op.startswith("Flex"):
        return Finding(
            "N313",
            Severity.ERROR,
            f"{printable_kind(layer)} is an operator of TensorFlow that the file calls by name",
            "TensorFlow's own kernels are not on the device; the front end will refuse the model.",
            "convert with TFLITE_BUILTINS alone, without SELECT_TF_OPS",
            cause.placement,
            Confidence.DOCUMENTED,
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


def _way(layer: Layer) -> str:
    if layer.op in ("IF", "WHILE"):
        return "convert the network with its loops and branches unrolled, or cut the model there"
    if _metadata(layer, "tflite.unscaled"):
        return "convert the network again, in full-integer quantization with a representative dataset"
    return "convert the network without it, or cut the model there"


def _reason(layer: Layer) -> str:
    """Why it was not converted, if the conversion said so."""
    reason = _metadata(layer, "tflite.reason")
    return f": it {printable(shortened(reason, 160))}" if reason else ""


def _metadata(layer: Layer, key: str) -> str:
    return next((entry.value for entry in layer.core.proto.metadata_props if entry.key == key), "")


_KNOWN = {
    "com.microsoft.nchwc": (
        "onnxruntime's optimizer",
        "open the model it was made from, or optimize with ORT_ENABLE_EXTENDED at most",
    ),
    "ai.onnx.ml": ("classic machine learning", "cut the model there and compute it in the application"),
}
"""Domain -> whose it is, and what to do."""

_COMPILED = {
    "ethos-u": "Arm's Ethos-U",
    "edgetpu-custom-op": "Google's Edge TPU",
    "NeutronGraph": "NXP's Neutron NPU",
}
"""Custom operators that hold a compiled network."""


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
