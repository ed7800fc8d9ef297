"""N708: boolean data discards the quantization (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if not [o for o in (*layer.inputs, *layer.outputs) if o.type.dtype == "bool" and o.constant is None]:
        return
    yield Finding(
        "N708",
        Severity.WARNING,
        f"{printable_kind(layer)} has boolean data",
        "A boolean tensor in the intermediate model was reported to discard the quantization of the whole network.",
        "replace masks by multiplications with 0 and 1 in int8",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N708",
    title="Boolean data (4.0.1)",
    what="Looks for a layer that reads or writes booleans at run time.",
    why="With 4.0.1, boolean tensors in the _Q.json file made the compiler drop all quantization silently: everything "
    "then runs in float.",
    fix="Multiply by 0 and 1 instead of Where and Equal.",
    source="FACTS 5 (LarocheC/stm32n6-deployment-zoo, Core 4.0.1)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    by_form=True,
    front_end=True,
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (bool[1,8] a, bool[1,8] b) => (bool[1,8] y)
{ y = And(a, b) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] a, int8[1,8] b) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Mul(f, h)
  y = QuantizeLinear(r, s, z) }""",
)
