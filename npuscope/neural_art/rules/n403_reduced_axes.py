"""N403: a mean over other axes than height and width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.layout import reduced_axes
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    names = _named(cause.sizes("axes"))
    return Finding(
        "N403",
        Severity.ERROR,
        f"{printable_kind(layer)} over {names} is not a pooling of height and width",
        "Only reductions that can be written as a global pooling map to the NPU.",
        "reduce the last one or two axes only",
        cause.placement,
        Confidence.UNKNOWN,
    )


def _named(axes: Sequence[int]) -> str:
    """'axis 1', 'axes 1, 2'."""
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes))}"


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    dims = layer.input_dims
    axes = reduced_axes(layer)
    if dims is None or axes is None or is_float(layer, context):
        return
    axes = tuple(a for a in axes if dims[a] > 1)
    if not axes or 0 in axes or len(axes) > 2:
        return
    if all(i < min(axes) for i, dim in enumerate(dims) if dim > 1 and i not in axes):
        return
    names = _named(axes)
    yield Finding(
        "N403",
        Severity.ADVICE,
        f"{printable_kind(layer)} over {names}, not over the last: Transposes are put before and after the pooling",
        "A reduction over the right-most axes is a global pooling as it stands; others are brought into that form.",
        "reduce the last axes, or exchange axes earlier where it is free",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N403",
    title="Reduced axes",
    what="Looks for a quantized ReduceMean or ReduceMax over axes that are not the last one or two.",
    why="The operator is mapped by turning it into GlobalAveragePool or GlobalMaxPool. That costs nothing only if the"
    " reduced axes are the last ones; otherwise transposes and reshapes are added, or the layer falls back to "
    "software.",
    fix="Reduce the right-most axes.",
    source="FACTS 4 (ST documentation), LESSONS D7",
    confidence=Confidence.DOCUMENTED,
    check=check,
    causes=frozenset({Why.REDUCTION_OF_OTHER_AXES}),
    word=word,
    kinds=frozenset({"ReduceMean", "ReduceMax"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,1,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = ReduceMean <axes = [1]> (f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = ReduceMean <axes = [2, 3]> (f)
  y = QuantizeLinear(r, s, z) }""",
)
