"""Layers and epochs say the same of where things run; hypothesis draws models in ../rules/test_properties.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.agreement import epochs_and_layers_agree
from builders.models import SAMPLES, SHARED, analysed

from npuscope.model.load import load
from npuscope.services.open import open_model

CASES = SHARED / "groundtruth/cases"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.onnx")), ids=lambda path: path.stem)
@pytest.mark.parametrize("toolchain", ["2.0", "2.2", "4.0"])
def test_samples(path: Path, toolchain: str) -> None:
    epochs_and_layers_agree(analysed(load(path), toolchain))


@pytest.mark.skipif(not CASES.is_dir(), reason="the compiled networks are not here")
@pytest.mark.parametrize("case", sorted(path.name for path in CASES.glob("*") if path.is_dir()))
def test_compiled_networks(case: str) -> None:
    for name in ("model.onnx", "OE.onnx"):
        if (CASES / case / name).exists():
            epochs_and_layers_agree(analysed(open_model(CASES / case / name), "2.2"))
