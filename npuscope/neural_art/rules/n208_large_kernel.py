"""N208: a kernel larger than the accelerators hold."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import geometry
from npuscope.neural_art.mapping.tiling import submasks
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = geometry(layer)
    if conv is None or not layer.quantized:
        return
    parts = submasks(conv, context.target)
    if len(parts) < 2:
        return
    height, width = conv.kernel
    sizes = " + ".join(f"{rows}x{columns}" for rows, columns in parts[:6])
    yield Finding(
        "N208",
        Severity.ADVICE,
        f"the {height}x{width} kernel is run as {len(parts)} sub-masks: {sizes}{' + ...' if len(parts) > 6 else ''}",
        f"A CONV accelerator holds {context.target.limits.kernel_height} rows; partial sums are added by ARITH units.",
        "use 3x3 kernels, or two of them in a row",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N208",
    title="Kernel in sub-masks",
    what="Looks for a convolution whose kernel has more than 3 rows, or more than 6 columns (12 with stride 2).",
    why="Larger kernels are decomposed: 5x5 into 3x5 and 2x5, 7x7 into six parts. Each part reads the features again, "
    "and the sums take ARITH units and, beyond two parts, epochs of their own.",
    fix="Kernels of 3 rows; best widths are 3, 6 and 12.",
    source="FACTS 2.3 (ST documentation), LESSONS A4 (sub-mask names of six networks)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 5, 5}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,7,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 5}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
