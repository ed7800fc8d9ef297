"""N505: a Pad that no convolution takes along."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, is_float, on_cpu
from npuscope.neural_art.mapping.layout import pad_amounts
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    amounts = pad_amounts(layer)
    if amounts is None or folded_away(layer) or is_float(layer, context):
        return
    mode = layer.core.text("mode", "constant")
    if mode != "constant":
        yield Finding(
            "N505",
            Severity.ERROR,
            f"Pad has mode {mode[:20]!r}",
            "A Pad becomes a convolution that writes a constant around the map; other modes were never seen.",
            "pad with a constant, or in the application",
            on_cpu(layer, context),
            Confidence.UNKNOWN,
        )
        return
    across = [axis for axis, pair in enumerate(amounts) if any(pair) and axis < 2]
    if not across:
        return
    name = "batch" if across[0] == 0 else "channels"
    yield Finding(
        "N505",
        Severity.WARNING,
        f"Pad adds {sum(amounts[across[0]])} to the {name}: it stands between two Transposes that the CPU drives",
        "The NPU pads height and width; another axis is exchanged with one of these before and after.",
        "make the layer before it write the channels (zero weights), or Concat a constant",
        Placement.HYBRID,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N505",
    title="Pad",
    what="Looks for a Pad with a mode other than constant, and for one along channels or batch.",
    why="Padding of height and width is taken along by the convolution behind it, or is a 1x1 depthwise convolution. "
    "Padded channels (blazeface's shortcuts) come with a hybrid Transpose before and behind.",
    fix="Pad height and width with a constant.",
    source="blazeface_128 (2.2): 11 channel Pads, 22 hybrid Transposes; FACTS 4 (ST documentation)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"Pad"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,12,4,4] y) <float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 0, 0, 0, 4, 0, 0}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,6,6] y) <float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p)
  y = QuantizeLinear(r, s, z) }""",
)
