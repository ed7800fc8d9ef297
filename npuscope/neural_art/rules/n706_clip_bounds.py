"""N706: a Clip whose bounds come from a DequantizeLinear."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer, is_qdq
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    for position, name in ((1, "lower"), (2, "upper")):
        tensor = layer.core.input(position)
        producer = context.graph.producer(tensor) if tensor else None
        if producer is None or (not is_qdq(producer) and context.graph.constant(tensor) is not None):
            continue
        how = "comes from a DequantizeLinear" if is_qdq(producer) else "is computed"
        yield Finding(
            "N706",
            Severity.WARNING,
            f"the {name} bound of Clip {how}",
            "Bounds must be constant initializers; a bound behind a DequantizeLinear was reported to crash the compiler.",
            "keep the bounds as float initializers (exclude them from quantization)",
            None,
            Confidence.THIRD_PARTY,
        )
        return


RULE = Rule(
    code="N706",
    title="Bounds of Clip",
    what="Looks for a Clip whose bounds are not plain constants.",
    why="Clip maps to the ACTIV unit with constant bounds. A quantizer that puts Q/DQ on them makes a valid model that "
    "the compiler was reported to crash on.",
    fix="Leave the bounds unquantized.",
    source="FACTS 4 (ST documentation) and LESSONS E5 (LarocheC/stm32n6-deployment-zoo)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    front_end=True,
    kinds=frozenset({"Clip"}),
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {60}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Clip(f, , k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, float k = {6}>
{ f = DequantizeLinear(x, s, z)
  r = Clip(f, , k)
  y = QuantizeLinear(r, s, z) }""",
)
