"""N705: an ACTIV unit that drives a depthwise convolution can hang (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.neural_art.mapping.operators import ACTIVATION
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    readers = context.layers.readers.get(layer.output.tensor, ()) if layer.output is not None else ()
    conv = convolution(readers[0]) if len(readers) == 1 and readers[0].weight is not None else None
    if conv is None or not conv.depthwise or folded_away(layer) or is_float(layer, context):
        return
    yield Finding(
        "N705",
        Severity.ADVICE,
        f"{printable_kind(layer)} feeds a depthwise Conv: the ACTIV unit may be chained into a CONV accelerator",
        "One network in which the compiler did so never finished on the board.",
        "if the network hangs, compile with --force-all-in-out-to-mem to find the place",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N705",
    title="Activation into depthwise convolution (4.0.1)",
    what="Looks for an activation function whose only reader is a depthwise Conv.",
    why="With 4.0.1 a Relu chained into a split depthwise convolution hung the NPU: an ACTIV output drove the data "
    "port of a CONV accelerator. The compiler option that cuts all chains avoids it, at the price of more epochs.",
    fix="Quantize directly after the Conv so that a Relu vanishes in the range; keep data four-dimensional.",
    source="FACTS 5 (LarocheC/stm32n6-stt, Core 4.0.1): one network",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    kinds=ACTIVATION,
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,33] x) => (int8[1,8,31] y)
<float s = {0.1}, int8 z = {0}, int64[3] ws = {8, 1, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  a = HardSwish(xf)
  q = QuantizeLinear(a, s, z)
  d = DequantizeLinear(q, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (d, wf)
  y = QuantizeLinear(f, s, z) }""".replace('"" : 13', '"" : 14'),
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,33] x) => (int8[1,8,33] y) <float s = {0.1}, int8 z = {0}>
{ xf = DequantizeLinear(x, s, z)
  a = Sigmoid(xf)
  y = QuantizeLinear(a, s, z) }""",
)
