"""N122: weights that leave one of their eight bits unused."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from npuscope.model.inspection.weights import HALF_RANGE, reach
from npuscope.model.layers import WEIGHTED, Layer, Layers
from npuscope.model.names import printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    found = reach(layer)
    if found is None or not found.halved or not (found.per_channel or _everywhere(context.layers)):
        return
    where = "in every channel" if found.per_channel else "here as in all layers"
    yield Finding(
        "N122",
        Severity.ADVICE,
        f"the weights of {printable_kind(layer)} end at {HALF_RANGE} of 127 steps {where}: seven bits would hold them",
        "reduce_range of onnxruntime's quantizer keeps sums of x86 processors without VNNI from overflowing. No such overflow is "
        "known of the NPU, which carries sums in up to 24 bits: the eighth bit is lost for nothing.",
        "quantize the float model again with reduce_range=False",
        None,
        Confidence.DOCUMENTED,
    )


@lru_cache(maxsize=4)
def _everywhere(layers: Layers) -> bool:
    """One layer with one scale can end there by chance."""
    return all(found.halved for layer in layers.layers if (found := reach(layer)) is not None)


RULE = Rule(
    code="N122",
    title="Weights of seven bits",
    what=f"Looks for int8 weights that end at {HALF_RANGE} steps: in every channel that has a scale of its own, or, with one scale for "
    "all channels, in every layer of the model. Channels that are all zero, and scales widened for their bias, do not count.",
    why="An option of quantizers (reduce_range) is for processors whose 8-bit products overflow 16 bits. The NPU's data paths "
    "carry up to 24 bits, and no network is known that needed it there: every weight is rounded twice as coarsely for nothing.",
    fix="Quantize without reduce_range.",
    source="onnxruntime's documentation of quantization (reduce_range: 7 bits, for AVX2 and AVX512 without VNNI), and its issue 6545; all 50 layers with weights of mobilefacenet_qop and mobilefacenet_qdq, as their author published them; "
    "FACTS 1.1 (8, 16 and 24-bit data paths)",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,4,4,4] y)
<float s = {0.1}, int8 z = {0}, float[4] ws = {0.1, 0.2, 0.3, 0.4}, int8[4] wz = {0, 0, 0, 0}, int8[4,2,1,1] wq = {64, 40, -64, 13, 64, -64, 7, 64}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear <axis: int = 0> (wq, ws, wz)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,4,4,4] y)
<float s = {0.1}, int8 z = {0}, float[4] ws = {0.1, 0.2, 0.3, 0.4}, int8[4] wz = {0, 0, 0, 0}, int8[4,2,1,1] wq = {127, 80, -127, 26, 127, -127, 14, 127}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear <axis: int = 0> (wq, ws, wz)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
)
