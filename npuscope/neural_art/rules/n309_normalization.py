"""N309: a normalisation written as one operator."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import norm_taken_apart
from npuscope.neural_art.mapping.operators import NORMALIZATION
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

LISTED = frozenset({"InstanceNormalization", "LpNormalization", "LRN"})


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    listed = layer.kind in LISTED
    parted = norm_taken_apart(layer, context.target)
    return Finding(
        "N309",
        Severity.ERROR,
        f"{printable_kind(layer)} has no NPU unit",
        "ST's table maps it to the Cortex-M55 in float."
        if listed
        else "It is taken apart into ten operators, each of them in float: the model states no scale between them."
        if parted
        else "ST's table does not list it; decomposed norms were seen, partly on the NPU, this operator was not.",
        "train without it, or with a BatchNormalization, which is folded into a Conv"
        if layer.kind == "LRN"
        else "export it decomposed (ReduceMean, Sub, Mul, Sqrt), or replace it by a BatchNormalization folded into a Conv",
        cause.placement,
        Confidence.DOCUMENTED if listed else Confidence.THIRD_PARTY if parted else Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N309",
    title="Normalisation as one operator",
    what="Looks for LayerNormalization, InstanceNormalization, GroupNormalization, LRN and the like.",
    why="No accelerator computes statistics of its input. Written out as single operators, a layer norm runs on the "
    "NPU, except for its reciprocal, which is a float island, and `constant - x` (N307).",
    fix="Decompose it when exporting, or train with batch norms.",
    source="FACTS 4 (ST documentation), LESSONS E3 (transformer_128, decomposed); 4.0.1 names ten operators that are not "
    "quantized for each LayerNormalization (Magnus3327/stm32n6-edge-ai-benchmarks, mobileclip_s0_text_int8)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.NORMALIZATION}),
    word=word,
    kinds=NORMALIZATION,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}, float[2] k = {1, 1}>
{ f = DequantizeLinear(x, s, z)
  r = InstanceNormalization(f, k, k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sqrt(f)
  y = QuantizeLinear(r, s, z) }""",
)
