"""N313: an operator of a domain the tool does not know."""

from __future__ import annotations

from typing import NamedTuple

from npuscope.model.graph import Graph
from npuscope.model.layers import Layer
from npuscope.model.names import printable, printable_kind, quoted, shortened
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.functions import way_out
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


class Said(NamedTuple):
    """What a finding says of an operator."""

    message: str
    why: str
    way: str
    confidence: Confidence = Confidence.DOCUMENTED


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    said = _of_function(cause, layer, context.graph) if cause.why is Why.MODEL_FUNCTION else None
    said = said or _of_quantizer(layer)
    said = said or (_of_tflite(layer) if context.graph.tflite else None)
    said = said or _of_domain(layer)
    return Finding("N313", Severity.ERROR, *said[:3], cause.placement, said.confidence)


def _of_function(cause: Cause, layer: Layer, graph: Graph) -> Said:
    if cause.numbers:
        node = graph.nodes[graph.node_index[str(cause["node"])]]
        return Said(
            f"{printable(node.op)} is an operator of ONNX and a function of the model",
            "ONNX leaves it to each tool which of the two it takes: onnxruntime runs the operator, onnx's inliner writes the "
            "function. What ST's compiler takes is not known, so npuscope checks nothing else about it.",
            way_out(graph, node),
            Confidence.UNKNOWN,
        )
    return Said(
        f"{printable_kind(layer)} is a function of the model ({quoted(layer.domain)})",
        "Its body is a graph of its own; no layers are recognised in it, and the compiler may not take it at all.",
        way_out(graph, layer.core),
        Confidence.UNKNOWN,
    )


def _of_quantizer(layer: Layer) -> Said | None:
    quantizer = foreign_quantizer(layer.core)
    if quantizer is None:
        return None
    return Said(
        f"{printable_kind(layer)} is a quantizer of {quoted(quantizer.tool)}, not an ONNX operator",
        "ST's tools read QuantizeLinear and DequantizeLinear; what other operators quantize stays float for them.",
        quantizer.way,
    )


def _of_tflite(layer: Layer) -> Said | None:
    if layer.op.isupper():  # the schema's own names are capitals; custom ones are not
        return Said(
            f"{printable_kind(layer)} of the TFLite file has no ONNX form in npuscope{_reason(layer)}",
            "The operator is one of TFLite's own, which npuscope does not convert: it is shown as a layer on the CPU, nothing is "
            "known of what the compiler makes of it, and the model can be neither run nor verified from here on.",
            _way(layer),
            Confidence.UNKNOWN,
        )
    if layer.domain in _KNOWN:
        return None
    compiled = _COMPILED.get(layer.op)
    if compiled is not None:
        return Said(
            f"{printable_kind(layer)} is a program for {compiled}: the file was compiled for it",
            "What the network computes is hidden in the operator's data, which another device alone can read.",
            "open the .tflite file it was compiled from",
        )
    if layer.op.startswith("Flex"):
        return Said(
            f"{printable_kind(layer)} is an operator of TensorFlow that the file calls by name",
            "TensorFlow's own kernels are not on the device; the front end will refuse the model.",
            "convert with TFLITE_BUILTINS alone, without SELECT_TF_OPS",
        )
    return None


def _of_domain(layer: Layer) -> Said:
    domain, known = quoted(layer.domain), _KNOWN.get(layer.domain)
    if known is not None:
        return Said(
            f"{printable_kind(layer)} is an operator of {known[0]} ({domain})",
            "Operators outside the ONNX domain are not supported; the front end will refuse the model.",
            known[1],
        )
    return Said(
        f"{printable_kind(layer)} is a custom operator ({domain})",
        "Custom operators are not supported; the front end will refuse the model.",
        "cut the model there and run the operator in the application",
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
