"""N111: a form of an operator that nothing decides."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.unseen import KINDS
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

_WORDS = {
    "multiplier": (
        "has a depth multiplier of {value}",
        "a depthwise Conv and a 1x1 one, or one of full depth",
    ),
    "grouped_kernel": ("has {value} groups and a kernel of two dimensions", "one group, or a depthwise Conv"),
    "grouped_row": ("has {value} groups and a kernel of one row or column", "one group, or a depthwise Conv"),
    "grouped_transposed": ("has {value} groups", "one group, or a nearest Resize and a depthwise Conv"),
    "dilated_transposed": ("has a dilation of {value}", "a larger kernel without dilation"),
    "negative": ("has a negative amount of {value}", "a Slice, or fewer pads before"),
    "uncounted": ("leaves its pads of {value} out of the mean", "count_include_pad = 1, or no pads"),
    "ceil": (
        "has a last window that ends {value} behind its map (ceil_mode)",
        "a Pad before it, or a map whose size divides",
    ),
    "turned": (
        "transposes its input of {value} rows (transA)",
        "a Transpose where the layer before can write that order",
    ),
    "batches": (
        "joins its parts along the batch, to {value}",
        "channels, or one call of the network for each",
    ),
    "columns": (
        "joins unequal channels of {value} parts behind a Conv1d",
        "parts of equal channels, or maps of four dimensions",
    ),
    "prime": ("has a window of {value}, which has a large prime factor", "windows of smaller factors"),
    "uneven": ("repeats values {value} times", "the same whole factor for height and width"),
    "bias": ("has a bias of {value}", "one of int32 in steps of input scale x weight scale"),
    "training": ("{value} (training mode)", "an export for inference (model.eval())"),
    "slopes": ("has slopes that are computed", "constant slopes"),
}
"""What of the layer was not seen, and what was, in place of it."""


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    what, instead = (text.format(value=cause["value"]) for text in _WORDS[str(cause["form"])])
    return Finding(
        "N111",
        Severity.ADVICE,
        f"{printable_kind(layer)} {what}; no compiled network contains this form, so where it runs is unknown",
        "It is judged like the operator's usual form, which the NPU runs; ST's documentation does not cover this form.",
        f"compile the layer alone to see, or use {instead}",
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N111",
    title="Form never seen compiled",
    what="Looks for forms of operators on the NPU that neither a compiled network nor the documentation decides: depth "
    "multipliers, groups of several channels with a larger kernel than 1x1 (up to 2.2 of one row), groups or dilation in a "
    "ConvTranspose, negative Pads, means that leave pads out, windows beyond the map, a transposed Gemm input, a Concat of batches or of "
    "unequal channels of a Conv1d, a maximum over a window with a large prime factor, a nearest Resize by unlike factors, computed slopes, training mode, "
    "a bias of fewer bits than int32.",
    why="Such a layer is shown on the NPU because the operator is. The compiler may take it apart, leave it to the CPU, or "
    "refuse it. A third party reported grouped two-dimensional kernels on the CPU (N204); RegNetX-002 takes the NPU's time for "
    "them in ST's table (3.0).",
    fix="Compile the layer alone, or use the usual form.",
    source="none: no compiled network has one; FACTS 4 (ST documentation) does not cover them",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.FORM_UNSEEN}),
    word=word,
    kinds=KINDS,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,16,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 1, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 1, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
