"""N108: more dimensions than the compiler's four beside the batch."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

RANK = 5


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    """Five dimensions that the NPU takes, where a later compiler was said to crash over them."""
    ranks = [len(o.type.shape) for o in (*layer.inputs, *layer.outputs) if o.type.shape is not None]
    if RANK not in ranks or max(ranks) != RANK or folded_away(layer):
        return
    if not context.target.toolchain.crashes_at_rank_5:
        return
    yield Finding(
        "N108",
        Severity.ADVICE,
        f"{printable_kind(layer)} has a tensor of {RANK} dimensions, on which 4.0.1 is reported to crash",
        "2.2 compiles a detection head of [1, 3, 52, 52, 14]; of 4.0 a third party reports a crash (signal 11).",
        "reshape the data to at most four dimensions",
        None,
        Confidence.THIRD_PARTY,
    )


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    beside = "" if cause["windowed"] else " beside a batch of 1"
    return Finding(
        "N108",
        Severity.ERROR,
        f"{layer.kind} has a tensor of {cause['rank']} dimensions{beside}; the compiler supports {cause['limit']}",
        "Inside the compiler a tensor has a batch and up to four more dimensions, and a window has two.",
        f"reshape the data to at most {cause['limit']} dimensions",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N108",
    title="More than four dimensions",
    what="Looks for an input or output of more than four dimensions beside a batch of 1; for convolutions, pooling and"
    " products also of more than four in all, and in 4.0 for any of five.",
    why="The compiler's internal form has four dimensions beside the batch. In 2.2, elementwise layers of rank 5 run "
    "on the NPU (48 of 48, a plate detector of dahuangelululu/dahuange111); Transpose, Slice and Concat of rank 5"
    " are runtime routines. In 4.0.1, tensors of rank 5 made the compiler crash (signal 11).",
    fix="Reshape to four dimensions; a shuffle over five can be written as two transposes over four.",
    source="FACTS 4 (documentation: a Mul of more than four dimensions; the crash: LarocheC/stm32n6-deployment-zoo), LESSONS D2",
    confidence=Confidence.DOCUMENTED,
    check=check,
    by_form=True,
    causes=frozenset({Why.MANY_DIMENSIONS}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[2,2,2,4,4] x) => (int8[2,2,2,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
