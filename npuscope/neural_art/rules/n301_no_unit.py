"""N301: an operator without an accelerator."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.model.validity.foreign import STANDARD, rounding
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.operators import DYNAMIC, PACKED
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why in (Why.LARGER_OF_MAPS, Why.ACTIVATION_UNIT):
        return None
    if cause.why is Why.COMPUTED_SCALES:
        why = "It takes scales that are computed at run time; the compiler needs them when it compiles."
    elif cause.why is Why.NO_UNIT:
        why = "ST's operator table maps it to the Cortex-M55."
    elif layer.kind in PACKED:
        why = "Its weights are packed and have a scale for each block; the NPU takes one scale per output channel."
    else:
        why = "ST's operator table does not list it: the compiler may run it in float on the Cortex-M55, or refuse it."
    return Finding(
        "N301",
        Severity.ERROR,
        f"{printable_kind(layer)} has no NPU unit",
        why,
        STANDARD
        if layer.core.name in rounding(context.graph)
        else way_without_unit(layer.kind)
        or "express it in operators the NPU has, or leave it to the application",
        cause.placement,
        Confidence.DOCUMENTED if cause.why is Why.NO_UNIT else Confidence.UNKNOWN,
    )


def way_without_unit(kind: str) -> str:
    """What to do about an operator that the NPU has no unit for, where more can be said than for any; '' else."""
    return _FIXES.get(kind, "")


OF_THE_APPLICATION = frozenset(
    {
        "NonMaxSuppression",
        "TopK",
        "GatherElements",
        "GatherND",
        "NonZero",
        "Unique",
        "Compress",
        "ScatterElements",
        "ScatterND",
        "RoiAlign",
        "MaxRoiAlign",
        "MaxUnpool",
    }
)
"""Operators that choose by indices they compute or are given: no quantization brings them closer to the NPU."""

_CUT = "end the model before it and leave it to the application: 'npuscope cut' writes both parts"

_OPTIMIZED = "onnxruntime's optimizer wrote it: open the model it was made from, or optimize with ORT_ENABLE_BASIC at most"

_FIXES = {
    "Max": "Max with 0 is Relu, with a constant a Clip",
    "Min": "Min with a constant is a Clip",
    "Pow": "a power of 2 is Mul with itself, of 0.5 a Sqrt",
    "Reciprocal": "a Div by a constant is a Mul; a quotient of two activations has no unit",
    "ReduceSum": "over the last one or two axes ReduceMean and a Mul by the number of elements, over channels a 1x1 Conv "
    "whose weights are all 1",
    "ArgMax": "leave it to the application: it needs the logits only",
    "ArgMin": "leave it to the application",
    "DequantizeLinear": "let an operator read it, or read int8 data",
    "Tile": "let the reader broadcast instead",
    "Expand": "let the reader broadcast instead",
    **dict.fromkeys(
        DYNAMIC, "quantize with quantize_static and calibration data instead of quantize_dynamic"
    ),
    **dict.fromkeys(
        PACKED,
        "quantize the weights to int8 per channel (or to int4 per channel for 3.0 and later), in QDQ form, not in packed blocks",
    ),
    **dict.fromkeys(
        (
            "FusedConv",
            "FusedGemm",
            "FusedMatMul",
            "BiasGelu",
            "FastGelu",
            "QuickGelu",
            "SkipLayerNormalization",
        ),
        _OPTIMIZED,
    ),
    "Einsum": "write it as a MatMul with Transposes: with constant weights that is a Conv of the NPU, of two activations an int8 "
    "product of the CPU",
    "Where": "add a mask of 0 and of a number as large as the scores, not of -1e9: one scale has to hold both",
    **dict.fromkeys(OF_THE_APPLICATION, _CUT),
    **dict.fromkeys(
        ("Softplus", "Mish"),
        "train with HardSwish, Swish (x * Sigmoid(x)) or Relu in its place: their activation units compute those",
    ),
    "Gelu": "write it with Erf, Mul and Add, or as x * Sigmoid(1.702 x)",
}


RULE = Rule(
    code="N301",
    title="Operator has no NPU unit",
    what="Looks the operator up in ST's table of supported operators.",
    why="The NPU has convolution, arithmetic, activation and pooling accelerators. Other operators run on the "
    "Cortex-M55, mostly in float with DequantizeLinear and QuantizeLinear around them.",
    fix="Express it in operators that have a unit: Max(x, 0) is Relu, Pow(x, 2) is Mul(x, x).",
    source="FACTS 4 (ST documentation of Core 2.1; ArgMax and Gather in int8 from 3.0 on by later documentation, "
    "third-party; a Gather in float in 2.2: 10 of 10, sh_240_quant of Compal; Max and Min of two maps on the NPU from 2.2 on, "
    "inferred: three builds of birdnet-team/birdnet-stm32; Elu from 4.0 on, inferred: churro206/pib-hand-sim, 4.0.1); "
    "scales known when compiling: FACTS 3.1",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset(
        {Why.NO_UNIT, Why.NOT_LISTED, Why.COMPUTED_SCALES, Why.LARGER_OF_MAPS, Why.ACTIVATION_UNIT}
    ),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Log(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
