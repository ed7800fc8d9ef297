"""N504: a Resize."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.layout import resize_factors
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    factors = resize_factors(layer)
    size = " x ".join(f"{f:g}" for f in factors[2:]) if factors is not None else "an unknown factor"
    if cause.why is Why.RESIZE_REPEATS:
        return Finding(
            "N504",
            Severity.WARNING,
            f"{printable_kind(layer)} nearest by {size}: copies on the NPU, then a DepthToSpace that the CPU drives",
            "Each value is written once per new position into more channels; a hybrid routine brings them in place.",
            "use DepthToSpace on a wider Conv, or resize in the application",
            cause.placement,
            Confidence.INFERRED,
        )
    mode = layer.core.text("mode", "nearest")
    reason = "only nearest, asymmetric and floor maps to the NPU" if mode == "nearest" else "it has no unit"
    return Finding(
        "N504",
        Severity.ERROR,
        f"{printable_kind(layer)} {mode} by {size}: {reason}",
        "It runs on the Cortex-M55, in int8 for nearest and linear.",
        "set mode=nearest, coordinate_transformation_mode=asymmetric, nearest_mode=floor, with whole factors",
        cause.placement,
        Confidence.DOCUMENTED if mode in ("nearest", "linear", "bilinear") else Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N504",
    title="Resize",
    what="Looks at the mode and the factors of a quantized Resize or Upsample.",
    why="Nearest by whole factors, with asymmetric coordinates and floor, becomes copies and a hybrid DepthToSpace. "
    "Every other form runs on the Cortex-M55.",
    fix="Export nearest, asymmetric, floor (what torch.nn.Upsample gives), or avoid the Resize.",
    source="FACTS 4 (ST documentation); ocr_det_160 (2.2): six nearest; ssd_mobilenet_v1_256 (2.1): four linear in int8",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.RESIZE_REPEATS, Why.RESIZE_OTHER}),
    word=word,
    kinds=frozenset({"Resize", "Upsample"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,8,8] y) <float s = {0.1}, int8 z = {0}, float[4] k = {1, 1, 2, 2}>
{ f = DequantizeLinear(x, s, z)
  r = Resize <mode = "linear"> (f, , k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}, float[4] k = {1, 1, 1, 1}>
{ f = DequantizeLinear(x, s, z)
  r = Resize <mode = "linear"> (f, , k)
  y = QuantizeLinear(r, s, z) }""",
)
