"""N110: a batch of more than one."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

KINDS = frozenset(
    {
        "Conv",
        "ConvTranspose",
        "AveragePool",
        "MaxPool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "BatchNormalization",
    }
)
"""Operators that say which of their dimensions is the batch."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    shape = layer.input.type.shape if layer.input is not None else None
    if not shape or not isinstance(shape[0], int) or shape[0] < 2:
        return
    yield Finding(
        "N110",
        Severity.WARNING,
        f"{printable_kind(layer)} works on a batch of {shape[0]}",
        "Batch is handled as 1; with more, the model may be refused or run as one pass per sample.",
        "export with batch 1 and call the network once per sample",
        None,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N110",
    title="Batch above 1",
    what="Looks for a convolution, pooling or normalisation whose first dimension is above 1.",
    why="The documentation asks for a batch of 1 (a free batch is taken as 1). No compiler output with another batch is known; the layer is judged as if its samples ran one after the other.",
    fix="Export the model with batch 1.",
    source="FACTS 3.1 and LESSONS C10 (ST documentation), LESSONS E5",
    confidence=Confidence.UNKNOWN,
    check=check,
    by_form=True,
    kinds=KINDS,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[4,8,6,6] x) => (int8[4,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = GlobalAveragePool(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,6,6] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = GlobalAveragePool(f)
  y = QuantizeLinear(r, s, z) }""",
)
