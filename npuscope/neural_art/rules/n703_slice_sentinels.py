"""N703: a Slice to the end, written with the largest integer (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

HUGE = 1 << 31


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    for position, name in ((1, "a start"), (2, "an end")):
        bounds = context.graph.value(layer.core.input(position), 16) if layer.core.input(position) else None
        if bounds is None or bounds.dtype.kind not in "iu":
            continue
        if (np.abs(bounds.astype(np.float64)) >= HUGE - 1).any():
            yield Finding(
                "N703",
                Severity.WARNING,
                f"Slice has {name} that means 'to the end' (2^31 - 1 or 2^63 - 1)",
                "The front end was reported to fail on these values.",
                "write the size of the dimension instead (onnxsim or onnxruntime's preprocessing may do it)",
                None,
                Confidence.THIRD_PARTY,
            )
            return


RULE = Rule(
    code="N703",
    title="Slice to the end (4.0.1)",
    what="Looks for a Slice with a bound of 2^31 - 1 or more.",
    why="Exporters write INT64_MAX for an open end. 4.0.1 was reported to fail on it.",
    fix="Replace the bound by the size of the dimension.",
    source="FACTS 5 and LESSONS E5 (LarocheC/stm32n6-deployment-zoo, Core 4.0.1)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    front_end=True,
    kinds=frozenset({"Slice"}),
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,4,4,4] y)
<float s = {0.1}, int8 z = {0}, int64[1] b = {4}, int64[1] e = {9223372036854775807}, int64[1] a = {1}>
{ f = DequantizeLinear(x, s, z)
  r = Slice(f, b, e, a)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,4,4,4] y)
<float s = {0.1}, int8 z = {0}, int64[1] b = {4}, int64[1] e = {8}, int64[1] a = {1}>
{ f = DequantizeLinear(x, s, z)
  r = Slice(f, b, e, a)
  y = QuantizeLinear(r, s, z) }""",
)
