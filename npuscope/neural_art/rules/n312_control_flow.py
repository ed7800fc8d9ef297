"""N312: control flow."""

from __future__ import annotations

from npuscope.model.graph import CONTROL_FLOW
from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    nodes = sum(len(body.node) for body in layer.core.subgraphs)
    return Finding(
        "N312",
        Severity.ERROR,
        f"{printable_kind(layer)} holds a graph of its own with {nodes} nodes",
        "The schedule is fixed when compiling; a user reports that If and Loop stop the compiler.",
        _fix(layer, context),
        cause.placement,
        Confidence.THIRD_PARTY,
    )


def _fix(layer: Layer, context: Context) -> str:
    if layer.kind == "If":
        value = context.graph.value(layer.core.input(0), 1) if layer.core.input(0) else None
        if value is not None and value.size == 1:
            taken = "then" if bool(value.reshape(-1)[0]) else "else"
            return f"its condition is always {'true' if taken == 'then' else 'false'}: export the {taken} branch alone (onnxsim does so)"
        return "take one branch when exporting"
    return "unroll the loop when exporting"


RULE = Rule(
    code="N312",
    title="Control flow",
    what="Looks for If, Loop and Scan.",
    why="Neural-ART runs a fixed sequence of epochs. Control flow is not in the operator table and was reported to be "
    "refused; if anything runs it, it is the Cortex-M55.",
    fix="Export without control flow.",
    source="FACTS 4 (not in ST's table), LESSONS E5 (LarocheC)",
    confidence=Confidence.THIRD_PARTY,
    causes=frozenset({Why.CONTROL_FLOW}),
    word=word,
    kinds=CONTROL_FLOW,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (bool c, float[4] x) => (float[4] y)
{ y = If (c) <
    then_branch = t () => (float[4] a) { a = Relu(x) },
    else_branch = e () => (float[4] b) { b = Identity(x) }> }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Tanh(f)
  y = QuantizeLinear(r, s, z) }""",
)
