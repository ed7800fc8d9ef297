"""N112: a constant operand without quantization parameters of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import Layer, Operand
from npuscope.model.names import printable_kind
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.operators import ARITHMETIC
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    constants = [o for o in layer.inputs if o.constant is not None and o.bare]
    if not constants or is_float(layer, context) or all(o.constant is not None for o in layer.inputs):
        return
    size = constants[0].constant.size if constants[0].constant is not None else 0
    values = "a float constant" if size == 1 else f"{size} float constants"
    unbounded = _unbounded(constants, context)
    if unbounded:
        yield Finding(
            "N112",
            Severity.WARNING,
            f"{printable_kind(layer)} reads {values} without a Q/DQ, {unbounded} of which no scale can hold: infinity or NaN",
            "An int8 tensor has one scale; that of an infinite value is infinite, and every other value is lost.",
            "use a finite number in their place: in a mask -100 hides as well as -infinity",
            None,
            Confidence.DOCUMENTED,
        )
        return
    yield Finding(
        "N112",
        Severity.ADVICE,
        f"{printable_kind(layer)} reads {values} without a Q/DQ; the compiler quantizes what it finds",
        "Seen once: a Div by a float constant stayed on the NPU.",
        "put a QuantizeLinear/DequantizeLinear on the constant to choose its scale yourself",
        None,
        Confidence.INFERRED if size == 1 else Confidence.UNKNOWN,
    )


def _unbounded(constants: list[Operand], context: Context) -> int:
    """How many values are no finite numbers, as far as they are read."""
    arrays = (context.graph.value(operand.tensor) for operand in constants)
    return sum(int(array.size - np.isfinite(array).sum()) for array in arrays if array is not None)


RULE = Rule(
    code="N112",
    title="Float constant",
    what="Looks for an elementwise layer with a constant operand that has no Q/DQ.",
    why="The front end gives the constant its own format; none fits infinity. A Div by a float constant ran on the NPU in "
    "yolov11n_micro_224; a constant of many values was not seen. A Sub runs in float instead (N101, N307).",
    fix="Quantize the constant.",
    source="yolov11n_micro_224 (4.0.1): Div by a constant without DequantizeLinear or QuantizeLinear around it",
    confidence=Confidence.INFERRED,
    check=check,
    by_form=True,
    kinds=ARITHMETIC - {"Sub"},
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}, float c = {2.0}>
{ f = DequantizeLinear(x, s, z)
  r = Mul(f, c)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}, int8 c = {20}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Mul(f, k)
  y = QuantizeLinear(r, s, z) }""",
)
