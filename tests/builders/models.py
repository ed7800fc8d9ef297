"""Small models for tests, from ONNX text or built in code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from npuscope.machine.machine import target
from npuscope.model.load import Source, load
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"
DENOISER = SAMPLES / "denoiser_lstm_int8.onnx"
SHARED = ROOT.parent / "shared"


def save_text(text: str, path: Path) -> Path:
    """Write a model given as ONNX text."""
    onnx.save(onnx.parser.parse_model(text), path)
    return path


def from_text(text: str, folder: Path) -> Source:
    """Load a model given as ONNX text."""
    return load(save_text(text, folder / "model.onnx"))


def analysed(source: Source, toolchain: str = "2.1") -> Snapshot:
    """The snapshot of an unedited model."""
    return analyse(Session.open(source, target(toolchain)))


def gemm_qdq(
    ich: int,
    och: int,
    zero_point: int = 5,
    rows: int = 1,
    seed: int = 0,
    name: str = "Gemm_0",
) -> onnx.ModelProto:
    """One int8 QDQ Gemm with per-channel weights, as onnxruntime's quantizer writes it."""
    rng = np.random.default_rng(seed)
    weights: NDArray[np.int8] = rng.integers(-127, 128, (och, ich), dtype=np.int8)
    scales = rng.uniform(0.001, 0.01, och).astype(np.float32)
    out_scale = np.float32(0.02 * scales.max() * 127 * np.sqrt(ich) / 8)
    initializers = {
        "x_s": np.float32(0.02),
        "x_z": np.int8(zero_point),
        "w": weights,
        "w_s": scales,
        "w_z": np.zeros(och, np.int8),
        "b": rng.integers(-1000, 1000, och, dtype=np.int32),
        "b_s": (scales * np.float32(0.02)).astype(np.float32),
        "b_z": np.zeros(och, np.int32),
        "y_s": out_scale,
        "y_z": np.int8(3),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "x_s", "x_z"], ["x_f"], name="x_dq"),
        helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_f"], name="w_dq", axis=0),
        helper.make_node("DequantizeLinear", ["b", "b_s", "b_z"], ["b_f"], name="b_dq", axis=0),
        helper.make_node("Gemm", ["x_f", "w_f", "b_f"], ["y_f"], name=name, transB=1),
        helper.make_node("QuantizeLinear", ["y_f", "y_s", "y_z"], ["y"], name="y_q"),
    ]
    graph = helper.make_graph(
        nodes,
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [rows, ich])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [rows, och])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in initializers.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
