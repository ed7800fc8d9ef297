"""N601: a float input or output of the graph."""

from __future__ import annotations

from npuscope.model.layers import QUANTIZE, Layer
from npuscope.model.names import quoted
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    side, operand = ("input", layer.input) if layer.kind == QUANTIZE else ("output", layer.output)
    assert operand is not None
    name = quoted(operand.tensor)
    if cause.why is Why.BORDER_RUN:
        return Finding(
            "N601",
            Severity.ERROR,
            f"graph {side} {name!r} is float and stays so: its {layer.kind} runs on the CPU",
            "The front end keeps the border's type, because an option or the file says so.",
            f"compile with --{side}-data-type int8",
            cause.placement,
            Confidence.INFERRED,
        )
    if cause.why is Why.BORDER_REQUANTIZED:
        return Finding(
            "N601",
            Severity.ADVICE,
            f"graph {side} {name!r} becomes uint8, the data inside are int8; an epoch on the NPU requantizes it",
            f"--{side}-data-type uint8 is not the type that {layer.kind} has.",
            f"feed int8 data and compile with --{side}-data-type int8"
            if side == "input"
            else "read int8 data and compile without the option",
            cause.placement,
            Confidence.INFERRED,
        )
    return Finding(
        "N601",
        Severity.ADVICE,
        f"graph {side} {name!r} is float; the compiler makes it int8",
        f"{layer.kind} at the border is dropped and the {side} takes its scale and zero point; with "
        f"--{side}-data-type float32 it stays and runs on the Cortex-M55.",
        f"feed int8 data, or expect one {layer.kind} on the CPU" if side == "input" else "read int8 data",
        Placement.NONE,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N601",
    title="Float graph border",
    what="Looks for a QuantizeLinear directly after a float graph input and a DequantizeLinear directly before a "
    "float graph output.",
    why="In an ONNX model stedgeai drops both by default and makes the border int8: the reports list int8 inputs and "
    "outputs and no such epoch. With --input-data-type or --output-data-type uint8 an epoch on the NPU requantizes int8. With --input-data-type or --output-data-type float32 it stays, as a float epoch on the CPU; "
    "so it does in an intermediate model, and in a TFLite file unless an option asks for integers.",
    fix="Feed and read int8 data with the scale and zero point shown.",
    source="reports of mobilenet_v2_224, yolov11n_micro_224, ocr_det_160, speech_tcnn_257 (dropped), "
    "mobilefacenet_qop (kept, with the option); mobilenet_v1_224, face_landmark_192_float_io (kept, TFLite), st_yolo_x_480 "
    "(TFLite, dropped with the option)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.BORDER_DROPPED, Why.BORDER_REQUANTIZED, Why.BORDER_RUN}),
    word=word,
    kinds=frozenset({"QuantizeLinear", "DequantizeLinear"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
