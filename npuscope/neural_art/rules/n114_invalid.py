"""N114: a node that ONNX does not allow."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import quoted
from npuscope.model.validity.faults import fault
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    name = str(cause["node"])
    reason = fault(context.graph, context.graph.nodes[context.graph.node_index[name]])
    other = "" if name == layer.core.name else f" (node {quoted(name)})"
    return Finding(
        "N114",
        Severity.ERROR,
        f"not valid: {reason}{other}",
        "The node contradicts the definition of its operator; onnxruntime and ST's front end refuse the model, or "
        "read it as something else. npuscope checks nothing else about it.",
        "export the model again, or bring it to one opset with onnx.version_converter; "
        "onnx.checker.check_model(model, full_check=True) shows more",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N114",
    title="Node is not valid",
    what="Looks for a node in the form of another opset, with element types its operator does not take, with shapes that "
    "contradict one another, or with scales that do not fit its data.",
    why="A model whose opset stamp was raised without converting its nodes, or that was edited by hand, has nodes that ONNX "
    "does not define; what a compiler makes of them is unknown.",
    fix="Export again, or convert with onnx.version_converter.",
    source="the operator definitions of ONNX, as the installed onnx package has them",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.INVALID_NODE}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Clip <min = 0.0, max = 6.0> (f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}, float a = {0}, float b = {6}>
{ f = DequantizeLinear(x, s, z)
  r = Clip(f, a, b)
  y = QuantizeLinear(r, s, z) }""",
)
