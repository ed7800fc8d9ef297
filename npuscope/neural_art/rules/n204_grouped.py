"""N204: a grouped convolution with a kernel of more than one position."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import geometry, on_cpu
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = geometry(layer)
    if conv is None or conv.group == 1 or conv.depthwise or min(conv.kernel) < 2:
        return
    height, width = conv.kernel
    per_group = conv.in_channels // conv.group
    yield Finding(
        "N204",
        Severity.ERROR,
        f"Conv has {conv.group} groups of {per_group} channels and a {height}x{width} kernel",
        "Depthwise kernels and grouped 1x1 kernels map to the NPU; grouped kernels of two dimensions were seen in software.",
        f"split it into {conv.group} convolutions of {per_group} channels, or make it depthwise",
        on_cpu(layer, context),
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N204",
    title="Grouped two-dimensional kernel",
    what="Looks for a Conv with more than one group, more than one channel in each, and a kernel of two dimensions.",
    why="A user of many networks reports: grouped 1x1 convolutions run on the NPU, grouped ones with a larger kernel "
    "in software. Depthwise convolutions (one channel a group) are on the NPU in every network seen.",
    fix="One convolution per group with Split and Concat around, or a depthwise convolution followed by a 1x1.",
    source="LESSONS A6 (LarocheC/stm32n6-deployment-zoo); no own sample",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,7,7] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
