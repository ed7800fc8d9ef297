"""N401: a pooling window that cannot be built from small ones."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

KINDS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"})


SEEN = "2.2"
"""The version in which an average of strips was seen."""


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    shape = "x".join(map(str, cause.sizes("window")))
    if cause.why is Why.POOL_STRIP:
        return Finding(
            "N401",
            Severity.ERROR,
            f"AveragePool over strips of {shape}: a float kernel of the CPU averages",
            "Of windows that move over a map, only square ones were seen on the POOL accelerators.",
            "use a convolution with that stride, or average over squares",
            cause.placement,
            Confidence.INFERRED if context.target.toolchain.version == SEEN else Confidence.UNKNOWN,
        )
    return Finding(
        "N401",
        Severity.ERROR,
        f"{printable_kind(layer)} over {shape}: {cause['size']} has the prime factor {cause['prime']}, a POOL window is at most "
        f"{cause['limit']}",
        "Larger windows are taken in steps whose sizes must divide them; otherwise a kernel of the CPU averages.",
        "pad or crop the map to a size with small factors, or average in two steps",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N401",
    title="Pooling window",
    what="Looks for an average (or a global maximum) over a window with a prime factor above 7, and for an AveragePool"
    " whose window is one row or column and moves over the map.",
    why="The window of a POOL accelerator is a 3-bit field. One rule fits what was seen: the window must be a product"
    " of factors up to 7. Windows of 5, 7, 10, 20, 32, 40, 64 and 128 were on the NPU; 1x52 and 52x1 (factor 13) "
    "ran on the Cortex-M55 in int8, 50x11 (factor 11) in float. There are two exceptions: from 4.0 on, the mean "
    "of a whole square map is on the NPU at any size (19x19, five of five), and 1x4 with a stride of 1x4 over "
    "1x1024 is a float kernel (2.2, one).",
    fix="Choose the input size so that the last map has small factors.",
    source="ocr_det_160, transformer_128, single_layers (on the NPU); LESSONS D7, FACTS 4 (in software); FRIENDA256/stm32N6_AI "
    "(2.2, strips), Estadio-do-Dragao-app/STM32N6-GettingStarted-ObjectDetection (4.0.0, 19x19)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.POOL_PRIME, Why.POOL_STRIP}),
    word=word,
    kinds=KINDS,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,50,11] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = GlobalAveragePool(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,40,10] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = GlobalAveragePool(f)
  y = QuantizeLinear(r, s, z) }""",
)
