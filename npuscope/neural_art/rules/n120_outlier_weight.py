"""N120: one weight that sets the scale of all others."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.inspection.weights import LEAST_WEIGHTS, OUTLIER, RUINOUS, reach
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import printable_kind
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    found = reach(layer)
    worst = found.worst if found is not None else None
    if found is None or worst is None:
        return
    channel, times = worst
    kind = printable_kind(layer)
    if not found.per_channel:
        message = (
            f"one weight of {kind} is {times:.3g} times the next largest and sets the scale of all weights"
        )
    elif len(found.outliers) == 1:
        message = f"one weight in channel {channel} of {kind} is {times:.3g} times the next largest and sets the channel's scale"
    else:
        message = (
            f"one weight alone sets the scale in {thousands(len(found.outliers))} of {thousands(found.channels)} channels "
            f"of {kind}; in channel {channel} it is {times:.3g} times the next largest"
        )
    yield Finding(
        "N120",
        Severity.ADVICE,
        message,
        "The largest weight is 127 steps of the scale; weights many times smaller are left with few steps.",
        "clip that weight in the float model or train on with a penalty on large weights, then quantize again; "
        "'npuscope verify FLOAT INT8 --layers' says how many dB the layer loses itself",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N120",
    title="One weight sets the scale",
    what=f"Looks for a weight that is at least {RUINOUS} times the next largest on its scale, or at least {OUTLIER} times "
    "if the squares of all others together are no more than its own square. Scales of fewer than "
    f"{LEAST_WEIGHTS} weights are left out: the middle of a depthwise kernel is larger by nature. Layers of more than 4 million weights are left to 'verify --layers'.",
    why="Weights of int8 have 127 steps up to the largest of their channel. One that is 16 times all others leaves these "
    "fewer than 8 steps on each side, which is less than four bits.",
    fix="Clip the weight before quantization, or train on with a penalty on large weights.",
    source="the ONNX definition of QuantizeLinear: arithmetic, whatever the compiler does",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, float[2] ws = {0.01, 0.01}, int8[2] wz = {0, 0}, int8[2,16,1,1] wq = {127, 1, -2, 3, 1, 2, -3, 4, 5, 1, 2, 3, -1, 2, 3, 1, 127, 90, -80, 60, 127, -40, 30, 20, 60, 50, -90, 80, 70, 60, 50, 40}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear <axis: int = 0> (wq, ws, wz)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, float[2] ws = {0.01, 0.01}, int8[2] wz = {0, 0}, int8[2,16,1,1] wq = {127, 91, -72, 53, 21, 82, -33, 64, 75, 81, 92, 103, -41, 52, 43, 31, 127, 90, -80, 60, 127, -40, 30, 20, 60, 50, -90, 80, 70, 60, 50, 40}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear <axis: int = 0> (wq, ws, wz)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
)
