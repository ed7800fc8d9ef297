"""N504: a Resize."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import is_float, tidy
from npuscope.neural_art.mapping.layout import repeats, resize_factors
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if is_float(layer, context):
        return
    factors = resize_factors(layer)
    if factors is not None and all(f == 1 for f in factors):
        return
    mode = layer.core.text("mode", "nearest")
    size = " x ".join(f"{f:g}" for f in factors[2:]) if factors is not None else "an unknown factor"
    if (
        mode == "nearest"
        and repeats(layer)
        and factors is not None
        and all(f == int(f) >= 1 for f in factors)
    ):
        yield Finding(
            "N504",
            Severity.WARNING,
            f"{tidy(layer)} nearest by {size}: copies on the NPU, then a DepthToSpace that the CPU drives",
            "Each value is written once per new position into more channels; a hybrid routine brings them in place.",
            "use DepthToSpace on a wider Conv, or resize in the application",
            Placement.HYBRID,
            Confidence.INFERRED,
        )
        return
    linear = mode in ("linear", "bilinear")
    reason = "only nearest, asymmetric and floor maps to the NPU" if mode == "nearest" else "it has no unit"
    yield Finding(
        "N504",
        Severity.ERROR,
        f"{tidy(layer)} {mode} by {size}: {reason}",
        "It runs on the Cortex-M55, in int8 for nearest and linear.",
        "set mode=nearest, coordinate_transformation_mode=asymmetric, nearest_mode=floor, with whole factors",
        Placement.SW_INT if linear or mode == "nearest" else Placement.SW_FLOAT,
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
    check=check,
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
