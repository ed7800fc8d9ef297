"""N401: a pooling window that cannot be built from small ones."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import tidy
from npuscope.neural_art.mapping.layout import pool_window
from npuscope.neural_art.mapping.tiling import divisors
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity

KINDS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax"})


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    window, limit = pool_window(layer), context.target.limits.pool_window_register
    if not window:
        return
    for size in window:
        prime = largest_prime(size)
        if prime > limit:
            shape = "x".join(map(str, window))
            yield Finding(
                "N401",
                Severity.ERROR,
                f"{tidy(layer)} over {shape}: {size} has the prime factor {prime}, a POOL window counts to {limit}",
                "Larger windows are taken in steps whose sizes must divide them; otherwise the layer runs in float.",
                "pad or crop the map to a size with small factors, or average in two steps",
                Placement.SW_FLOAT,
                Confidence.INFERRED,
            )
            return


def largest_prime(number: int) -> int:
    """The largest prime factor; 1 for 1, for what is no size and for what no map has."""
    if not 1 <= number <= 1 << 20:
        return 1
    return next((d for d in divisors(number) if d > 1 and len(divisors(d)) == 2), 1)


RULE = Rule(
    code="N401",
    title="Pooling window",
    what="Looks for an average (or a global maximum) over a window with a prime factor above 7.",
    why="The window of a POOL accelerator is a 3-bit field. Windows of 5, 7, 10, 20, 32, 40, 64 and 128 were seen on "
    "the NPU; 1x52 and 52x1 (13) and 50x11 (11) in float on the Cortex-M55. One rule fits them all: the window must "
    "be a product of factors up to 7.",
    fix="Choose the input size so that the last map has small factors.",
    source="ocr_det_160, transformer_128, single_layers (on the NPU); LESSONS D7, FACTS 4 (in software)",
    confidence=Confidence.INFERRED,
    check=check,
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
