"""Domains whose operators a model has, and whether it imports them."""

from __future__ import annotations

from pathlib import Path

import onnx
from builders.models import gemm_qdq

from npuscope.model.load import load


def test_a_domain_that_is_not_imported_is_named(tmp_path: Path) -> None:
    """As onnxruntime's quantizer left QLinear operators in models of tf2onnx (issue 5971)."""
    model = gemm_qdq(8, 8)
    assert not any("does not import" in note for note in load(saved_as(model, tmp_path)).notes)
    relu = onnx.helper.make_node("Relu", ["never"], ["read"], domain="com.microsoft")
    model.graph.node.append(relu)
    notes = [note for note in load(saved_as(model, tmp_path)).notes if "does not import that domain" in note]
    assert len(notes) == 1 and "'com.microsoft'" in notes[0]
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    assert not any("does not import" in note for note in load(saved_as(model, tmp_path)).notes)


def saved_as(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "m.onnx"
    onnx.save(model, path)
    return path
