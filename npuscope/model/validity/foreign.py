"""Quantizers that are no ONNX operators, and how the tools that write them export QuantizeLinear/DequantizeLinear."""

from __future__ import annotations

from dataclasses import dataclass

from npuscope.model.graph import Graph, Node


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A tool that writes quantizers of its own, and the way to standard ones."""

    tool: str
    way: str


_NNCF = Quantizer(
    "OpenVINO and NNCF",
    "quantize the ONNX model itself with nncf.quantize, which writes QuantizeLinear/DequantizeLinear",
)
_QONNX = Quantizer(
    "Brevitas and QONNX",
    "export with brevitas.export.export_onnx_qcdq, or convert with qonnx-convert --output-style qcdq",
)
_QUARK = Quantizer(
    "AMD Quark and Vitis AI", "quantize with QuantFormat.QDQ in place of an extended or VitisAI format"
)
_PADDLE = Quantizer("Paddle", "export with paddle2onnx and deploy_backend='onnxruntime'")
_TENSORRT = Quantizer("TensorRT", "export with standard QuantizeLinear/DequantizeLinear of int8")

_BY_OP: dict[str, Quantizer] = {
    "FakeQuantize": _NNCF,
    "FakeConvert": _NNCF,
    **dict.fromkeys(("Quant", "IntQuant", "FloatQuant", "BipolarQuant", "Trunc", "MultiThreshold"), _QONNX),
    **dict.fromkeys(
        ("ExtendedQuantizeLinear", "ExtendedDequantizeLinear", "VitisQuantizeLinear", "VitisDequantizeLinear",
         "BFPQuantizeDequantize", "BFPFixNeuron", "MXFixNeuron", "MXQuantizeDequantize", "FixNeuron"), _QUARK),
}  # fmt: skip


def foreign_quantizer(node: Node) -> Quantizer | None:
    """The tool whose quantizer a node is; None for operators of ONNX and onnxruntime, and for all others."""
    if node.standard or node.domain == "com.microsoft":
        return None
    known = _BY_OP.get(node.op)
    if known is not None:
        return known
    name = node.op.lower()
    if name.startswith(("fake_quant", "fake_channel_wise_quant", "quantize_linear", "dequantize_linear")):
        return _PADDLE
    if name.startswith("trt_") and "quant" in name:
        return _TENSORRT
    if "quant" in name:
        return Quantizer(
            f"the domain {node.domain!r}", "export with standard QuantizeLinear/DequantizeLinear"
        )
    return None


def obstacle(graph: Graph) -> str:
    """What keeps all of a model from being read as quantized, and what to do, in a sentence; '' where nothing does."""
    for node in graph.nodes:
        if (node.domain, node.op) in graph.functions:
            return (
                "The model keeps layers in functions of its own: write them out first "
                "(onnx.inliner.inline_local_functions(model))"
            )
        quantizer = foreign_quantizer(node)
        if quantizer is not None:
            return f"The model is quantized by operators of {quantizer.tool}, which are no ONNX operators: {quantizer.way}"
    return ""
