"""N502: a Split or Slice whose parts are not blocks of memory."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.GATHER_PART:
        return None
    shape = "x".join(map(str, cause.sizes("shape")))
    if cause.why is Why.SPLIT_FLOAT_INPUT:
        return Finding(
            "N502",
            Severity.WARNING,
            f"{layer.kind} along axis {cause['axis']} of {shape} takes a part of an input that stays float",
            "A routine copies each part: nothing that the CPU runs reads a part of a tensor.",
            "make each part an input of its own",
            cause.placement,
            Confidence.INFERRED,
        )
    if cause.why is Why.SPLIT_UNALIGNED:
        return Finding(
            "N502",
            Severity.WARNING,
            f"Split of float rows: a part of {cause['bytes']:,} bytes ends within a cache line",
            "Parts of whole cache lines (32 bytes) are one copy of the stream engines; others a routine of the CPU copies one by one.",
            "quantize the network, or make the parts multiples of 8 floats",
            cause.placement,
            Confidence.INFERRED,
        )
    return Finding(
        "N502",
        Severity.WARNING,
        f"{layer.kind} along axis {cause['axis']} of {shape}: the parts interleave in memory",
        "Parts along the channels are read at an offset; along height or width the CPU drives a DMA routine.",
        f"{layer.kind.lower()} along the channels, or write two layers instead of one",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N502",
    title="Split that interleaves",
    what="Looks for a Split or Slice along an axis that has a dimension above 1 left of it.",
    why="Where all dimensions left of the axis are 1, the parts are blocks, and readers take them at an offset, at no"
    " cost. So are rows of a map that a unit wrote, its channels innermost (3 of 3 Splits, 2.2). Otherwise a "
    "runtime routine (LL_ATON_LIB_Split, LL_ATON_LIB_Slice) copies them. From 3.0 on, a Gather with one constant "
    "index counts as such a part (10 of 10, 4.0.1), but a Gather from a map stays on the CPU (3 of 3, 4.0.1). "
    "From 4.0 on, rows that leave the network are copied by a routine (14 of 17), columns of a one-row map that a"
    " unit wrote are blocks (6 of 6), and Slices of one tensor share an epoch (3 of 3 pairs); of an input that stays"
    " float, a routine takes each (2 of 2, 4.0.1). Up to 2.2, a Split "
    "of float rows is a copy where each part is a block of whole cache lines, and a routine where one is not (2 "
    "of 2, 2.2).",
    fix="Split along the channels.",
    source="yolov11n_micro_224 (4.0.1): attention Split along height hybrid, channel Splits and Slices not; LESSONS D2; "
    "rows: a plate detector of dahuangelululu/dahuange111 (2.2); Gather: sh_240_quant of Compal; from 4.0: LiSenNet of LarocheC/eco8-neaixt; "
    "float inputs: a DNSMOS of LarocheC/dnsmos_exported; floats: a YOLOv8n of s1f102300638/stm32n6570-2-, and the heads of transformer_128 (2.2)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.SPLIT_INTERLEAVES, Why.SPLIT_UNALIGNED, Why.SPLIT_FLOAT_INPUT, Why.GATHER_PART}),
    word=word,
    kinds=frozenset({"Split", "Slice", "Gather"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,2,4] y, int8[1,8,2,4] v) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  a, b = Split <axis = 2> (f)
  y = QuantizeLinear(a, s, z)
  v = QuantizeLinear(b, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,4,4,4] y, int8[1,4,4,4] v) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  a, b = Split <axis = 1> (f)
  y = QuantizeLinear(a, s, z)
  v = QuantizeLinear(b, s, z) }""",
)
