"""N501: a Concat whose parts are not blocks of memory."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    parts = cause.sizes("parts")
    channels = " + ".join(map(str, parts[:8])) + (" + ..." if len(parts) > 8 else "")
    shape = "x".join(map(str, cause.sizes("shape")))
    if cause.why is Why.CONCAT_INTERLEAVES:
        message = f"Concat along axis {cause['axis']} of {shape}: the parts interleave in memory"
        why = "Only where all dimensions left of the axis are 1 can each part be written at its offset."
        fix = "concatenate along the channels"
    elif cause.why is Why.CONCAT_UNEQUAL:
        message = (
            f"Concat of {channels} channels: unequal parts share no layout, so a runtime routine joins them"
        )
        why = (
            "Up to 2.2 parts with unequal channel counts are written in place only where nothing else reads them, they have the "
            "Concat's scale, and eight channels at a time fit them all; from 3.0 on others are too."
        )
        fix = "give all parts the same number of channels, or compile with 3.0 or later"
    elif cause.why is Why.CONCAT_SHARED:
        message = (
            f"Concat of {channels} channels: part {cause['part']} is read by {cause['readers']} layers and is not "
            "requantized, so a runtime routine joins them"
        )
        why = "A shared part that already has the Concat's scale keeps the layout that its writer chose for the others."
        fix = "give all parts the same number of channels, or the shared part a scale of its own"
    elif cause.why is Why.CONCAT_CPU_PART:
        message = f"Concat of {channels} channels: the CPU writes part {cause['part']}, so a runtime routine joins them"
        why = "The CPU writes all channels of a position side by side, a layout that unequal parts do not share."
        fix = "give all parts the same number of channels, or resize to the nearest value by a whole factor"
    elif cause.why is Why.CONCAT_CONSTANT:
        message = f"Concat along axis {cause['axis']}: part {cause['part']} is a constant, so a runtime routine joins the parts"
        why = "No unit writes a constant at its offset; it is copied from where the weights lie."
        fix = "add the constant's share in the layer behind: a Gemm of a Concat with a constant is a Gemm with another bias"
    else:
        return None
    return Finding("N501", Severity.WARNING, message, why, fix, cause.placement, Confidence.INFERRED)


RULE = Rule(
    code="N501",
    title="Concat joined by a runtime routine",
    what="Looks for a Concat along an axis that has a dimension above 1 left of it, and for a Concat of unequal parts "
    "along the channels.",
    why="Along the channels a Concat costs nothing, or one copy: its producers write at an offset. Along the width, "
    "as in the heads of detectors, and where the parts have no layout in common, the CPU drives the DMAs "
    "(LL_ATON_LIB_Concat), at about 8 CPU cycles an element. Unequal parts of four dimensions take this routine "
    "up to 2.2 (18 of 18), except vectors (1 of 1, 2.1), parts that all lie channel by channel behind a Reshape "
    "(3 of 3), and parts of one scale and of multiples of eight channels that nothing else reads (2 of 2, "
    "FaceNet, 2.2: of 128; none of the 18 has such parts). From 3.0 on they take it where a part is read "
    "elsewhere too and already has the Concat's scale (34 of 34), or where a Resize on the CPU wrote such a part "
    "(1 of 1, 4.0.0). A constant part always takes it (10 of 10, 2.2 and 4.0). Along the height, parts of a map "
    "that a unit wrote are blocks, as its channels lie innermost (3 of 3, 2.2), from 4.0 on also beside inputs of"
    " the network (14 of 17; in each of the others a part is columns of another map in the Concat's scale). Equal"
    " parts of floats along the channels are copied by the stream engines (13 of 13, 2.2; other versions were not"
    " seen).",
    fix="Concatenate along the channels, parts of equal size.",
    source="yolov11n_micro_224, yolov8n_micro_224 (4.0.1), st_yolo_x_480 (3.0), yolov8_face (2.2), "
    "ssd_mobilenet_v1_256, blazeface_front_128 (2.1); FACTS 4 (RSN); constants: sh_240_quant of Compal (2.2, 4.0.1); along "
    "the height: a plate detector of dahuangelululu/dahuange111 (2.2), LiSenNet of LarocheC/eco8-neaixt (4.0.1); floats: a YOLOv5n of "
    "aldo-smart/STM32N6-FaceRecognition (2.2); parts that nothing else reads: FaceNet of muazzamaqeel/BA-EmbeddedAI (2.2); "
    "a part of a Resize: a gauge reader on a MobileNetV2 (4.0.0)",
    confidence=Confidence.INFERRED,
    causes=frozenset(
        {
            Why.CONCAT_INTERLEAVES,
            Why.CONCAT_UNEQUAL,
            Why.CONCAT_SHARED,
            Why.CONCAT_CPU_PART,
            Why.CONCAT_CONSTANT,
            Why.CONCAT_IN_PLACE,
            Why.CONCAT_PLANES,
            Why.FLOATS_COPIED,
        }
    ),
    word=word,
    kinds=frozenset({"Concat"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4] a, int8[1,8,6] b) => (int8[1,8,10] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Concat <axis = 2> (f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4] a, int8[1,6,4] b) => (int8[1,14,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Concat <axis = 1> (f, h)
  y = QuantizeLinear(r, s, z) }""",
)
