"""The float models behind the ground truth: verdicts as if quantized are those after quantizing them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from builders.longer import suite_or_long

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT.parent / "shared" / "groundtruth" / "cases"
NAMES = suite_or_long(
    ("mobilefacenet_qdq", "tcn_calculator", "speech_tcnn_257"),
    (
        "mobilefacenet_qdq",
        "mobilenet_v2_224",
        "speech_tcnn_257",
        "tcn_calculator",
        "yamnet_1024",
        "yolov8n_micro_224",
    ),
)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_as_int8", ROOT / "tools/compare_as_int8.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not CASES.is_dir(), reason="the ground truth is not here")
def test_verdicts_hold_for_99_of_100_layers(tool: ModuleType) -> None:
    """Each under one setting, in turns: small networks are compared under both."""
    layers = wrong = 0
    for at, name in enumerate(NAMES):
        for outcome in tool.compared(name, tool.float_model(CASES / name / "model.onnx"), [at % 2 == 1]):
            layers += outcome.layers
            wrong += len(outcome.differing)
            assert all("Concat" in text for text in outcome.differing), outcome.differing
    assert layers > suite_or_long(120, 450)
    assert wrong <= layers // 100
