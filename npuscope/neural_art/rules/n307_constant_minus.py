"""N307: a constant minus an activation."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import bare, folded_away, on_cpu
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if len(layer.inputs) != 2 or folded_away(layer):
        return
    first, second = layer.inputs
    if second.constant is not None:
        return
    elements = (first.dims, second.dims)
    smaller = None not in elements and _size(elements[0]) < _size(elements[1])
    if first.constant is None and not smaller:
        return
    what = "a constant" if first.constant is not None else "a smaller operand"
    yield Finding(
        "N307",
        Severity.ERROR,
        f"Sub takes an activation from {what}",
        "The repeated or constant operand must come second; only commutative operators may be turned around.",
        "write it as an Add, with the sign in the weights of the layer before or in a Mul by -1 (edit sub-to-add)",
        Placement.SW_FLOAT if bare(first) else on_cpu(layer, context),
        Confidence.INFERRED,
    )


def _size(dims: tuple[int, ...] | None) -> int:
    total = 1
    for size in dims or ():
        total *= size
    return total


RULE = Rule(
    code="N307",
    title="Constant minus activation",
    what="Looks for a Sub whose first operand is a constant, or smaller than the second.",
    why="The compiler exchanges operands only where that is allowed. `constant - x` ran on the Cortex-M55 in both "
    "networks that have it, in float where the constant was not quantized.",
    fix="Add(-x, constant): the sign goes into the weights of the layer before, or into a Mul by -1; not into a Neg (N710).",
    source="transformer_128 (2.2): 12 of 12 in int8; yolov11n_micro_224 (4.0.1): in float; FACTS 4 (broadcast rules)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"Sub"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {20}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Sub(k, f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {20}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Sub(f, k)
  y = QuantizeLinear(r, s, z) }""",
)
