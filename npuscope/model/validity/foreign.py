"""Quantizers that are not ONNX operators, and how the tools that write them export QuantizeLinear/DequantizeLinear.

Quantization written as arithmetic is among them: Div, Round, Clip, Mul; Cast, Sub, Mul of stored weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import onnx

from npuscope.model.graph import Graph, Node
from npuscope.model.validity.functions import function_of, way_out
from npuscope.record import dataclass


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A tool that writes its own quantizers, and how to get standard ones."""

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
STANDARD = "export with standard QuantizeLinear/DequantizeLinear"
BY_ARITHMETIC = "quantizes by arithmetic (Div, Round, Clip, Mul), which ST's tools take as float"
_TENSORRT = Quantizer("TensorRT", f"{STANDARD} of int8")
_PYTORCH = Quantizer(
    "PyTorch", f"{STANDARD}: torch.onnx.export writes them for fake_quantize from opset 13 on"
)
_MQBENCH = Quantizer("MQBench", STANDARD)
_TRAINING = Quantizer("onnxruntime-training", f"{STANDARD}, once the model is trained")
_AIMET = Quantizer("AIMET", STANDARD)

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
    if node.domain == "com.microsoft":
        return _TRAINING if node.op == "FakeQuant" else None
    if node.standard and _is_onnx(node.op):
        return None
    if node.domain == "tflite":  # what a TFLite file holds and has no form in ONNX
        return None
    known = _BY_OP.get(node.op)
    if known is not None:
        return known
    name = node.op.lower()
    if name == "aten":  # PyTorch's way to write what it has no export for
        name = f"aten_{node.text('operator', '').lower()}"
    if name.startswith(
        ("fake_quantize_per", "aten_fake_quant", "aten_quant", "fused_moving_avg_obs_fake_quant")
    ):
        return _PYTORCH
    if name.startswith(
        ("fixedper", "fakequantizelearnable", "fakequantizedsq", "fakeaffinetensorquant", "learnableper")
    ):
        return _MQBENCH
    if name.startswith("qcquantize"):
        return _AIMET
    if name.startswith(("fake_quant", "fake_channel_wise_quant", "quantize_linear", "dequantize_linear")):
        return _PADDLE
    if name.startswith("trt_") and "quant" in name:
        return _TENSORRT
    if "quant" in name:
        return Quantizer(f"the domain {node.domain!r}" if node.domain else "a tool other than ONNX", STANDARD)
    return None


@lru_cache(maxsize=1 << 12)
def _is_onnx(op: str) -> bool:
    """ONNX has, or had, an operator of that name."""
    return bool(onnx.defs.has(op))


def obstacle(graph: Graph) -> str:
    """What keeps all of a model from being read as quantized, and what to do, in a sentence; '' where nothing does."""
    reason = hindrance(graph)
    return "" if reason is None else f"The model {reason[0]}: {reason[1]}"


@lru_cache(maxsize=4)
def hindrance(graph: Graph) -> tuple[str, str] | None:
    """What the model does that hides its quantization, in a clause, and what to do; None where nothing does."""
    for node in graph.nodes:
        if function_of(graph, node) is not None:
            return "keeps layers in functions", way_out(graph, node)
        quantizer = foreign_quantizer(node)
        if node.op in _DYNAMIC and node.domain in ("", "com.microsoft"):
            way = "quantize with quantize_static and calibration data instead of quantize_dynamic"
            return "is quantized at run time (dynamic quantization)", way
        if rounds(graph, node):
            return BY_ARITHMETIC, STANDARD
        if quantizer is not None:
            return (
                f"is quantized by operators of {quantizer.tool}, which are not ONNX operators",
                quantizer.way,
            )
    return None


_DYNAMIC = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"})


MOST_STEPS = 256


def unfolded(graph: Graph, tensor: str) -> Node | None:
    """The node that keeps a tensor, computed of constants alone, from being one; None where an input is in it."""
    pending, seen = [tensor], {tensor}
    nearest: Node | None = None
    while pending:
        name = pending.pop()
        node = graph.producer(name)
        if node is None:
            if name not in graph.constants:
                return None
            continue
        if graph.is_fixed(node):
            continue
        if all(_is_known(graph, read) for read in node.inputs):
            nearest = nearest or node
        new = [read for read in (*node.inputs, *_read_inside(graph, node)) if read and read not in seen]
        seen.update(new)
        pending += new
        if len(seen) > MOST_STEPS:
            return None
    return nearest


def _is_known(graph: Graph, tensor: str) -> bool:
    return not tensor or tensor in graph.constants or tensor in graph.derived


def _read_inside(graph: Graph, node: Node) -> Iterable[str]:
    return graph.outer_reads(node) if node.subgraphs else ()


MOST_SCALINGS = 8
_BYTES = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
_STORED = frozenset({"int8", "uint8", "int4", "uint4", "int2", "uint2"})
_SCALING = frozenset(
    {"Cast", "Sub", "Add", "Mul", "Div", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Identity"}
)


def rounds(graph: Graph, node: Node) -> bool:
    """A Round between a division and a multiplication by constants, or a Cast to 8 bits, perhaps with a Clip."""
    return bool(_chain(graph, node))


@lru_cache(maxsize=4)
def rounding(graph: Graph) -> frozenset[str]:
    """The nodes of all such chains, by name."""
    return frozenset(name for node in graph.nodes for name in _chain(graph, node))


def _chain(graph: Graph, node: Node) -> tuple[str, ...]:
    if node.op != "Round" or not node.standard or graph.is_fixed(node):
        return ()
    before, after = [graph.producer(node.input(0))], [_reader(graph, node)]
    while len(before) < MOST_BETWEEN and _shifts(graph, before[-1]):
        before.append(graph.producer(_data(graph, before[-1])))
    while len(after) < MOST_BETWEEN and _shifts(graph, after[-1]):
        after.append(_reader(graph, after[-1]))
    if not _scales(graph, before[-1]) or not (_scales(graph, after[-1]) or _to_bytes(after[-1])):
        return ()
    return tuple(one.name for one in (node, *before, *after) if one is not None)


MOST_BETWEEN = 4
"""Nodes from a Round to the node that scales: the zero point may be added and taken off, and a Clip stand between."""


def _shifts(graph: Graph, node: Node | None) -> bool:
    """A Clip, or a zero point that is added or taken off."""
    if node is None or not node.standard:
        return False
    return node.op == "Clip" or (node.op in ("Add", "Sub") and any(_is_known(graph, n) for n in node.inputs))


def _data(graph: Graph, node: Node | None) -> str:
    """What a node reads that is not known beforehand."""
    return next((name for name in node.inputs if not _is_known(graph, name)), "") if node is not None else ""


def _reader(graph: Graph, node: Node | None) -> Node | None:
    if node is None:
        return None
    readers = graph.consumers.get(node.output(0), ())
    return graph.nodes[readers[0]] if len(readers) == 1 else None


def _to_bytes(node: Node | None) -> bool:
    return node is not None and node.op == "Cast" and node.integer("to", 0) in _BYTES


def _scales(graph: Graph, node: Node | None) -> bool:
    return (
        node is not None
        and node.op in ("Mul", "Div")
        and any(name in graph.constants or name in graph.derived for name in node.inputs)
    )


def stored_as(graph: Graph, tensor: str) -> str:
    """The type in which a float constant is stored that a Cast and a Mul bring to its values; '' where it is no such."""
    scaled = False
    for _ in range(MOST_SCALINGS):
        node = graph.producer(tensor)
        if node is None or node.op not in _SCALING or not node.standard:
            return ""
        scaled |= node.op in ("Mul", "Div")
        data = [name for name in node.inputs if graph.producer(name) is not None]
        if node.op == "Cast" and graph.type(node.input(0)).dtype in _STORED:
            return graph.type(node.input(0)).dtype if scaled else ""
        if len(data) != 1:
            return ""
        tensor = data[0]
    return ""
